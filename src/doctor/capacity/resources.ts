/** One row for each thing that a connection takes: how many bytes idle and busy, what gives it back, and by which deadline at the latest. */

import type { Reason } from "../../parts/reasons.js";
import { CHUNK_BYTES } from "../../reactor/memory/arena.js";
import { bytes } from "../finding.js";
import { TLS_BYTES, WATCH_BYTES } from "../plan/assumed.js";
import type { Kind } from "../plan/kinds.js";
import { rowBytes } from "../row-bytes.js";

/** Of the plan, for what the machine has measured. */
export interface Sizes {
	/** Of one TCP socket and one UDP socket, idle, in the kernel. */
	readonly stream: number;
	readonly datagram: number;
	/** Of one TCP socket, its buffers full as they begin, and as they may grow. */
	readonly usual: number;
	readonly most: number;
	readonly kinds: readonly Kind[];
}

export interface ResourceRow {
	readonly name: string;
	readonly idle: (sizes: Sizes) => string;
	readonly busy: (sizes: Sizes) => string;
	/** A sentence. */
	readonly freed: string;
	/** Keys of the configuration: deadlines by which it is given back at the latest. Empty: it has none of its own. */
	readonly deadlines: readonly string[];
	/** Keys that bound how much of it there is. */
	readonly bounds: readonly string[];
	/** What a session ends as, where a deadline or a bound ended it. */
	readonly reasons: readonly Reason[];
}

const SESSION_DEADLINES = [
	"timeouts.handshake",
	"timeouts.connect",
	"timeouts.idle",
	"timeouts.stall",
	"timeouts.half_closed",
	"timeouts.lifetime",
	"timeouts.drain",
];

const ofKind =
	(id: Kind["id"], when: "idle" | "busy") =>
	({ kinds }: Sizes): string => {
		const kind = kinds.find((each) => each.id === id);
		if (kind === undefined) return "–";
		const kernel = bytes(when === "idle" ? kind.kernelIdle : kind.kernelBusy);
		return `${kernel} of the kernel${when === "idle" ? ` and ${bytes(kind.user)} of the process` : ""}`;
	};

export const RESOURCES: readonly ResourceRow[] = [
	{
		name: "descriptor",
		idle: () => "two for a session, one for each other kind; its memory is the socket's",
		busy: () => "the same; a transfer that is spliced borrows two for a pipe",
		freed:
			"`close`, at the one place in the code that gives descriptors back; never the end of a function or a collector",
		deadlines: SESSION_DEADLINES,
		bounds: ["limits.connections", "limits.fd_reserve"],
		reasons: ["idle_timeout", "fd_pressure", "limit_connections"],
	},
	{
		name: "TCB, with its file, inode and watch",
		idle: ({ stream }) => bytes(stream + WATCH_BYTES),
		busy: ({ stream }) => bytes(stream + WATCH_BYTES),
		freed:
			"`close`; the side that ended first keeps a smaller one for 60 s (TIME_WAIT), and a reset keeps none",
		deadlines: ["keepalive.idle", "keepalive.interval", "keepalive.probes", "keepalive.user_timeout"],
		bounds: ["limits.connections"],
		reasons: ["keepalive_lost"],
	},
	{
		name: "send and receive buffer of a socket",
		idle: () => "0 B",
		busy: ({ usual, most }) => `up to ${bytes(usual)} as they begin, ${bytes(most)} as they may grow`,
		freed: "each byte when it was acknowledged, or read",
		deadlines: ["timeouts.stall", "keepalive.user_timeout"],
		bounds: ["limits.memory", "sockets.send_buffer", "sockets.receive_buffer", "sockets.unsent"],
		reasons: ["stall_timeout", "memory_pressure"],
	},
	{
		name: "row of the table",
		idle: () => bytes(rowBytes().relayed),
		busy: () => `the same; ${bytes(rowBytes().requests)} more where requests are read`,
		freed:
			"the end of the session: the next one has it. A page of the table is memory from its first session on, and stays",
		deadlines: [
			...SESSION_DEADLINES,
			"timeouts.request_head",
			"timeouts.response_head",
			"timeouts.keep_alive",
		],
		bounds: ["limits.connections"],
		reasons: ["request_timeout", "response_timeout"],
	},
	{
		name: "chunk",
		idle: () => "0 B",
		busy: () => `${bytes(CHUNK_BYTES)} in each direction in which the reader took less than came`,
		freed: "the reader has taken its bytes; until then nothing more is read from the other side",
		deadlines: ["timeouts.stall"],
		bounds: ["limits.buffered_bytes"],
		reasons: ["stall_timeout"],
	},
	{
		name: "TLS session that ends here",
		idle: () => `${bytes(TLS_BYTES + rowBytes().tls)} of the process`,
		busy: () => "buffers of OpenSSL besides, which it gives back when they are empty",
		freed: "the end of its connection, whatever the reason",
		deadlines: ["timeouts.handshake", "timeouts.idle"],
		bounds: ["limits.connections"],
		reasons: ["handshake_timeout", "tls_failed"],
	},
	{
		name: "pooled connection to an HTTP upstream",
		idle: ({ stream }) => `${bytes(stream + WATCH_BYTES)} and one descriptor`,
		busy: () => "it is a session's then",
		freed: "its age, its number of requests, its idle time, or the server that ends it",
		deadlines: ["upstreams.*.pool.idle", "upstreams.*.pool.age"],
		bounds: ["upstreams.*.pool.connections", "upstreams.*.pool.requests"],
		reasons: [],
	},
	{
		name: "line of a tunnel, parked",
		idle: ofKind("line", "idle"),
		busy: () => "it is a visitor's then: the second descriptor of his session",
		freed:
			"its visitor's end, its age, its number of requests, a canary that does not come back, or an agent that is not heard of",
		deadlines: ["tunnels.age", "tunnels.canary", "tunnels.dead_after"],
		bounds: ["tunnels.lines", "tunnels.lines_max", "tunnels.requests"],
		reasons: ["superseded"],
	},
	{
		name: "session of datagrams",
		idle: ofKind("datagrams", "idle"),
		busy: ofKind("datagrams", "busy"),
		freed: "silence: nothing says that it is over. Or as many answers as were to come",
		deadlines: ["timeouts.idle", "timeouts.lifetime"],
		bounds: ["limits.connections", "upstreams.*.responses"],
		reasons: ["idle_timeout", "answered"],
	},
	{
		name: "half of a hello of QUIC or DTLS",
		idle: () => "no descriptor and no row; a place in memory that is set aside",
		busy: () => "the same",
		freed: "its other half, its deadline, or another's half when all places are taken",
		deadlines: ["timeouts.handshake"],
		bounds: ["limits.half_hellos"],
		reasons: [],
	},
	{
		name: "subscriber of the hub",
		idle: ofKind("subscriber", "idle"),
		busy: ({ usual }) =>
			`its socket's buffers (${bytes(usual)} as they begin) and the message that is under way; all others lie once in the log, for all`,
		freed: "its end; a heartbeat that is not answered; its outbox's policy; a reader that takes nothing",
		deadlines: ["hub.heartbeat", "hub.dead_after", "timeouts.stall"],
		bounds: [
			"hub.memory",
			"hub.channels.*.outbox",
			"hub.limits.subscribers_per_channel",
			"hub.limits.message",
		],
		reasons: ["keepalive_lost", "stall_timeout", "outbox_full"],
	},
];
