/**
 * Why a session ended: one closed list, shared by log, metrics and API, and by the library (`sluice/guard`). Each entry says
 * who ended it and why. Every session ends with exactly one of them.
 */
export const REASONS = [
	/** The client ended its direction first, and the other followed: the normal end. */
	"client_closed",
	/** The upstream ended its direction first, or answered a request for good before all of it was there. */
	"upstream_closed",
	"client_reset",
	"upstream_reset",
	/** `timeouts.handshake` passed before the connection could be routed. */
	"handshake_timeout",
	/** Every address that was tried let `timeouts.connect` pass, or the last one did. */
	"connect_timeout",
	/** The last address tried refused, or could not be reached. */
	"connect_refused",
	/** Every address of the upstream is known to be down, or its name has no address. */
	"upstream_down",
	"idle_timeout",
	"stall_timeout",
	"half_closed_timeout",
	"lifetime",
	/** The kernel gave the peer up: keepalive probes or retransmissions went unanswered. */
	"keepalive_lost",
	/** First bytes that begin as TLS and are malformed or too long. */
	"unrecognized",
	/** A TLS handshake failed, the client's or the last upstream address's, or TLS broke behind it. */
	"tls_failed",
	/** A request head that RFC 9112 forbids. */
	"bad_request",
	/** An upstream's response that RFC 9112 forbids. */
	"bad_response",
	/** A request's head, or enough of its body, did not come in time. */
	"request_timeout",
	/** The upstream did not begin to answer a request in time. */
	"response_timeout",
	/** A connection had as many requests as one may have. */
	"recycled",
	/** A PROXY header was required and did not come, or came from an address that is not trusted. */
	"proxy_header",
	"no_route",
	/** A route said `to: reject`. */
	"rejected",
	/** A request came without the name and the password that its route asks for. */
	"unauthorized",
	/** It is for a tunnel's name that no agent holds at the moment. */
	"no_tunnel",
	/** TLS that no certificate here is for, on its way to an upstream that takes requests. */
	"no_certificate",
	/** It came from the gateway's own connection to an upstream: what it carries would go round for ever. */
	"loop",
	/** `limits.connections` or the listener's were in use, and `when_full` says reset. */
	"limit_connections",
	/** Its address has `limits.connections_per_ip` already. */
	"limit_ip",
	/** Its address, or with `when_full: reset` all clients together, came faster than the limits allow; or asked faster. */
	"limit_rate",
	/** The content of a request was larger than `limits.request_body_bytes`, or its route's. */
	"limit_body",
	/** Descriptors ran out, and it had earned least; or none was left for its upstream. */
	"fd_pressure",
	/** Memory ran out, and it had earned least; or the kernel had none to watch it. */
	"memory_pressure",
	/** Messages for it found no room in its outbox, whose policy is to disconnect then. Of the library only (`sluice/outbox`). */
	"outbox_full",
	/** Shutdown: `timeouts.drain` passed. */
	"drained",
	/** The agent that its tunnel was of has been replaced by another login, or is of the configuration no more. */
	"superseded",
	/** An operator closed it, or all that were like it. */
	"operator",
	/** Its address was banned. */
	"banned",
	/** A fault of Sluice itself; the log says which. */
	"internal",
] as const;

/** Why a connection ended: one of the closed list. */
export type Reason = (typeof REASONS)[number];
