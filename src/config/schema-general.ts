/** The sections of `sluice.yaml` that hold for all listeners and upstreams. */

import { CONNECTIONS_MAX, KEEPALIVE_MAX_PROBES, RATE_MAX, REQUESTS_MAX, UNSENT_MIN_BYTES } from "./bounds.js";
import * as defaults from "./defaults.js";
import {
	bufferSize,
	byteRate,
	choice,
	duration,
	keepaliveSeconds,
	optionalDuration,
	optionalNumber,
	section,
	size,
	sizeOrOff,
	whole,
	yesNo,
} from "./schema-values.js";
import { formatSize } from "./units.js";

/** Less than one receive buffer would stop every session that meets a slow reader. */
const BUFFERED_MIN_BYTES = 65_536;
const FD_RESERVE_MAX = 65_536;
/** Each takes 16 KiB, whether it is there or not. */
const HALF_HELLOS_MAX = 65_536;
/** Less would close sessions on a machine where nothing is wrong. */
const MEMORY_MIN_BYTES = 16 * 1_048_576;

export const limits = section({
	connections: whole(1, CONNECTIONS_MAX)
		.optional()
		.describe(
			"Sessions at a time, over all listeners. Default: what the descriptor limit allows. Raising it needs a restart.",
		),
	when_full: choice(["wait", "reset"], {
		...{ queue: "write wait", pause: "write wait" },
		...{
			reject: "write reset",
			refuse: "write reset",
			drop: "write reset",
			close: "write reset",
			deny: "write reset",
		},
	})
		.optional()
		.meta({
			description:
				"What becomes of clients beyond connections, a listener's connections or accepts_per_second. `wait`: accepting pauses, and they wait in the accept queue. `reset`: they are reset at once, as limit_connections or limit_rate.",
			default: defaults.limits.whenFull,
		}),
	connections_per_ip: optionalNumber(
		CONNECTIONS_MAX,
		"Sessions at a time of one client address (IPv6: of one /64; with proxy_protocol: of the address in the header). Further ones are reset as limit_ip.",
	),
	accepts_per_second: optionalNumber(
		RATE_MAX,
		"Connections taken per second, over all listeners: a token bucket that holds one second's worth.",
	),
	accepts_per_second_per_ip: optionalNumber(
		RATE_MAX,
		"The same for one client address (IPv6: for one /64). Connections beyond it are reset as limit_rate.",
	),
	bytes_per_second: byteRate(
		"Bytes that pass in a second over all listeners, both ways together. Sessions over a rate of bytes are not read from until they may go on, which slows their senders by TCP's own means; nothing is buffered for them. They get equal portions of a rate that they share.",
	),
	bytes_per_second_per_ip: byteRate(
		"The same for one client address (IPv6: for one /64), over all its sessions, where their listener and route say nothing else.",
	),
	bytes_per_second_per_session: byteRate(
		"The same for each session, where its listener and route say nothing else.",
	),
	buffered_bytes: size("64MiB", BUFFERED_MIN_BYTES)
		.optional()
		.meta({
			description:
				"Bytes that may wait in user space for slow readers, over all reactors. When they run out, nothing more is read for a slow reader until it has taken what waits.",
			default: formatSize(defaults.limits.bufferedBytes),
		}),
	fd_reserve: whole(1, FD_RESERVE_MAX).optional().meta({
		description:
			"Descriptors kept free for admin pages, logs and dials. When only these are left, connections that have earned least are closed as fd_pressure, and accepting pauses.",
		default: defaults.limits.fdReserve,
	}),
	half_hellos: whole(1, HALF_HELLOS_MAX).optional().meta({
		description:
			"Hellos of QUIC and DTLS of which a part has come, over all reactors; the rest is waited for until the handshake deadline. Each takes 16 KiB, whether it is there or not. Another one displaces the oldest of the address that has most of them.",
		default: defaults.limits.halfHellos,
	}),
	requests_per_connection: whole(1, REQUESTS_MAX).optional().meta({
		description: "HTTP: requests that one connection may have; the last answer says that it ends.",
		default: defaults.limits.requestsPerConnection,
	}),
	requests_per_second: optionalNumber(
		RATE_MAX,
		"HTTP: requests taken per second, over all listeners: a token bucket that holds one second's worth. Those beyond it are answered with 429, as limit_rate.",
	),
	requests_per_second_per_ip: optionalNumber(
		RATE_MAX,
		"The same for one client address (IPv6: for one /64), over all its connections.",
	),
	request_body_bytes: sizeOrOff("10MiB").meta({
		description:
			"HTTP: content that a request may have, where its route says nothing else. Larger ones are answered with 413, and closed as limit_body.",
		default: "off",
	}),
	body_bytes_per_second: sizeOrOff("1KiB").meta({
		description:
			"HTTP: how fast a request's body must come, over ten seconds, where its route says nothing else. Slower ones are answered with 408 and closed as request_timeout. `off`: a body may pause, for timeouts.idle.",
		default: formatSize(defaults.limits.bodyBytesPerSecond),
	}),
	memory: size("1GiB", MEMORY_MIN_BYTES).optional().meta({
		description:
			"Memory that sessions may hold: buffers here and in the kernel's sockets. Above it, connections that have earned least are closed as memory_pressure until 7/8 of it are in use. Default: a quarter of the machine's memory, or of the control group's.",
	}),
});

export const sockets = section({
	unsent: size("64KiB", UNSENT_MIN_BYTES)
		.optional()
		.meta({
			description:
				"What the kernel takes for one connection beyond the bytes that are under way to its peer (TCP_NOTSENT_LOWAT). A reader that stops holds about as much.",
			default: formatSize(defaults.sockets.unsentBytes),
		}),
	send_buffer: bufferSize("SO_SNDBUF"),
	receive_buffer: bufferSize("SO_RCVBUF"),
});

export const ledger = section({
	interval: optionalDuration(
		defaults.ledger.intervalMs,
		"How often the ledger is held against the kernel's own table of descriptors.",
	),
});

export const keepalive = section({
	idle: duration(keepaliveSeconds)
		.optional()
		.meta({
			description: "Silence until the kernel probes the peer. Whole seconds.",
			default: `${defaults.keepalive.idleSeconds}s`,
		}),
	interval: duration(keepaliveSeconds)
		.optional()
		.meta({
			description: "Between two probes. Whole seconds.",
			default: `${defaults.keepalive.intervalSeconds}s`,
		}),
	probes: whole(1, KEEPALIVE_MAX_PROBES, " (the kernel takes no others)").optional().meta({
		description: "Unanswered probes after which the session is closed as keepalive_lost.",
		default: defaults.keepalive.probes,
	}),
	user_timeout: duration()
		.optional()
		.describe(
			"Until a peer that acknowledges nothing is given up while bytes are under way to it (TCP_USER_TIMEOUT), as keepalive_lost. Must be longer than timeouts.stall. Default: idle + probes × interval, where that is at least half as long again as stall; otherwise the kernel's own.",
		),
});

export const log = section({
	level: choice(["debug", "info", "warn", "error", "silent"], {
		...{ warning: "write warn", trace: "write debug", verbose: "write debug", notice: "write info" },
		...{ fatal: "write error", critical: "write error", off: "write silent", none: "write silent" },
		false: "write silent",
	})
		.optional()
		.meta({ description: "The least severe line that is written.", default: defaults.log.level }),
	format: choice(["auto", "json", "pretty"], { text: "write pretty", plain: "write pretty" })
		.optional()
		.meta({
			description: "`auto`: JSON, unless standard output is a terminal.",
			default: defaults.log.format,
		}),
	sessions: yesNo()
		.optional()
		.meta({ description: "One line per session when it ends.", default: defaults.log.sessions }),
});
