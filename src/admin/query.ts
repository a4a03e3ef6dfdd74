/** What stands behind the question mark of the API's addresses: each parameter known, each value checked. */
import { parseCidr } from "../config/address.js";
import { WEIGHT_MAX } from "../config/bounds.js";
import { InvalidValue } from "../config/errors.js";
import { orThereAre } from "../config/nearest.js";
import { parseDuration } from "../config/units.js";
import { REASONS } from "../parts/reasons.js";
import { PROTOCOL_NAMES } from "../protocol/index.js";
import {
	ENDED_MAX,
	type EndedFilter,
	type Page,
	SESSION_STATES,
	type SessionFilter,
	type SessionState,
	SORTS,
	type Sort,
} from "./session-view.js";

/** A parameter cannot be followed; the message says which, and what to write. */
export class QueryError extends Error {
	override readonly name = "QueryError";
}

const LIMIT = 100;
const HISTORY_MAX = 1_000;

/** How each parameter of a filter is read. */
const FILTERS = {
	id: (text: string) => ({ id: whole("id", text, Number.MAX_SAFE_INTEGER) }),
	reactor: (text: string) => ({ reactor: whole("reactor", text, 255) }),
	listener: (listener: string) => ({ listener }),
	route: (route: string) => ({ route }),
	upstream: (upstream: string) => ({ upstream }),
	address: (address: string) => ({ address }),
	source: (text: string) => ({ source: read("source", text, parseCidr) }),
	protocol: (text: string) => ({ protocol: oneOf("protocol", text, PROTOCOL_NAMES) }),
	name: (text: string) => ({ name: text.toLowerCase() }),
	state: (text: string) => ({ state: oneOf("state", text, SESSION_STATES) as SessionState }),
	min_age: (text: string) => ({ ageMinMs: read("min_age", text, parseDuration) }),
	max_age: (text: string) => ({ ageMaxMs: read("max_age", text, parseDuration) }),
	min_idle: (text: string) => ({ idleMinMs: read("min_idle", text, parseDuration) }),
} as const satisfies Record<string, (text: string) => SessionFilter>;

/** Those that what has ended can be asked by. */
const OF_ENDED = ["id", "listener", "route", "upstream", "address", "source", "protocol", "name"] as const;

/** What each parameter means, for `openapi.json`. */
export const PARAMETERS: Readonly<Record<string, string>> = {
	id: "The session of this number",
	channel: "The name of a channel, as it is: its slashes are part of the path",
	reactor: "Of this event loop",
	listener: "Of this listener, by its name",
	route: "That took this route, by its label: sni=git.example.com",
	upstream: "That go to this upstream",
	address: "That go to this address of an upstream",
	source: "Of clients with this address, or in this block: 10.0.0.0/8",
	protocol: `That speak one of ${PROTOCOL_NAMES.join(", ")}`,
	name: "That asked for this name, or for one that ends so: *.example.com",
	state: `That are in one of these states: ${SESSION_STATES.join(", ")}`,
	min_age: "That are at least so old: 10m",
	max_age: "That are at most so old",
	min_idle: "That have moved no byte for at least so long",
	reason: "That ended for this reason",
	sort: `By what the list is ordered: ${SORTS.join(", ")}. Default: id`,
	order: "asc or desc. Default: desc, and asc by id",
	limit: `So many at most, up to ${ENDED_MAX}. Default: ${LIMIT}`,
	offset: "From this one of the list on. Default: 0",
	for: "For so long, such as 1h",
	sni: "TLS: the name that it asks for",
	host: "HTTP: the host of its request",
	path: "HTTP: the path of its request",
	alpn: "TLS: protocols that it offers, separated by commas",
	subprotocol: "HTTP: the subprotocol of a WebSocket that it opens",
	profile: "cpu or heap",
	thread: "main, or reactor:0 and so on",
	seconds: "How long a profile of the CPU takes. Default: 5",
	weight: `Its share of sessions, against the others': 1 to ${WEIGHT_MAX}`,
	level: "debug, info, warn, error or silent",
	all: "true: all sessions, where no filter says which",
	history: `So many of a channel's last messages, up to ${HISTORY_MAX}, the oldest first`,
	after:
		"Messages behind the one with this id, the oldest first: whoever asks again behind the last one gets all. Goes before what history says",
	follow:
		"1: a stream of events, of what comes from now on; of a channel with after, or history, what its log has goes before",
	key: "What conflate goes by: of one key only the newest message is sent to whoever is behind",
	priority: "low: where something has to go, this goes first",
	session: "The number of the session whose subscription it is",
};

export const FILTER_NAMES: readonly string[] = Object.keys(FILTERS);
export const ENDED_FILTER_NAMES: readonly string[] = [...OF_ENDED, "reason"];
export const PAGE_NAMES: readonly string[] = ["sort", "order", "limit", "offset"];

/** @throws QueryError */
export function sessionFilter(query: URLSearchParams): SessionFilter {
	return filterOf(query, FILTER_NAMES);
}

/** @throws QueryError */
export function endedFilter(query: URLSearchParams): EndedFilter {
	const reason = query.get("reason");
	return {
		...filterOf(query, OF_ENDED),
		...(reason === null ? {} : { reason: oneOf("reason", reason, REASONS) }),
	};
}

function filterOf(query: URLSearchParams, names: readonly string[]): SessionFilter {
	let filter: SessionFilter = {};
	for (const name of names) {
		const text = query.get(name);
		if (text !== null) filter = { ...filter, ...FILTERS[name as keyof typeof FILTERS](text) };
	}
	return filter;
}

/** @throws QueryError */
export function pageOf(query: URLSearchParams): Page {
	const order = query.get("order");
	const sort = oneOf("sort", query.get("sort") ?? "id", SORTS) as Sort;
	return {
		sort,
		// Who sorts by how much wants to see the most.
		isDescending: order === null ? sort !== "id" : oneOf("order", order, ["asc", "desc"]) === "desc",
		offset: offsetOf(query),
		limit: limitOf(query),
	};
}

/** @throws QueryError */
export function limitOf(query: URLSearchParams): number {
	return whole("limit", query.get("limit") ?? String(LIMIT), ENDED_MAX);
}

/** @throws QueryError */
export function offsetOf(query: URLSearchParams): number {
	return whole("offset", query.get("offset") ?? "0", Number.MAX_SAFE_INTEGER);
}

/** Says which parameter is unknown, or stands twice: a filter that is misspelt would fit everything. @throws QueryError */
export function requireKnown(query: URLSearchParams, known: readonly string[]): void {
	const seen = new Set<string>();
	for (const name of query.keys()) {
		if (!known.includes(name)) throw new QueryError(`unknown parameter "${name}"${orThereAre(name, known)}`);
		if (seen.has(name)) throw new QueryError(`"${name}" stands twice: all parameters must hold together`);
		seen.add(name);
	}
}

/** @throws QueryError */
export function required(query: URLSearchParams, name: string): string {
	const text = query.get(name);
	if (text !== null && text !== "") return text;
	throw new QueryError(`"${name}" is missing: ${PARAMETERS[name]}`);
}

/** @throws QueryError */
export function weightOf(query: URLSearchParams): number {
	const weight = whole("weight", required(query, "weight"), WEIGHT_MAX);
	if (weight > 0) return weight;
	throw new QueryError("weight: at least 1; /api/upstreams/drain has an address get no session at all");
}

/** @throws QueryError */
export function durationOf(query: URLSearchParams, name: string): number {
	return read(name, required(query, name), parseDuration);
}

/** @throws QueryError */
export function profileOf(query: URLSearchParams): "cpu" | "heap" {
	return oneOf("profile", required(query, "profile"), ["cpu", "heap"]) as "cpu" | "heap";
}

/** @throws QueryError */
export function secondsOf(query: URLSearchParams): number {
	return whole("seconds", query.get("seconds") ?? "5", 3_600);
}

/** @throws QueryError */
export function historyOf(query: URLSearchParams): {
	history: number | undefined;
	after: string | undefined;
} {
	const history = query.get("history");
	return {
		history: history === null ? undefined : whole("history", history, HISTORY_MAX),
		after: query.get("after") ?? undefined,
	};
}

/** @throws QueryError */
export function isFollowing(query: URLSearchParams): boolean {
	return oneOf("follow", query.get("follow") ?? "0", ["0", "1"]) === "1";
}

/** @throws QueryError */
export function isLow(query: URLSearchParams): boolean {
	const priority = query.get("priority");
	return priority !== null && oneOf("priority", priority, ["low"]) === "low";
}

/** @throws QueryError */
export function sessionOf(query: URLSearchParams): number {
	return whole("session", required(query, "session"), Number.MAX_SAFE_INTEGER);
}

function whole(name: string, text: string, most: number): number {
	if (/^\d{1,16}$/.test(text) && Number(text) <= most) return Number(text);
	throw new QueryError(`${name}: expected a whole number up to ${most}, found "${text}"`);
}

function oneOf(name: string, text: string, words: readonly string[]): string {
	if (words.includes(text)) return text;
	throw new QueryError(`${name}: unknown "${text}"${orThereAre(text, words)}`);
}

function read<Value>(name: string, text: string, parse: (text: string) => Value): Value {
	try {
		return parse(text);
	} catch (error) {
		if (error instanceof InvalidValue) throw new QueryError(`${name}: ${error.message}`);
		throw error;
	}
}
