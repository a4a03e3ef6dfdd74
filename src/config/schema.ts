/**
 * The shape of `sluice.yaml`: keys, types and units, each value on its own. What holds between values is in
 * `rules.ts`; what stands in for absent ones is in `defaults.ts`. The JSON Schema that editors use is made
 * from this.
 *
 * Input is the file; output is the same tree with units, names and addresses parsed.
 */

import { z } from "zod";
import { parseAdmin, parseCidr, parseEndpoint, parseHttpUrl, parseListen } from "./address.js";
import * as defaults from "./defaults.js";
import { InvalidValue } from "./errors.js";
import { parseHostPattern, parseServerName, REJECT, UPSTREAM_NAME_PATTERN } from "./names.js";
import { didYouMean } from "./nearest.js";
import {
	DURATION_PATTERN,
	formatDuration,
	formatSize,
	parseDuration,
	parseSize,
	SIZE_MAX_BYTES,
	SIZE_PATTERN,
} from "./units.js";

/** Bounds of the tables that reactors share; the gateway allocates them once, at start. */
export const LISTENERS_MAX = 256;
export const ROUTES_MAX = 65_536;
export const ADDRESSES_MAX = 4_096;

/** A session holds two descriptors, and `fs.nr_open` allows 1,048,576 of them unless raised. */
const CONNECTIONS_MAX = 1_048_576;
/** Less than one receive buffer would stop every session that meets a slow reader. */
const BUFFERED_MIN_BYTES = 65_536;
const FD_RESERVE_MAX = 65_536;
/** More than any machine accepts. */
const RATE_MAX = 1_000_000;
/** A counter of 32 bits; who means no limit writes this. */
const REQUESTS_MAX = 2_000_000_000;
/** Less would close sessions on a machine where nothing is wrong. */
const MEMORY_MIN_BYTES = 16 * 1_048_576;
/** Two full-sized segments of TCP segmentation offload would not fit below it. */
const UNSENT_MIN_BYTES = 16_384;
/** SOCK_MIN_RCVBUF and SOCK_MIN_SNDBUF are about half of this. */
const BUFFER_MIN_BYTES = 4_096;
/** More event loops than any machine has cores. */
const REACTORS_MAX = 256;
/** The accept queue's length was a 16-bit number until Linux 4.4, and `somaxconn` caps it anyway. */
const BACKLOG_MAX = 65_535;
/** MAX_TCP_KEEPIDLE and MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT in Linux' include/net/tcp.h. */
const KEEPALIVE_MAX_SECONDS = 32_767;
const KEEPALIVE_MAX_PROBES = 127;
/** Health counters need no more, and a typing error would keep a dead address in for hours. */
const STREAK_MAX = 1_000;

interface Told {
	readonly input?: unknown;
}

/** Messages that say what was expected and what was found. `hint` is for what is often found instead. */
function expected(what: string, hint: (input: unknown) => string = () => ""): (issue: Told) => string {
	return ({ input }) => {
		if (input === undefined) return `expected ${what}`;
		if (input === null) return `nothing stands here: expected ${what}, or remove the key`;
		return `expected ${what}, found ${found(input)}${hint(input)}`;
	};
}

function found(input: unknown): string {
	if (typeof input === "number") return `the number ${input}`;
	if (typeof input === "string") return `"${input}"`;
	if (Array.isArray(input)) return "a list";
	return typeof input === "object" ? "a mapping" : String(input);
}

/** A string that a parser turns into its meaning; the parser's complaint becomes the issue. */
function parsed<T>(
	what: string,
	parse: (text: string) => T,
	meta: { pattern?: string; examples: string[] },
	hint?: (input: unknown) => string,
) {
	return z
		.string({ error: expected(what, hint) })
		.meta(meta)
		.transform((text, context): T => {
			try {
				return parse(text);
			} catch (error) {
				if (!(error instanceof InvalidValue)) throw error;
				context.addIssue({ code: "custom", message: error.message });
				return z.NEVER;
			}
		});
}

function duration(parse: (text: string) => number = parseDuration) {
	return parsed(
		"a duration such as 5s",
		parse,
		{ pattern: DURATION_PATTERN, examples: ["500ms", "5s", "10m"] },
		(input) => (typeof input === "number" ? `: write ${input}s or ${input}ms` : ""),
	);
}

function optionalDuration(defaultMs: number, description: string) {
	return duration()
		.optional()
		.meta({ description, default: formatDuration(defaultMs) });
}

function whole(least: number, most: number, why = "") {
	const range = `a whole number from ${least} to ${most}${why}`;
	const error = expected(range);
	return z.int({ error }).min(least, { error }).max(most, { error });
}

function choice<const T extends readonly [string, ...string[]]>(values: T) {
	const list = values.length === 1 ? values[0] : `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;
	return z.enum(values, {
		error: expected(String(list), (input) => (typeof input === "string" ? didYouMean(input, values) : "")),
	});
}

const yesNo = () => z.boolean({ error: expected("true or false") });

const section = <T extends z.ZodRawShape>(shape: T) =>
	z.strictObject(shape, { error: expected("a mapping (keys and values)") });

/** Kernel timers of keepalive count whole seconds. */
function keepaliveSeconds(text: string): number {
	const seconds = parseDuration(text) / 1_000;
	if (Number.isInteger(seconds) && seconds <= KEEPALIVE_MAX_SECONDS) return seconds;
	throw new InvalidValue(
		`expected whole seconds from 1s to ${KEEPALIVE_MAX_SECONDS}s (the kernel takes no others), found "${text}"`,
	);
}

/** A size of at least so many bytes; `example` stands in messages. */
function size(example: string, leastBytes: number, alternative = "") {
	const tooFew = ({ input }: Told): string =>
		`expected at least ${formatSize(leastBytes)}, found ${String(input)}`;
	const tooMany = ({ input }: Told): string =>
		`expected at most ${formatSize(SIZE_MAX_BYTES)}, found ${String(input)}`;
	const what = `a size such as ${example}${alternative}`;
	return z.union(
		[
			z.int().min(leastBytes, { error: tooFew }).max(SIZE_MAX_BYTES, { error: tooMany }),
			parsed(
				what,
				(text) => {
					const bytes = parseSize(text);
					if (bytes >= leastBytes) return bytes;
					throw new InvalidValue(tooFew({ input: text }));
				},
				{ pattern: SIZE_PATTERN, examples: [example] },
			),
		],
		{ error: expected(what) },
	);
}

function bufferSize(option: string) {
	return z
		.union([z.enum(["auto"]), size("1MiB", BUFFER_MIN_BYTES, ", or auto")], {
			error: expected("a size such as 1MiB, or auto"),
		})
		.optional()
		.meta({
			description: `A fixed size for the kernel's buffer of each connection (${option}; it takes twice as much memory). \`auto\`: the kernel tunes it to each path.`,
			default: "auto",
		});
}

const optionalNumber = (most: number, description: string) =>
	z
		.union([z.enum(["off"]), whole(1, most)], {
			error: expected(`a whole number from 1 to ${most}, or off`),
		})
		.optional()
		.meta({ description, default: "off" });

const limits = section({
	connections: whole(1, CONNECTIONS_MAX)
		.optional()
		.describe(
			"Sessions at a time, over all listeners. Default: what the descriptor limit allows. Raising it needs a restart.",
		),
	when_full: choice(["wait", "reset"]).optional().meta({
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
	requests_per_connection: whole(1, REQUESTS_MAX).optional().meta({
		description: "HTTP: requests that one connection may have; the last answer says that it ends.",
		default: defaults.limits.requestsPerConnection,
	}),
	body_bytes_per_second: size("1KiB", 1)
		.optional()
		.meta({
			description:
				"HTTP: how fast a request's body must come, over ten seconds. Slower ones are answered with 408 and closed as request_timeout.",
			default: formatSize(defaults.limits.bodyBytesPerSecond),
		}),
	memory: size("1GiB", MEMORY_MIN_BYTES).optional().meta({
		description:
			"Memory that sessions may hold: buffers here and in the kernel's sockets. Above it, connections that have earned least are closed as memory_pressure until 7/8 of it are in use. Default: a quarter of the machine's memory, or of the control group's.",
	}),
});

const sockets = section({
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

const ledger = section({
	interval: optionalDuration(
		defaults.ledger.intervalMs,
		"How often the ledger is held against the kernel's own table of descriptors.",
	),
});

const timeouts = section({
	handshake: optionalDuration(
		defaults.timeouts.handshakeMs,
		"From accept until the connection can be routed, the PROXY header included. Then it is closed as handshake_timeout.",
	),
	connect: optionalDuration(
		defaults.timeouts.connectMs,
		"Until an upstream address accepts; then the next address is tried, and after the last the session is closed as connect_timeout.",
	),
	idle: optionalDuration(
		defaults.timeouts.idleMs,
		"No byte in either direction. Then the session is closed as idle_timeout.",
	),
	stall: optionalDuration(
		defaults.timeouts.stallMs,
		"Bytes wait and their reader takes none. Then the session is closed as stall_timeout.",
	),
	half_closed: optionalDuration(
		defaults.timeouts.halfClosedMs,
		"One direction has ended and the other is silent. Then the session is closed as half_closed_timeout.",
	),
	lifetime: z
		.union(
			[
				z.enum(["off"]),
				duration((text) => {
					try {
						return parseDuration(text);
					} catch (error) {
						throw error instanceof InvalidValue ? new InvalidValue(`${error.message}, or off`) : error;
					}
				}),
			],
			{
				error: expected("a duration such as 12h, or off", (input) =>
					typeof input === "number" ? `: write ${input}s or ${input}ms` : "",
				),
			},
		)
		.optional()
		.meta({
			description:
				"Whole life of a session, however busy. Then it is closed as lifetime. `off`: sessions may live for ever.",
			default: "off",
		}),
	drain: optionalDuration(
		defaults.timeouts.drainMs,
		"After SIGTERM, how long running sessions may finish. What is left then is closed as drained.",
	),
	request_head: optionalDuration(
		defaults.timeouts.requestHeadMs,
		"HTTP: from the first byte of a request's head to its last; bytes do not renew it. The first head of a connection has `handshake`. Then 408, and request_timeout.",
	),
	response_head: optionalDuration(
		defaults.timeouts.responseHeadMs,
		"HTTP: from the end of a request until the upstream begins to answer. Then 504, and response_timeout.",
	),
	keep_alive: optionalDuration(
		defaults.timeouts.keepAliveMs,
		"HTTP: between two requests of a connection. Then it is closed as idle_timeout.",
	),
	silence: optionalDuration(
		defaults.timeouts.silenceMs,
		"For listeners with a `protocol: any` route: a client that has said nothing for this long takes that route. Must be shorter than handshake.",
	),
});

const keepalive = section({
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
			"Until a peer that acknowledges nothing is given up while bytes are under way to it (TCP_USER_TIMEOUT), as keepalive_lost. Must be longer than timeouts.stall. Default: idle + probes × interval, where that is at least half as long again as stall.",
		),
});

const log = section({
	level: choice(["debug", "info", "warn", "error", "silent"])
		.optional()
		.meta({ description: "The least severe line that is written.", default: defaults.log.level }),
	format: choice(["auto", "json", "pretty"]).optional().meta({
		description: "`auto`: JSON, unless standard output is a terminal.",
		default: defaults.log.format,
	}),
	sessions: yesNo()
		.optional()
		.meta({ description: "One line per session when it ends.", default: defaults.log.sessions }),
});

const cidr = () =>
	parsed("a block of addresses such as 10.0.0.0/8", parseCidr, { examples: ["10.0.0.0/8", "fd00::/8"] });

const route = section({
	sni: parsed("a server name such as git.example.com", parseServerName, {
		examples: ["git.example.com", "*.apps.example.com"],
	})
		.optional()
		.describe(
			"TLS: the name in the client's hello, exact or `*.suffix`. An absent key matches any name, and none.",
		),
	host: parsed("a host such as www.example.com", parseHostPattern, {
		examples: ["www.example.com", "*.apps.example.com"],
	})
		.optional()
		.describe(
			"HTTP: the Host header of the connection's first request, without its port; exact or `*.suffix`.",
		),
	alpn: z
		.string({ error: expected("a protocol name such as h2") })
		// RFC 7301: a length byte, and never empty.
		.min(1, { error: expected("a protocol name such as h2") })
		.max(255, { error: "an ALPN name has at most 255 bytes (RFC 7301)" })
		.regex(/^[\x20-\x7e]*$/, { error: expected("a protocol name in ASCII such as h2") })
		.meta({ examples: ["h2", "http/1.1"] })
		.optional()
		.describe("TLS: a protocol that the client offers in its hello."),
	protocol: choice(["tls", "http", "ssh", "h2c", "other", "any"])
		.optional()
		.describe(
			"What the first bytes are. `other`: none of the known ones. `any`: whatever they are, and also a client that says nothing for timeouts.silence.",
		),
	path: z
		.string({ error: expected("a path such as /api/") })
		.regex(/^\/[\x21\x24-\x3b\x3d\x40-\x5f\x61-\x7e]*$/, {
			error: expected('a path such as /api/, beginning with a slash, without "?" and "#"'),
		})
		.meta({ examples: ["/api/", "/healthz"] })
		.optional()
		.describe(
			"HTTP: the path of a request, as it is written there. `/api/` takes all that begin so, `/healthz` only itself. Each request of a connection is routed on its own.",
		),
	source: cidr()
		.optional()
		.describe("The client's address (with proxy_protocol: the one in the header) lies in this block."),
	to: z
		.string({
			error: expected("the name of an upstream, or reject", (input) =>
				typeof input === "number" ? ": put it in quotes" : "",
			),
		})
		.describe("The upstream that takes the connection, or `reject`: it is closed at once as rejected."),
}).describe("Takes a connection when all its conditions hold. Without conditions: every connection.");

const listener = section({
	listen: parsed("an address such as 0.0.0.0:443", (text) => ({ name: text, ...parseListen(text) }), {
		examples: ["0.0.0.0:443", "*:443", "127.0.0.1:8443", "[::1]:443"],
	}).describe(
		"Address and port. `*:443` or `:443`: IPv4 and IPv6 at once. Port 0: the kernel picks a free one. Also the listener's name in log and metrics.",
	),
	backlog: whole(1, BACKLOG_MAX).optional().meta({
		description:
			"Length of the accept queue. When it is full the kernel drops new connections, and clients try again after a second. net.core.somaxconn caps it.",
		default: defaults.backlog,
	}),
	connections: whole(1, CONNECTIONS_MAX)
		.optional()
		.describe(
			"Sessions of this listener at a time; limits.when_full says what becomes of further clients. Default: as many as limits.connections.",
		),
	proxy_protocol: choice(["off", "require"]).optional().meta({
		description:
			"`require`: every connection must begin with a PROXY header (v1 or v2) and come from a trusted address; others are closed as proxy_header. `off`: the header is not looked for.",
		default: "off",
	}),
	trusted: z
		.array(cidr(), { error: expected("a list such as [10.0.0.0/8]") })
		.min(1, { error: "an empty list trusts nobody: name the load balancer's addresses" })
		.optional()
		.describe("Blocks of addresses whose PROXY header is believed. Needed with proxy_protocol: require."),
	forwarded_trusted: z
		.array(cidr(), { error: expected("a list such as [10.0.0.0/8]") })
		.optional()
		.describe(
			"HTTP: blocks of addresses whose X-Forwarded-For, -Proto, -Host and Forwarded are believed and added to. Those of others are dropped.",
		),
	routes: z
		.array(route, { error: expected("a list of routes such as [{ to: web }]") })
		.min(1, { error: "a listener without routes takes no connection: write at least [{ to: web }]" })
		.describe("Tried from the top; the first match wins. What no route takes is closed as no_route."),
});

const endpoint = () =>
	parsed("host:port such as 10.0.0.5:443", parseEndpoint, {
		examples: ["10.0.0.5:443", "app.internal:443", "unix:/run/app.sock"],
	});

const streak = (value: number, description: string) =>
	whole(1, STREAK_MAX).optional().meta({ description, default: value });

const health = section({
	interval: optionalDuration(defaults.health.intervalMs, "Between two checks of an address."),
	timeout: optionalDuration(
		defaults.health.timeoutMs,
		"Until the address accepts; then the check has failed. At most the interval.",
	),
	fall: streak(defaults.health.fall, "Failures in a row until an address is down: it gets no new session."),
	rise: streak(defaults.health.rise, "Successes in a row until it is up again."),
});

const httpUrl = () =>
	parsed("a URL such as http://10.0.0.7:3000", parseHttpUrl, {
		examples: ["http://10.0.0.7:3000", "http://app.internal"],
	});

const pool = section({
	connections: whole(1, CONNECTIONS_MAX).optional().meta({
		description: "Idle connections kept, per address and reactor.",
		default: defaults.pool.connections,
	}),
	idle: optionalDuration(defaults.pool.idleMs, "How long a connection is kept that nobody uses."),
	age: optionalDuration(
		defaults.pool.ageMs,
		"How old a connection may grow (each up to a quarter less). It is never ended during a request.",
	),
	requests: whole(1, REQUESTS_MAX).optional().meta({
		description: "Requests that a connection serves.",
		default: defaults.pool.requests,
	}),
});

const upstream = section({
	http: z
		.union(
			[
				httpUrl(),
				z
					.array(httpUrl())
					.min(1, { error: "an upstream without addresses can take no request: write at least one" }),
			],
			{
				error: expected("one or more URLs such as http://10.0.0.7:3000"),
			},
		)
		.optional()
		.describe(
			"Instead of addresses: requests go there, each routed on its own, over connections that are kept. One URL, or a list.",
		),
	pool: pool.optional().describe("With http: the connections that are kept for further requests."),
	addresses: z
		.union(
			[
				endpoint(),
				z
					.array(endpoint())
					.min(1, { error: "an upstream without addresses can take no connection: write at least one" }),
			],
			{ error: expected("one or more of host:port, such as [10.0.0.6:443, app.internal:443]") },
		)
		.optional()
		.describe(
			"Where connections go: one, or a list. A host name stands for all addresses it resolves to. An address that checks found down gets no session, an ejected one only when no other is left; without any, the session is closed as upstream_down.",
		),
	balance: choice(["round_robin", "least_connections", "source_hash"]).optional().meta({
		description:
			"Which address takes the next session: in turn, the one with the fewest sessions, or always the same one for a client's address.",
		default: defaults.balance,
	}),
	proxy_protocol: choice(["off", "v1", "v2"]).optional().meta({
		description:
			"PROXY header sent to the upstream before the client's bytes. The upstream must expect it; one that does not reads it as rubbish.",
		default: "off",
	}),
	health: z
		.union([z.enum(["on", "off"]), health], {
			error: expected("on, off or a mapping such as { interval: 5s, timeout: 2s }"),
		})
		.optional()
		.meta({
			description:
				"Active checks: a TCP connection that is opened and closed again. `on`, or a mapping, for which `{}` is enough.",
			default: "off",
		}),
	eject: section({
		failures: streak(defaults.eject.failures, "Connect failures in a row until an address is passed over."),
		for: optionalDuration(defaults.eject.forMs, "How long it is passed over; then it gets sessions again."),
	})
		.optional()
		.describe("Passive checks, always on: what real sessions meet."),
	resolve: optionalDuration(
		defaults.resolveMs,
		"How often host names are resolved again. When resolving fails, the last addresses stay.",
	),
});

const upstreamName = z
	.string()
	.regex(UPSTREAM_NAME_PATTERN, {
		error: ({ input }) =>
			`${found(input)} is no name for an upstream: use up to 128 letters, digits, "_", "-" and ".", beginning with none of "-" and "."`,
	})
	.refine((name) => name !== REJECT, {
		error: '"reject" is what routes use to close a connection: give the upstream another name',
	});

export const configSchema = section({
	admin: z
		.union(
			[
				z.enum(["off"]),
				parsed("an address such as 127.0.0.1:9090, or off", parseAdmin, { examples: ["127.0.0.1:9090"] }),
			],
			{ error: expected("an address such as 127.0.0.1:9090, or off") },
		)
		.optional()
		.meta({
			description:
				"/metrics, /healthz and /readyz. Whoever reaches it sees what goes where: bind loopback or a management network. Needs a restart.",
			default: "off",
		}),
	reactors: whole(1, REACTORS_MAX)
		.optional()
		.describe("Event loops, each a thread. Default: one per core. Needs a restart."),
	limits: limits.optional().describe("What is never exceeded."),
	timeouts: timeouts
		.optional()
		.describe("Each step of a connection's life has one deadline; sessions keep those they began with."),
	keepalive: keepalive
		.optional()
		.describe("TCP keepalive on both sides: a dead peer is gone after idle + probes × interval."),
	sockets: sockets.optional().describe("What the kernel may hold for one connection."),
	ledger: ledger.optional().describe("How the gateway checks itself for leaks."),
	log: log.optional().describe("What is written to standard output."),
	watch: yesNo().optional().meta({
		description:
			"Reload when the file changes. A file with an error changes nothing, and the error is logged. SIGHUP reloads in any case.",
		default: defaults.watch,
	}),
	listeners: z
		.array(listener, { error: expected('a list such as [{ listen: "0.0.0.0:443", routes: [{ to: web }] }]') })
		.min(1, { error: "without a listener there is nothing to do: write at least one" })
		.max(LISTENERS_MAX, { error: `more than ${LISTENERS_MAX} listeners: the shared table has no more rows` })
		.describe("Where connections come in."),
	upstreams: z
		.record(
			upstreamName,
			z.union([endpoint(), upstream], {
				error: expected("host:port such as 10.0.0.5:443, or a mapping with addresses"),
			}),
			{ error: expected("a mapping such as { web: 127.0.0.1:3000 }") },
		)
		.optional()
		.describe("Where connections go, by name. `git: 10.0.0.5:443` is short for `{ addresses: [...] }`."),
});

/** The file with its units, names and addresses parsed, and nothing filled in. */
export type ConfigFile = z.output<typeof configSchema>;

/** Valid keys of every section, by its place: `""`, `limits`, `listeners.*.routes.*`, `upstreams.*.health` … */
export function sectionKeys(): ReadonlyMap<string, readonly string[]> {
	const sections = new Map<string, readonly string[]>();
	const visit = (schema: unknown, place: string): void => {
		if (schema instanceof z.ZodOptional) visit(schema.unwrap(), place);
		else if (schema instanceof z.ZodUnion) for (const option of schema.options) visit(option, place);
		else if (schema instanceof z.ZodArray) visit(schema.element, `${place}.*`);
		else if (schema instanceof z.ZodRecord) visit(schema.valueType, `${place}.*`);
		else if (schema instanceof z.ZodObject) {
			sections.set(place, Object.keys(schema.shape));
			for (const [key, value] of Object.entries(schema.shape)) {
				visit(value, place === "" ? key : `${place}.${key}`);
			}
		}
	};
	visit(configSchema, "");
	return sections;
}

/** JSON Schema (draft 2020-12) of the file, for editors. */
export function jsonSchema(): Record<string, unknown> {
	const { $schema, ...rest } = z.toJSONSchema(configSchema, {
		io: "input",
		// zod drops these two where a value is parsed, taking them for the parsed form; here they are the written one.
		override: ({ zodSchema, jsonSchema }) => {
			const { default: fallback, examples } = z.globalRegistry.get(zodSchema) ?? {};
			if (fallback !== undefined) Object.assign(jsonSchema, { default: fallback });
			if (examples !== undefined) Object.assign(jsonSchema, { examples });
		},
	});
	return {
		$schema,
		title: "sluice.yaml",
		description: "Configuration of Sluice, a gateway for connections that stay open.",
		...rest,
	};
}
