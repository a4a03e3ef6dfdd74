/** What `guard` is told, and what holds where nothing is said. */
import { BlockList, isIP } from "node:net";
import { KEEPALIVE_MAX_PROBES, KEEPALIVE_MAX_SECONDS, UNSENT_MIN_BYTES } from "../config/bounds.js";
import * as defaults from "../config/defaults.js";
import { usualUserTimeoutMs } from "../config/user-timeout.js";
import { type Duration, OptionError, requireKnown, type Size, toBytes, toCount, toMs } from "./units.js";

/** `"off"`: there is no such deadline. */
export type Deadline = Duration | "off";

/** Deadlines; each says with which reason it closes. */
export interface GuardTimeouts {
	/**
	 * From accept until the connection has said what it wants: the PROXY header, the TLS handshake, and the first request's head of
	 * an HTTP server. Bytes do not renew it. Of a plain `net.Server` the PROXY header only, for there the server may have to speak
	 * first. Default: 5s. Then `handshake_timeout`.
	 */
	readonly handshake?: Deadline;
	/**
	 * HTTP/1: from the first byte of a further request's head to its last. Default: 10s. Where it begins is seen when this
	 * deadline or `keepAlive` is looked at, so a slow head is closed after twice that time at most. Then `request_timeout`.
	 */
	readonly requestHead?: Deadline;
	/**
	 * HTTP/1: a whole request, from its head until the kernel has its answer. Default: off. Then `stall_timeout` where the client
	 * takes no more of the answer, `request_timeout` where its body is not there, `response_timeout` (503) where the handler is late.
	 */
	readonly request?: Deadline;
	/** HTTP/1: between two requests. Default: 75s. Then `idle_timeout`. */
	readonly keepAlive?: Deadline;
	/** No byte in either direction; of HTTP/1 once it is upgraded. Default: 10m. Then `idle_timeout`. */
	readonly idle?: Deadline;
	/** Bytes wait for the client, and it takes none. Default: 30s. Then `stall_timeout`. */
	readonly stall?: Deadline;
	/** Whole life of a connection, however busy; a request under way may end within `stall`. Default: off. Then `lifetime`. */
	readonly lifetime?: Deadline;
	/** Up to this part of `lifetime` is taken off, another for each connection, so that what came together does not end together. Default: 0.1 */
	readonly lifetimeJitter?: number;
}

/** How many, and how fast. */
export interface GuardLimits {
	/** Connections at a time. Further ones are reset, as `limit_connections`. Default: no limit but the descriptors. */
	readonly connections?: number;
	/** The same of one client address (IPv6: of one /64), as `limit_ip`. */
	readonly connectionsPerAddress?: number;
	/**
	 * HTTP, and TLS handshakes: connections with nothing under way, new ones and idle ones. Where there is one more, that which has
	 * waited longest is closed, as `limit_connections`, so that a crowd that says nothing keeps nobody out. Default: no limit.
	 */
	readonly waiting?: number;
	/**
	 * HTTP/1: requests of one connection that are under way, of a client that does not wait for answers. With more it is answered
	 * those, and closed behind them, as `recycled`. Default: 100
	 */
	readonly requestsAtOnce?: number;
	/** Connections per second, of all clients and of one address; a bucket that holds one second's worth. As `limit_rate`. */
	readonly acceptsPerSecond?: number;
	/** The same for one client address. */
	readonly acceptsPerSecondPerAddress?: number;
	/** Descriptors kept free for all else that your program opens. Default: 64. What comes when only these are left is shed, as `fd_pressure`. */
	readonly descriptorReserve?: number;
	/**
	 * What the kernel takes for one connection beyond the bytes that are under way to its client (TCP_NOTSENT_LOWAT, with koffi): a
	 * client that does not read holds about as much, instead of up to 4 MiB. At least 16KiB; `"off"`: as much as the kernel likes.
	 * Default: 64KiB
	 */
	readonly unsent?: Size | "off";
	/** HTTP/1: how fast a request's body must come, over ten seconds in which the server waits for it. Default: 1KiB. `"off"`: as slowly as it likes. Then `request_timeout`. */
	readonly bodyBytesPerSecond?: Size | "off";
}

/** When the kernel asks whether a silent peer is still there; `keepalive_lost` when it is not. */
export interface GuardKeepalive {
	/** Silence until the kernel probes the peer. Default: 30s */
	readonly idle?: Duration;
	/** Between probes. This and what follows need the package koffi; without it Node's hold (1s, 10, none). Default: 10s */
	readonly interval?: Duration;
	/** Unanswered probes after which the peer is given up. Default: 6 */
	readonly probes?: number;
	/** TCP_USER_TIMEOUT: until a peer that acknowledges nothing is given up. Default: idle + probes × interval, where that is at least half as long again as `stall`; else the kernel's */
	readonly userTimeout?: Duration;
}

/** What `guard` takes; everything has a default. */
export interface GuardOptions {
	/** Deadlines. */
	readonly timeouts?: GuardTimeouts;
	/** Bounds. */
	readonly limits?: GuardLimits;
	/** `"off"`: connections are not probed. */
	readonly keepalive?: GuardKeepalive | "off";
	/** Every connection begins with a PROXY header (version 1 or 2), and it must come from one of these networks. As `proxy_header` otherwise. */
	readonly proxyProtocol?: {
		/** Networks and addresses of the proxies, such as `10.0.0.0/8`. */
		readonly trusted: readonly string[];
	};
	/**
	 * HTTP behind proxies: the client is the last address of this field that is not one of `trusted`. Connections from `trusted`
	 * are not counted per address then; the requests under way of each client are, against `connectionsPerAddress`.
	 */
	readonly forwardedFor?: {
		/** Networks and addresses of the proxies. */
		readonly trusted: readonly string[];
		/** Default: `x-forwarded-for` */
		readonly header?: string;
	};
}

/** Milliseconds; Infinity: no such deadline. */
export interface Resolved {
	readonly handshakeMs: number;
	readonly requestHeadMs: number;
	readonly requestMs: number;
	readonly keepAliveMs: number;
	readonly idleMs: number;
	readonly stallMs: number;
	readonly lifetimeMs: number;
	readonly lifetimeJitter: number;
	readonly connections: number;
	readonly connectionsPerAddress: number;
	readonly waiting: number;
	readonly requestsAtOnce: number;
	readonly acceptsPerSecond: number;
	readonly acceptsPerSecondPerAddress: number;
	readonly descriptorReserve: number;
	/** Infinity: the kernel's. */
	readonly unsentBytes: number;
	/** 0: none is asked for. */
	readonly bodyBytesPerSecond: number;
	readonly keepalive: {
		readonly idleMs: number;
		readonly intervalMs: number;
		readonly probes: number;
		readonly userTimeoutMs: number;
	} | null;
	readonly proxyTrusted: BlockList | null;
	readonly forwardedTrusted: BlockList | null;
	/** In lower case. */
	readonly forwardedHeader: string;
}

const LIFETIME_JITTER = 0.1;
/** More than any client that means well sends ahead. Node calls the handler for each of them at once. */
const REQUESTS_AT_ONCE = 100;

/** Reads all options. Throws OptionError for the first that cannot be followed. */
export function resolve(options: GuardOptions): Resolved {
	requireKnown("", options, ["timeouts", "limits", "keepalive", "proxyProtocol", "forwardedFor"]);
	const { timeouts = {}, limits = {}, keepalive = {}, proxyProtocol, forwardedFor } = options;
	requireKnown("timeouts.", timeouts, [
		...["handshake", "requestHead", "request", "keepAlive"],
		...["idle", "stall", "lifetime", "lifetimeJitter"],
	]);
	requireKnown("limits.", limits, [
		...["connections", "connectionsPerAddress", "waiting", "requestsAtOnce"],
		...["acceptsPerSecond", "acceptsPerSecondPerAddress", "descriptorReserve", "unsent"],
		...["bodyBytesPerSecond"],
	]);
	const { lifetimeJitter = LIFETIME_JITTER } = timeouts;
	if (!(lifetimeJitter >= 0 && lifetimeJitter <= 1))
		throw new OptionError("timeouts.lifetimeJitter", lifetimeJitter, "expected a part, from 0 to 1");
	const { bodyBytesPerSecond = defaults.limits.bodyBytesPerSecond } = limits;
	const stallMs = deadline("timeouts.stall", timeouts.stall, defaults.timeouts.stallMs);
	return {
		handshakeMs: deadline("timeouts.handshake", timeouts.handshake, defaults.timeouts.handshakeMs),
		requestHeadMs: deadline("timeouts.requestHead", timeouts.requestHead, defaults.timeouts.requestHeadMs),
		requestMs: deadline("timeouts.request", timeouts.request, Number.POSITIVE_INFINITY),
		keepAliveMs: deadline("timeouts.keepAlive", timeouts.keepAlive, defaults.timeouts.keepAliveMs),
		idleMs: deadline("timeouts.idle", timeouts.idle, defaults.timeouts.idleMs),
		stallMs,
		lifetimeMs: deadline("timeouts.lifetime", timeouts.lifetime, Number.POSITIVE_INFINITY),
		lifetimeJitter,
		connections: count("limits.connections", limits.connections),
		connectionsPerAddress: count("limits.connectionsPerAddress", limits.connectionsPerAddress),
		waiting: count("limits.waiting", limits.waiting),
		requestsAtOnce: count("limits.requestsAtOnce", limits.requestsAtOnce ?? REQUESTS_AT_ONCE),
		acceptsPerSecond: count("limits.acceptsPerSecond", limits.acceptsPerSecond),
		acceptsPerSecondPerAddress: count("limits.acceptsPerSecondPerAddress", limits.acceptsPerSecondPerAddress),
		descriptorReserve: toCount(
			"limits.descriptorReserve",
			limits.descriptorReserve ?? defaults.limits.fdReserve,
			0,
		),
		unsentBytes: unsent(limits.unsent),
		bodyBytesPerSecond:
			bodyBytesPerSecond === "off" ? 0 : toBytes("limits.bodyBytesPerSecond", bodyBytesPerSecond),
		keepalive: keepalive === "off" ? null : probing(keepalive, stallMs),
		proxyTrusted: trusted("proxyProtocol", proxyProtocol, ["trusted"]),
		forwardedTrusted: trusted("forwardedFor", forwardedFor, ["trusted", "header"]),
		forwardedHeader: (forwardedFor?.header ?? "x-forwarded-for").toLowerCase(),
	};
}

function deadline(option: string, value: Deadline | undefined, otherwise: number): number {
	if (value === undefined) return otherwise;
	return value === "off" ? Number.POSITIVE_INFINITY : toMs(option, value);
}

function count(option: string, value: number | undefined): number {
	return value === undefined || value === Number.POSITIVE_INFINITY
		? Number.POSITIVE_INFINITY
		: toCount(option, value);
}

function unsent(value: Size | "off" = defaults.sockets.unsentBytes): number {
	if (value === "off") return Number.POSITIVE_INFINITY;
	const bytes = toBytes("limits.unsent", value);
	if (bytes >= UNSENT_MIN_BYTES) return bytes;
	throw new OptionError("limits.unsent", value, `expected at least ${UNSENT_MIN_BYTES} bytes`);
}

function probing(keepalive: GuardKeepalive, stallMs: number): Resolved["keepalive"] {
	requireKnown("keepalive.", keepalive, ["idle", "interval", "probes", "userTimeout"]);
	const { idleSeconds, intervalSeconds, probes: usual } = defaults.keepalive;
	const idleMs = probeMs("keepalive.idle", keepalive.idle ?? idleSeconds * 1_000);
	const intervalMs = probeMs("keepalive.interval", keepalive.interval ?? intervalSeconds * 1_000);
	const probes = toCount("keepalive.probes", keepalive.probes ?? usual);
	if (probes > KEEPALIVE_MAX_PROBES)
		throw new OptionError(
			"keepalive.probes",
			probes,
			`at most ${KEEPALIVE_MAX_PROBES}: the kernel takes no more`,
		);
	const { userTimeout } = keepalive;
	const userTimeoutMs =
		userTimeout === undefined
			? usualUserTimeoutMs(idleMs + probes * intervalMs, stallMs)
			: toMs("keepalive.userTimeout", userTimeout);
	return { idleMs, intervalMs, probes, userTimeoutMs };
}

/** The kernel counts seconds. */
function probeMs(option: string, value: Duration): number {
	const ms = toMs(option, value);
	if (Number.isInteger(ms / 1_000) && ms / 1_000 <= KEEPALIVE_MAX_SECONDS) return ms;
	throw new OptionError(
		option,
		value,
		`expected whole seconds, at most ${KEEPALIVE_MAX_SECONDS}s: the kernel takes no others`,
	);
}

/** Who asks for either and names no network would be served as if it had not asked. */
function trusted(
	option: string,
	given: { readonly trusted: readonly string[] } | undefined,
	known: readonly string[],
): BlockList | null {
	if (given === undefined) return null;
	if (typeof given !== "object" || given === null)
		throw new OptionError(option, given, 'expected { trusted: ["10.0.0.0/8"] }');
	requireKnown(`${option}.`, given, known);
	if (!Array.isArray(given.trusted))
		throw new OptionError(`${option}.trusted`, given.trusted, 'expected a list such as ["10.0.0.0/8"]');
	return networks(`${option}.trusted`, given.trusted);
}

/** `10.0.0.0/8`, `2001:db8::/32`, `127.0.0.1`. */
function networks(option: string, texts: readonly string[]): BlockList {
	const list = new BlockList();
	for (const text of texts) {
		const [address = "", prefix] = text.split("/");
		const version = isIP(address);
		const bits = version === 4 ? 32 : 128;
		const length = prefix === undefined ? bits : Number(prefix);
		if (version === 0 || !Number.isInteger(length) || length < 0 || length > bits || prefix === "")
			throw new OptionError(option, text, `expected a network such as 10.0.0.0/8, found "${text}"`);
		list.addSubnet(address, length, version === 4 ? "ipv4" : "ipv6");
	}
	return list;
}
