/**
 * Why a session ended: one closed list, shared by log, metrics and API, and by the library (`sluice/guard`). Each entry says
 * who ended it, why, and what an operator does about it: `docs/reference/reasons.md` is made of that, and `sluice why` says it.
 * Every session ends with exactly one of them.
 */

interface Explanation {
	/** Who ended it. */
	readonly by: "client" | "upstream" | "kernel" | "gateway" | "operator";
	/** One sentence: what has happened. */
	readonly means: string;
	/** One sentence: what to do about it. */
	readonly advice: string;
	/** Where `docs/` says more: a file, and a heading of it. */
	readonly see?: string;
}

/** The two normal ends come first: metrics show them from the start. */
const EXPLANATIONS = {
	client_closed: {
		by: "client",
		means: "The client ended its direction first, and the upstream followed: the normal end.",
		advice: "Nothing.",
	},
	upstream_closed: {
		by: "upstream",
		means:
			"The upstream ended its direction first, and the client followed: the normal end; or it answered a request before all of it had come, after which the connection cannot go on.",
		advice: "Nothing; where clients complain, look into the upstream's own log for why it closes.",
	},
	client_reset: {
		by: "client",
		means: "The client reset the connection, and the upstream was reset too.",
		advice:
			"Nothing for single ones: browsers and mobile networks do it; many at once come from a client's fault, or a firewall's.",
	},
	upstream_reset: {
		by: "upstream",
		means:
			"The upstream reset the connection, and the client was reset too; of datagrams: its host said that nobody listens there any more.",
		advice: "Look into the upstream's log: it crashed, was restarted, or closed with bytes unread.",
		see: "udp.md#upstreams-that-are-gone",
	},
	handshake_timeout: {
		by: "gateway",
		means:
			"It could not be routed within `timeouts.handshake`, TLS included; or the hub had not said by then what becomes of it.",
		advice:
			"Nothing for single ones: scanners and idle preconnects end so; where real clients do, raise it, or have a route of `protocol: any` take those that wait for the server to speak.",
		see: "configuration.md#which-route-is-taken",
	},
	connect_timeout: {
		by: "gateway",
		means: "The last address that was tried did not accept within `timeouts.connect`.",
		advice:
			"See whether the upstream's host is up and a firewall drops packets to it, and whether its own accept queue is full.",
	},
	connect_refused: {
		by: "upstream",
		means: "The last address that was tried refused, or could not be reached.",
		advice: "Start the upstream, or correct its address: `sluice upstreams` shows each.",
	},
	upstream_down: {
		by: "gateway",
		means:
			"Every address of the upstream is known to be down, is drained or has its `max_connections`, or its name has no address; of a tunnel: each agent says that its local service is down.",
		advice: "Ask `sluice upstreams` which it is, and since when and why.",
		see: "tunnels.md#a-service-that-is-down",
	},
	answered: {
		by: "gateway",
		means:
			"Of datagrams: its upstream has sent as many answers as `responses` says, which is the normal end.",
		advice: "Nothing.",
		see: "udp.md#one-question-one-answer",
	},
	idle_timeout: {
		by: "gateway",
		means:
			"No byte went in either direction for `timeouts.idle`; a session of datagrams that is none any more ends so as well, because nothing says that it is over.",
		advice:
			"Nothing for clients that have left; where both sides are silent on purpose, let them send heartbeats, or raise `idle` of their route.",
		see: "udp.md#deadlines",
	},
	stall_timeout: {
		by: "gateway",
		means: "Bytes waited for a side that took none for `timeouts.stall`.",
		advice:
			"Find who does not read: `sluice ended --reason stall_timeout` names clients and upstreams; raise `stall` of the route only where a reader may pause so long.",
	},
	half_closed_timeout: {
		by: "gateway",
		means: "One direction had ended, and the other was silent for `timeouts.half_closed`.",
		advice:
			"Nothing mostly; where an answer takes longer than that after the request's end, raise it for the route.",
	},
	lifetime: {
		by: "gateway",
		means: "It had lived for `timeouts.lifetime`.",
		advice: "Nothing: clients connect again; take `lifetime` off where they do not.",
	},
	keepalive_lost: {
		by: "kernel",
		means:
			"The kernel gave a peer up, because keepalive probes or retransmissions went unanswered; of a subscriber of the hub also: nothing came from it for `hub.dead_after`.",
		advice:
			"Nothing for single ones: hosts that sleep or lose their network end so; many at once mean that a network or a firewall between has forgotten them.",
		see: "hub.md#heartbeats",
	},
	unrecognized: {
		by: "gateway",
		means: "Its first bytes begin as TLS and are malformed, or too long.",
		advice:
			"Nothing: scanners send such bytes; where a real client does, it is broken, or something between changes its bytes.",
	},
	tls_failed: {
		by: "gateway",
		means:
			"A TLS handshake failed, the client's or that of the last upstream address tried, or TLS broke behind it; also a stream that ended and had not said so (close_notify), because whoever is on the path can forge such an end.",
		advice:
			"Read `tls_error` in its log line, which says whose fault it was, in OpenSSL's words: mostly versions, a certificate that is not believed, or a client that does not trust yours.",
		see: "configuration.md#certificates",
	},
	bad_request: {
		by: "gateway",
		means: "Its request's head is one that RFC 9112 forbids, or the hub does not take its frame or message.",
		advice:
			"`sluice_bad_requests_total` and the line of the request say what is wrong in `cause`: mend the client; what cannot be read safely is not passed on.",
		see: "hub-wire.md#websocket",
	},
	bad_response: {
		by: "gateway",
		means: "The upstream's response is one that RFC 9112 forbids.",
		advice: "`sluice_bad_responses_total` says what is wrong in `cause`: mend the upstream.",
	},
	request_timeout: {
		by: "gateway",
		means:
			"A request's head, or enough of its body, did not come in time; nor did the rest of a message for the hub.",
		advice:
			"Nothing for single ones: lost networks and slow attacks end so; where real clients do, raise `timeouts.request_head`, or for uploads lower `limits.body_bytes_per_second`.",
	},
	response_timeout: {
		by: "gateway",
		means: "The upstream did not begin to answer a request within `timeouts.response_head`.",
		advice:
			"Find out why the upstream is slow; raise `response_head` of the route where answers may take so long.",
	},
	recycled: {
		by: "gateway",
		means: "The connection had as many requests as `limits.requests_per_connection` allows.",
		advice: "Nothing: clients open another one.",
	},
	proxy_header: {
		by: "gateway",
		means:
			"A PROXY header was required and was missing or malformed, or came from an address that is not trusted.",
		advice:
			"Have the balancer in front send it, and name its addresses in `trusted`; take `proxy_protocol` off where nothing stands in front.",
		see: "configuration.md#listeners",
	},
	no_route: {
		by: "gateway",
		means: "No route matched.",
		advice:
			"`sluice explain` says why each did not: add a route, or leave it so where nobody has business here.",
	},
	rejected: {
		by: "gateway",
		means:
			"A route says `to: reject`, or the hub refused a request, and its answer says why; or a reload took the last channel of an event stream.",
		advice: "Nothing where the route means it.",
		see: "hub-wire.md#how-a-subscriber-comes",
	},
	unauthorized: {
		by: "gateway",
		means:
			"A request came without the name and the password that its route asks for, and was answered 401; or it came to the hub without the right to, as a token or its page's origin would give it, or its token ended, or the key that signed it was taken away.",
		advice:
			"Nothing for single ones: browsers ask first without; many of one source are guesses: `sluice sources ban` shuts it out.",
		see: "configuration.md#passwords",
	},
	no_tunnel: {
		by: "gateway",
		means:
			"A route says `to: tunnels`, and no agent holds the name that was asked for; requests are answered 503.",
		advice:
			"`sluice tunnels` lists who is there: start the agent, or read in its output why it is not logged in.",
		see: "tunnels.md",
	},
	no_certificate: {
		by: "gateway",
		means:
			"It is TLS whose route leads to an upstream with `http`, and no certificate of the listener is for the name that was asked for, so that nobody here could read the requests.",
		advice: "Add a certificate under `tls`, or let that name pass to an upstream with `addresses`.",
		see: "configuration.md#certificates",
	},
	loop: {
		by: "gateway",
		means:
			"It was a connection of the gateway's own to an upstream, which led back to a listener of the gateway, and would go round for ever.",
		advice:
			"Correct the address of the upstream that its log line names; `sluice check` tells where addresses show it.",
	},
	limit_connections: {
		by: "gateway",
		means:
			"`limits.connections` or the listener's were in use and `when_full` says `reset`, or its route had as many as it may have.",
		advice:
			"Raise the limit if the machine stands more (`sluice doctor --connections N` plans it), or look at who holds them: `sluice sources`.",
	},
	limit_ip: {
		by: "gateway",
		means: "Its address has `connections_per_ip` already.",
		advice:
			"Raise the limit where many clients share an address (a company's, a mobile network's); else it has done its work.",
	},
	limit_rate: {
		by: "gateway",
		means:
			"It, its address or all together came or asked faster than a limit allows: `accepts_per_second` with `when_full: reset`, `accepts_per_second_per_ip`, `sessions_per_second` of its route, or `requests_per_second` and `requests_per_second_per_ip`, which are answered 429.",
		advice:
			"Raise the limit where the crowd is welcome; `sluice sources` shows who comes, and bans who should not.",
	},
	limit_body: {
		by: "gateway",
		means:
			"The content of a request was larger than `limits.request_body_bytes` or its route's, and was answered 413, or cut when the answer had begun.",
		advice: "Raise `request_body_bytes` of the routes that take uploads.",
	},
	fd_pressure: {
		by: "gateway",
		means:
			"Descriptors ran out, and it had earned least; or none was left for its upstream, nor, for datagrams, a local port.",
		advice:
			"Raise the descriptor limit (`LimitNOFILE`), or lower `limits.connections`: `sluice doctor` says how much is needed.",
		see: "udp.md#settings-of-the-kernel",
	},
	memory_pressure: {
		by: "gateway",
		means: "Memory ran out (`limits.memory`, or the kernel's), and it had earned least.",
		advice: "Give more memory, or lower `limits`; `sluice sessions --sort buffered` shows who holds it.",
	},
	outbox_full: {
		by: "gateway",
		means:
			"A subscriber of the hub was further behind than its channel's outbox allows, whose policy is `disconnect`; of the library: messages for it found no room in its outbox.",
		advice:
			"Nothing for single slow readers, who come back; where many end so, enlarge the outbox or let the policy conflate or drop.",
		see: "hub.md#slow-subscribers",
	},
	drained: {
		by: "gateway",
		means: "The gateway is ending, and `timeouts.drain` has passed.",
		advice: "Nothing; raise `timeouts.drain` where sessions should have longer to end by themselves.",
	},
	superseded: {
		by: "gateway",
		means:
			"Its agent logged in again and `tunnels.superseded` says `cut`, or is of the configuration no more.",
		advice: "Nothing; where it comes again and again, two agents use one name: give each its own.",
		see: "tunnels.md",
	},
	operator: {
		by: "operator",
		means: "An operator closed it, or all that were like it, or took the last channel of an event stream.",
		advice: "Nothing: the log says who asked for it.",
	},
	banned: {
		by: "operator",
		means: "An operator banned its address.",
		advice: "Nothing; `sluice sources` lists the bans, and `sluice sources unban` lifts one.",
	},
	internal: {
		by: "gateway",
		means: "A fault of Sluice itself; the log says which.",
		advice: "Report it with the lines of the log around it.",
	},
} as const satisfies Readonly<Record<string, Explanation>>;

/** Why a connection ended: one of the closed list. */
export type Reason = keyof typeof EXPLANATIONS;

/** All of them; the two normal ends come first. */
export const REASONS = Object.keys(EXPLANATIONS) as readonly Reason[];

/** Who ended it, what that means, and what to do about it. */
export function explained(reason: Reason): Explanation {
	return EXPLANATIONS[reason];
}
