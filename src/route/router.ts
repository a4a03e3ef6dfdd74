/**
 * A listener's routes, compiled: the first that matches wins, and ten thousand exact names cost a
 * connection what ten do.
 *
 * Routes are sorted into lists by their name condition: one list per exact name, one per `*.suffix`,
 * one for routes without a name. Each list keeps the order of the file. A lookup asks the list of the
 * name, the lists of its suffixes and the nameless list for their first match, and takes the earliest.
 */
import type { Cidr, RouteConditions, RouteProtocol } from "../config/config.js";
import { PathForm } from "../protocol/http/path.js";
import type { RequestHead } from "../protocol/http/request.js";
import { offersProtocol } from "../protocol/http/upgrade.js";
import {
	type ClientHello,
	PROTOCOL_DTLS,
	PROTOCOL_H2C,
	PROTOCOL_HTTP,
	PROTOCOL_OTHER,
	PROTOCOL_QUIC,
	PROTOCOL_SSH,
	PROTOCOL_TLS,
	PROTOCOL_UNKNOWN,
} from "../protocol/index.js";
import { HASH_START, hashStep, NameTable } from "./names.js";
import type { Pieces } from "./pieces.js";

/** What is known of a connection when it is routed. One object per reactor, filled in for each. */
export interface RouteQuery {
	protocol: number;
	name: Uint8Array;
	nameLength: number;
	/** Valid when `protocol` is TLS, QUIC or DTLS. */
	hello: ClientHello;
	family: number;
	source: Uint8Array;
	sourceOffset: number;
	/**
	 * Path and query of an HTTP request, or the path alone in the form that routes are matched against; empty where none
	 * was read.
	 */
	path: Uint8Array;
	pathStart: number;
	pathEnd: number;
	/** TLS was terminated here. `protocol` is what was found inside, and these say what was found before. */
	secured: boolean;
	serverName: Uint8Array;
	serverNameStart: number;
	serverNameLength: number;
	/** The protocol agreed on by ALPN; empty: none. */
	alpn: Uint8Array;
	/** The request opens a WebSocket: a valid handshake. */
	isWebSocket: boolean;
	/** Its head, and the bytes in which that lies. */
	request: RequestHead;
	requestBytes: Uint8Array;
}

interface Conditions {
	/** Position in the file: the lower wins. */
	readonly order: number;
	readonly protocol: number;
	/** `protocol: tls` beside what is asked of requests: those that came through TLS. */
	readonly insideTls: boolean;
	/** Beside a name in the hello: what the request inside is for, a name or, beginning with a dot, all that end so. */
	readonly host: Uint8Array | null;
	readonly alpn: Uint8Array | null;
	readonly source: Cidr | null;
	/** A path: all that begin with it when it ends in a slash, otherwise only itself. */
	readonly path: Uint8Array | null;
	/** A subprotocol that a WebSocket handshake offers, in lower case. */
	readonly subprotocol: Uint8Array | null;
}

/** Matches any protocol, recognised or not: `protocol: any`. */
const ANY = -1;
/** No condition on the protocol: anything that was recognised. */
const RECOGNIZED = -2;
/** A name or ALPN is asked for: whatever says it in a hello. */
const WITH_HELLO = -3;

const PROTOCOLS: Readonly<Record<RouteProtocol, number>> = {
	tls: PROTOCOL_TLS,
	http: PROTOCOL_HTTP,
	ssh: PROTOCOL_SSH,
	h2c: PROTOCOL_H2C,
	quic: PROTOCOL_QUIC,
	dtls: PROTOCOL_DTLS,
	other: PROTOCOL_OTHER,
	any: ANY,
};

const NO_MATCH = Number.MAX_SAFE_INTEGER;
const DOT = 0x2e;
const SLASH = 0x2f;
const QUESTION = 0x3f;

/** Routes whose conditions are prepared in a piece, and those that are put into lists by their names. */
const ROUTES_PER_PIECE = 32;
const NAMED_PER_PIECE = 128;

const ENCODER = new TextEncoder();

export class Router {
	/** False: no route looks at what the client sends, so a connection is routed at once. */
	readonly peeks: boolean;
	/** True: a route takes clients that say nothing (`protocol: any`). */
	readonly takesSilence: boolean;
	/** True: a route asks for what is in a hello, or for one. */
	readonly asksHello: boolean;
	/** True: a route takes what is nothing else (`protocol: other`, or `any`). */
	readonly takesOther: boolean;
	/** True: a route has a path. */
	readonly looksAtPaths: boolean;
	readonly #sni: NameIndex;
	readonly #host: NameIndex;
	readonly #nameless: readonly Conditions[];
	/** Position of the first route that asks for what TLS hides. */
	readonly #firstInside: number;

	private constructor(
		peeks: boolean,
		looksAtPaths: boolean,
		takesSilence: boolean,
		asksHello: boolean,
		takesOther: boolean,
		sni: NameIndex,
		host: NameIndex,
		nameless: readonly Conditions[],
		firstInside: number,
	) {
		this.peeks = peeks;
		this.looksAtPaths = looksAtPaths;
		this.takesSilence = takesSilence;
		this.asksHello = asksHello;
		this.takesOther = takesOther;
		this.#sni = sni;
		this.#host = host;
		this.#nameless = nameless;
		this.#firstInside = firstInside;
	}

	/**
	 * `reads`: requests are read, so that first bytes must be looked at whatever the conditions are. `comparesForms`: paths
	 * are matched in their normal form, and so those of routes are brought into it.
	 */
	static *build(routes: Iterable<RouteConditions>, reads = false, comparesForms = false): Pieces<Router> {
		let looksAtPaths = false;
		const sni: NamedRoute[] = [];
		const host: NamedRoute[] = [];
		const nameless: Conditions[] = [];
		let firstInside = NO_MATCH;
		let peeks = reads;
		let takesSilence = false;
		let asksHello = false;
		let takesOther = false;
		let order = -1;
		for (const route of routes) {
			order++;
			if (order % ROUTES_PER_PIECE === ROUTES_PER_PIECE - 1) yield;
			const conditions = {
				order,
				protocol: protocolOf(route),
				insideTls: route.protocol === "tls" && asksRequests(route),
				host: route.sni === null || route.host === null ? null : hostBytes(route.host),
				alpn: route.alpn === null ? null : ENCODER.encode(route.alpn),
				source: route.source,
				path: route.path === null ? null : pathOf(route.path, comparesForms),
				subprotocol: route.subprotocol === null ? null : ENCODER.encode(route.subprotocol),
			};
			if (conditions.protocol >= 0 && conditions.protocol !== PROTOCOL_TLS)
				firstInside = Math.min(firstInside, order);
			if (route.sni !== null) sni.push({ name: route.sni, conditions });
			else if (route.host !== null) host.push({ name: route.host, conditions });
			else nameless.push(conditions);
			peeks ||=
				(route.sni ?? route.host ?? route.alpn ?? route.protocol ?? route.path ?? route.subprotocol) !== null;
			looksAtPaths ||= route.path !== null;
			takesSilence ||= route.protocol === "any";
			asksHello ||= conditions.protocol === WITH_HELLO || saysHello(conditions.protocol);
			takesOther ||= route.protocol === "other" || route.protocol === "any";
		}
		const sniIndex = yield* NameIndex.build(sni);
		const hostIndex = yield* NameIndex.build(host);
		return new Router(
			...([peeks, looksAtPaths, takesSilence, asksHello, takesOther] as const),
			...([sniIndex, hostIndex, nameless, firstInside] as const),
		);
	}

	/** Position of the first route that matches, or -1. */
	match(query: RouteQuery): number {
		let best = firstMatch(this.#nameless, query, NO_MATCH);
		const { name, nameLength, protocol } = query;
		if (query.secured) {
			if (query.serverNameLength > 0)
				best = this.#sni.match(query, query.serverName, query.serverNameStart, query.serverNameLength, best);
		} else if (saysHello(protocol) && nameLength > 0)
			best = this.#sni.match(query, name, 0, nameLength, best);
		if (protocol === PROTOCOL_HTTP && nameLength > 0)
			best = this.#host.match(query, name, 0, nameLength, best);
		return best === NO_MATCH ? -1 : best;
	}

	/**
	 * Whether a terminated connection's route depends on what it says inside; otherwise it can be dialled for at once,
	 * which matters where servers speak first. `query.protocol` is TLS.
	 */
	looksInside(query: RouteQuery): boolean {
		const outside = this.match(query);
		return this.#firstInside < (outside < 0 ? NO_MATCH : outside);
	}
}

function pathOf(path: string, comparesForms: boolean): Uint8Array {
	const bytes = new TextEncoder().encode(path);
	if (!comparesForms) return bytes;
	const form = new PathForm();
	form.read(bytes, 0, bytes.length);
	return form.matched.slice(0, form.matchedLength);
}

/** A path as routes are compared with it. */
export function normalPath(path: string, comparesForms: boolean): string {
	return new TextDecoder().decode(pathOf(path, comparesForms));
}

interface NamedRoute {
	readonly name: string;
	readonly conditions: Conditions;
}

class NameIndex {
	readonly #empty: boolean;
	readonly #exact: NameTable;
	readonly #exactLists: readonly (readonly Conditions[])[];
	readonly #suffix: NameTable;
	readonly #suffixLists: readonly (readonly Conditions[])[];

	private constructor(
		exact: NameTable,
		exactLists: readonly (readonly Conditions[])[],
		suffix: NameTable,
		suffixLists: readonly (readonly Conditions[])[],
	) {
		this.#empty = exactLists.length + suffixLists.length === 0;
		this.#exact = exact;
		this.#exactLists = exactLists;
		this.#suffix = suffix;
		this.#suffixLists = suffixLists;
	}

	static *build(routes: readonly NamedRoute[]): Pieces<NameIndex> {
		const exact = new Map<string, Conditions[]>();
		const suffix = new Map<string, Conditions[]>();
		for (const [index, { name, conditions }] of routes.entries()) {
			if (index % NAMED_PER_PIECE === NAMED_PER_PIECE - 1) yield;
			const lists = name.startsWith("*.") ? suffix : exact;
			const key = name.startsWith("*.") ? name.slice(2) : name;
			const list = lists.get(key);
			if (list === undefined) lists.set(key, [conditions]);
			else list.push(conditions);
		}
		return new NameIndex(
			yield* NameTable.build([...exact.keys()]),
			[...exact.values()],
			yield* NameTable.build([...suffix.keys()]),
			[...suffix.values()],
		);
	}

	/** The earliest match before `best`, or `best`. */
	match(query: RouteQuery, name: Uint8Array, start: number, length: number, best: number): number {
		if (this.#empty) return best;
		const end = start + length;
		let hash = HASH_START;
		let found = best;
		for (let i = end - 1; i >= start; i--) {
			const byte = name[i] as number;
			if (byte === DOT) {
				// What lies behind this dot is a suffix of the name: any number of labels may stand before it.
				const index = this.#suffix.find(name, i + 1, end, hash);
				if (index >= 0) found = firstMatch(this.#suffixLists[index] ?? [], query, found);
			}
			hash = hashStep(hash, byte);
		}
		const index = this.#exact.find(name, start, end, hash);
		return index >= 0 ? firstMatch(this.#exactLists[index] ?? [], query, found) : found;
	}
}

function firstMatch(list: readonly Conditions[], query: RouteQuery, best: number): number {
	for (const conditions of list) {
		if (conditions.order >= best) return best;
		if (matches(conditions, query)) return conditions.order;
	}
	return best;
}

function matches(conditions: Conditions, query: RouteQuery): boolean {
	if (conditions.insideTls && !query.secured) return false;
	if (conditions.protocol >= 0) {
		const holds = conditions.protocol === query.protocol;
		if (!holds && !(query.secured && conditions.protocol === PROTOCOL_TLS)) return false;
	} else if (conditions.protocol === RECOGNIZED && query.protocol === PROTOCOL_UNKNOWN) return false;
	else if (conditions.protocol === WITH_HELLO && !query.secured && !saysHello(query.protocol)) return false;
	if (conditions.host !== null && !hasHost(conditions.host, query)) return false;
	if (conditions.alpn !== null && !hasAlpn(conditions.alpn, query)) return false;
	if (conditions.path !== null && !hasPath(conditions.path, query)) return false;
	if (conditions.subprotocol !== null && !offers(conditions.subprotocol, query)) return false;
	return (
		conditions.source === null || contains(conditions.source, query.family, query.source, query.sourceOffset)
	);
}

/** What the client offers; where TLS was terminated, what was agreed on. */
function hasAlpn(name: Uint8Array, { secured, protocol, alpn, hello }: RouteQuery): boolean {
	if (!secured) return saysHello(protocol) && hello.hasAlpn(name);
	return alpn.length === name.length && alpn.every((byte, index) => byte === name[index]);
}

/** `*.example.com` without its asterisk. */
function hostBytes(pattern: string): Uint8Array {
	return new TextEncoder().encode(pattern.replace(/^\*/, ""));
}

function hasHost(host: Uint8Array, { name, nameLength }: RouteQuery): boolean {
	const before = nameLength - host.length;
	// Something stands before the dot of a suffix.
	if (host[0] === DOT ? before <= 0 : before !== 0) return false;
	for (let i = 0; i < host.length; i++) if (name[before + i] !== host[i]) return false;
	return true;
}

function offers(subprotocol: Uint8Array, query: RouteQuery): boolean {
	return query.isWebSocket && offersProtocol(query.requestBytes, query.request, subprotocol);
}

/** The query string is no part of a path. */
function hasPath(path: Uint8Array, query: RouteQuery): boolean {
	const start = query.pathStart;
	const available = query.pathEnd - start;
	// `GET http://a.test?q` is sent as `/?q` (RFC 9110, 4.2.3).
	if (available === 0 || query.path[start] === QUESTION) return path.length === 1 && path[0] === SLASH;
	if (available < path.length) return false;
	for (let i = 0; i < path.length; i++) if (query.path[start + i] !== path[i]) return false;
	if (path[path.length - 1] === SLASH || available === path.length) return true;
	return query.path[start + path.length] === QUESTION;
}

/** True when the address of `family` (4 or 6) at `offset` lies in the block. */
export function contains(block: Cidr, family: number, address: Uint8Array, offset: number): boolean {
	if (block.family !== family) return false;
	const whole = block.prefixLength >> 3;
	for (let i = 0; i < whole; i++) if (block.bytes[i] !== address[offset + i]) return false;
	const rest = block.prefixLength & 7;
	if (rest === 0) return true;
	const mask = 0xff << (8 - rest);
	return ((block.bytes[whole] as number) & mask) === ((address[offset + whole] as number) & mask);
}

function protocolOf(route: RouteConditions): number {
	// Beside what is asked of TLS: what it hides is looked at.
	if (asksRequests(route) && (route.protocol === null || route.protocol === "tls")) return PROTOCOL_HTTP;
	if (route.protocol !== null) return PROTOCOLS[route.protocol];
	if (route.sni !== null || route.alpn !== null) return WITH_HELLO;
	return RECOGNIZED;
}

/** It begins with a ClientHello. */
function saysHello(protocol: number): boolean {
	return protocol === PROTOCOL_TLS || protocol === PROTOCOL_QUIC || protocol === PROTOCOL_DTLS;
}

function asksRequests({ host, path, subprotocol }: RouteConditions): boolean {
	return host !== null || path !== null || subprotocol !== null;
}
