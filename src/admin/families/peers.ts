/** Families of upstreams, TLS, tunnels and the hub. */
import { counter, gauge, histogram } from "../../parts/families.js";

export const UPSTREAM_FAMILIES = {
	sluice_upstream_healthy: gauge("1 when an address is used, 0 when it is down or ejected.", [
		"upstream",
		"address",
	]),
	sluice_upstream_sessions: gauge("Sessions that use an address, dials included.", ["upstream", "address"]),
	sluice_dial_retries_total: counter("Dials of a further address after one failed."),
	sluice_upstream_ejections_total: counter("Addresses ejected after failed connects."),
	sluice_upstream_requests_total: counter(
		"Requests for an upstream that were answered, by it or by Sluice in its place, by class of status.",
		["upstream", "status"],
		{ more: "`status` is a class such as `2xx`; one that has not occurred is not shown." },
	),
	sluice_upstream_failures_total: counter(
		"Of these, the requests that Sluice answered with 502, 503 or 504 because the upstream did not, by why.",
		["upstream", "reason"],
		{ see: "reference/reasons.md" },
	),
	sluice_connect_seconds: histogram("From dialling an upstream address until it accepted.", ["upstream"]),
	sluice_upstream_seconds: histogram(
		"From a request's whole head to the head of its upstream's answer.",
		["upstream"],
		{ more: "Dials are included. Of upstreams that take requests." },
	),
};

export const TLS_FAMILIES = {
	sluice_certificate_expiry_seconds: gauge(
		"When a file of certificates in force expires: the first of its chain (Unix time).",
		["file"],
		{ more: "Those shown to clients, and those shown to upstreams." },
	),
	sluice_tls_sessions: gauge("TLS sessions alive, on both sides.", [], {
		more: "Those of idle pooled connections are among them.",
	}),
	sluice_tls_handshakes_total: counter(
		"TLS handshakes with clients and upstreams, by how they ended.",
		["side", "result"],
		{ more: "`side` is `client` or `upstream`; `result` is `full`, `resumed` or `failed`." },
	),
};

export const TUNNEL_FAMILIES = {
	sluice_tunnel_agents: gauge("Agents that are logged in."),
	sluice_tunnel_agents_logging_in: gauge("Control connections whose agent has not logged in yet."),
	sluice_tunnels: gauge(
		"Tunnels: up, down because their local service is, opening, or closing with visitors yet.",
		["state"],
	),
	sluice_tunnel_lines: gauge("Lines of all tunnels; asked: their agents will open them.", ["state"], {
		more: "`asked` for, `proving`, `parked`, `used`, and `retiring`: parked, old or with all the requests that they may have, and on their way out as soon as another is parked.",
	}),
	sluice_tunnel_up: gauge(
		"1: the last canary came back through a parked line of the tunnel's agent; 0: it did not.",
		["tunnel", "agent"],
	),
	sluice_tunnel_rtt_seconds: gauge("How long the canary took, to the agent and back.", ["tunnel", "agent"]),
	sluice_tunnel_local_up: gauge(
		"1: the local service is up, as far as the tunnel's agent looks; 0: it is down, and gets no visitor.",
		["tunnel", "agent"],
		{ see: "tunnels.md#a-service-that-is-down" },
	),
	sluice_tunnel_visitors_total: counter("Visitors of tunnels that ended, by why.", ["tunnel", "reason"], {
		see: "reference/reasons.md",
	}),
	sluice_tunnel_lines_recycled_total: counter("Lines that ended, by why.", ["reason"], {
		more: "`done` with their visitor, `age`, `requests`, `superseded`, `dead`, `closed` by the agent, `drained`, `failed`.",
	}),
	sluice_tunnel_logins_total: counter("Logins of agents that succeeded."),
	sluice_tunnel_reconnects_total: counter("Logins of an agent that had been there before.", [], {
		more: "They are among `sluice_tunnel_logins_total`.",
	}),
	sluice_tunnel_refused_total: counter(
		"Logins and tunnels that were refused, by the code that the agent was told.",
		["code"],
		{ see: "tunnel-wire.md" },
	),
	sluice_tunnel_strangers_total: counter(
		"Connections to the agents' port that were none of an agent's.",
		[],
		{
			more: "They spoke something else, or TLS below 1.3.",
		},
	),
};

export const HUB_FAMILIES = {
	sluice_hub_subscribers: gauge("Subscriptions to channels of the hub.", ["match"], {
		more: "`match` is the entry of `hub.channels`, here and below.",
	}),
	sluice_hub_published_total: counter("Messages that were published.", ["match"]),
	sluice_hub_delivered_total: counter("Messages that went to subscribers, each counted for each of them.", [
		"match",
	]),
	sluice_hub_missed_total: counter(
		"Messages that subscribers did not get, because they were too far behind: dropped by their channel's policy, or by the log.",
		["match"],
		{ see: "hub.md#slow-subscribers" },
	),
	sluice_hub_conflated_total: counter("Messages that a newer one with the same key stood for.", ["match"]),
	sluice_hub_gaps_total: counter("Notices to subscribers that they missed something.", ["match"]),
	sluice_hub_overflowed_total: counter(
		"Subscribers that were closed because their outbox was full, as their channel's policy has it.",
		["match"],
		{ more: "The policy is `disconnect`." },
	),
	sluice_hub_channels: gauge("Channels that have subscribers or messages."),
	sluice_hub_blocked: gauge("Subscribers that take no more at the moment."),
	sluice_hub_outbox_bytes: gauge(
		"Bytes of messages that went in part, and of what was said behind them, which wait for their subscribers. Other messages wait in the log.",
	),
	sluice_hub_incoming_bytes: gauge("Bytes of messages of clients that came in part."),
	sluice_hub_log_bytes: gauge("Bytes of the log of messages (hub.memory)."),
	sluice_hub_log_used_bytes: gauge("Bytes of it that messages take."),
	sluice_hub_delivery_seconds: histogram(
		"From a message's publication until it went to a subscriber's socket.",
	),
};
