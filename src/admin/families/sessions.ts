/** Families of sessions, datagrams and requests. */
import { counter, gauge, histogram } from "../../parts/families.js";

export const SESSION_FAMILIES = {
	sluice_connections_active: gauge("Sessions alive.", ["listener"]),
	sluice_connections_total: counter("Connections accepted; on UDP, sessions begun.", ["listener"]),
	sluice_connections_limit: gauge("Sessions that may live at once (limits.connections)."),
	sluice_listener_connections_limit: gauge("Sessions that a listener may have.", ["listener"]),
	sluice_source_addresses: gauge("Client addresses that have sessions.", [], {
		more: "Of IPv6 each /64 is one.",
	}),
	sluice_source_sessions_max: gauge("Sessions of the client address that has most."),
	sluice_source_not_counted_total: counter("Connections whose address found no place to be counted in.", [], {
		more: "Limits per address did not hold for them.",
	}),
	sluice_shed_total: counter("Sessions closed to make room."),
	sluice_reactor_sessions: gauge("Sessions alive in each reactor: the kernel shares them by hash.", [
		"reactor",
	]),
	sluice_sessions_closed_total: counter(
		"Sessions ended, by the one reason each has.",
		["listener", "reason"],
		{
			more: "The two normal ends are there from the start, others from their first.",
			see: "reference/reasons.md",
		},
	),
	sluice_bytes_total: counter(
		"Bytes relayed: from_client reached an upstream (or the hub), to_client reached a client.",
		["listener", "direction"],
	),
	sluice_route_sessions_total: counter(
		"Sessions that took a route; requests, where they are read.",
		["listener", "route"],
		{ more: "A route that nobody took is not shown." },
	),
	sluice_accept_wait_seconds: histogram(
		"How long connections waited to be accepted: of each listener's one in a millisecond, the one that waited longest.",
		["listener"],
		{
			more: "From the end of the kernel's handshake, as the kernel tells it (`TCP_INFO`), in its ticks of 1 to 10 ms: less than a tick counts as nothing. Each reactor measures at most one of a listener's connections in a millisecond, the first that it takes, which has waited longest: a stall shows at its full length, and the shares of buckets are shares of such moments, not of connections.",
		},
	),
	sluice_handshake_seconds: histogram("From accept until the connection could be routed.", ["listener"]),
};

export const DATAGRAM_FAMILIES = {
	sluice_datagrams_total: counter(
		"Datagrams passed on: from_client to an upstream, to_client.",
		["listener", "direction"],
		{ more: "Of listeners on UDP.", see: "udp.md" },
	),
	sluice_datagrams_dropped_total: counter("Datagrams that were not passed on, by the cause.", ["cause"], {
		see: "udp.md#what-is-dropped-and-why",
	}),
	sluice_datagrams_overrun_total: counter(
		"Datagrams that a socket's receive buffer had no room for, before anybody here saw them.",
		[],
		{ more: "Enlarge it.", see: "udp.md#settings-of-the-kernel" },
	),
	sluice_clients_moved_total: counter(
		"Clients of QUIC that came from another address, and kept their session.",
		[],
		{ more: "Another port counts as another address.", see: "udp.md#clients-that-move" },
	),
	sluice_datagram_flows: gauge("Sessions of datagrams that are found by their client's address.", [], {
		more: "These are all there are.",
	}),
	sluice_connection_ids: gauge("Connection IDs of QUIC by which sessions are found."),
	sluice_half_hellos: gauge("Hellos of QUIC and DTLS of which a part is there.", [], {
		see: "udp.md#half-seen-hellos-and-floods",
	}),
	sluice_half_hellos_displaced_total: counter("Parts of hellos that were given up for others.", [], {
		more: "There were as many as `limits.half_hellos` allows.",
	}),
	sluice_half_hellos_expired_total: counter("Parts of hellos whose rest did not come in time.", [], {
		more: "Within `timeouts.handshake`.",
	}),
};

export const REQUEST_FAMILIES = {
	sluice_requests_total: counter(
		"Requests answered, by an upstream or here, by class of status. Without a route: none took it.",
		["route", "listener", "status"],
		{ more: "`status` is a class such as `2xx`; one that has not occurred is not shown." },
	),
	sluice_request_seconds: histogram("From a request's whole head to the end of its answer.", ["listener"], {
		more: "Of requests that their upstream answered.",
	}),
	sluice_requests_refused_total: counter("Requests that the gateway answered itself, by why.", ["reason"], {
		more: "Whether their connection went on or not.",
		see: "reference/reasons.md",
	}),
	sluice_wrong_passwords_total: counter(
		"Requests with a name and a password that are not good on their route (basic_auth).",
		[],
		{ more: "Those that say none are `unauthorized` requests as well, and not counted here." },
	),
	sluice_bad_requests_total: counter("Requests that RFC 9112 forbids, by what is wrong.", ["cause"]),
	sluice_bad_responses_total: counter("Responses that RFC 9112 forbids, by what is wrong.", ["cause"]),
	sluice_pool_size: gauge("Upstream connections of pools: those in use and the idle ones."),
	sluice_pool_active: gauge("Pooled connections in use: borrowed and not returned yet."),
	sluice_pool_idle: gauge("Pooled connections that nobody uses, one descriptor each."),
	sluice_pool_borrowed_total: counter("Times one was lent.", [], {
		more: "Less `sluice_pool_returned_total` this is `sluice_pool_active`.",
	}),
	sluice_pool_returned_total: counter("Times one came back."),
	sluice_pool_recycled_total: counter("Pooled connections not lent again, by reason.", ["reason"], {
		more: "`age`, `requests`, `idle`, `upstream_closed` while idle, `stale` when lent, `upstream_said`, `cut` amid an exchange, `upgraded` to a WebSocket, `made_room`, `not_wanted` after a reload, `stopped`, `owned` by a client that ended.",
	}),
};
