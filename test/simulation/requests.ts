/** What scripted clients ask: each request says in a field and in its content which it is. */

import type { Random } from "../../src/rig/random.js";
import { chunked, content, type Framing, randomLength } from "./bodies.js";
import type { Chunks } from "./chunks.js";
import type { SimulatedSocket } from "./descriptors.js";

export interface ScriptedRequest {
	readonly id: string;
	readonly method: string;
	readonly target: string;
	readonly host: string;
	readonly minor: 0 | 1;
	readonly framing: Framing;
	/** Of its content, where the head says it. */
	readonly length: number;
	/** Its body, if that is chunked. */
	readonly chunks: Chunks | undefined;
	/** Its places in the client's stream. A body that is broken has no end. */
	readonly start: number;
	readonly headEnd: number;
	readonly end: number;
	readonly expects: boolean;
	readonly upgrades: boolean;
	/** Its credentials authenticate the connection that they come on. */
	readonly binds: boolean;
	/** The client asks for nothing behind it, as far as it says. */
	readonly closes: boolean;
	/** What no gateway may pass on, or not to its end. */
	readonly fault: "none" | "head" | "body";

	// What becomes of it.
	/** Upstream connections that were sent some of it. */
	readonly links: SimulatedSocket[];
	/** What was sent to it on the last of these before it was asked: no answer to it begins before that. */
	floor: number;
}

/** Requests that may be sent once more when a connection proves stale. */
export const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** Of one client. */
export const REQUESTS_MAX = 30;

const METHODS = ["GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS"] as const;
const HOSTS = ["a.example", "b.example", "www.b.example", "c.example:8080"] as const;
const TARGETS = ["/", "/api/one?q=1", "/apis", "/static/a.css", "/x"] as const;

/** Heads that RFC 9112 forbids, by what is wrong with them. */
const BROKEN_HEADS: readonly ((host: string) => string)[] = [
	(host) => `GET / HTTP/1.1\r\nHost: ${host}\r\nHost: ${host}\r\n\r\n`,
	(host) => `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n`,
	(host) => `GET / HTTP/1.1\r\nHost: ${host}\nX: 1\r\n\r\n`,
	(host) => `GET / HTTP/1.1\r\nHost : ${host}\r\n\r\n`,
	(host) => `GET / HTTP/3.1\r\nHost: ${host}\r\n\r\n`,
	(host) => `CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
	(host) => `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n`,
	() => "GET / HTTP/1.1\r\n\r\n",
	(host) => `GET / HTTP/1.1\r\nHost: ${host}\r\nX: ${"x".repeat(17_000)}\r\n\r\n`,
];

/** So many, to be written one behind the other from `start` on. `name`: begins each one's id. */
export function randomRequests(
	random: Random,
	name: string,
	start: number,
	bulk: boolean,
	upgradeShare: number,
): { requests: ScriptedRequest[]; bytes: Buffer } {
	const requests: ScriptedRequest[] = [];
	const texts: string[] = [];
	const count = random.pick([1, 2, 3, 5, 12, REQUESTS_MAX]);
	const faultAt = random.chance(0.1) ? random.below(count) : -1;
	const upgradeAt = random.chance(upgradeShare) ? random.below(count) : -1;
	let position = start;
	for (let index = 0; index < count; index++) {
		const fault = index === faultAt ? random.pick(["head", "body"] as const) : "none";
		const upgrades = index === upgradeAt && fault === "none";
		const { text, request } = randomRequest(random, `${name}.${index}`, position, fault, upgrades, bulk);
		requests.push(request);
		texts.push(text);
		position += text.length;
		// What comes behind these is no request.
		if (fault !== "none" || upgrades) break;
	}
	return { requests, bytes: Buffer.from(texts.join(""), "latin1") };
}

function randomRequest(
	random: Random,
	id: string,
	start: number,
	fault: ScriptedRequest["fault"],
	upgrades: boolean,
	bulk: boolean,
): { text: string; request: ScriptedRequest } {
	const host = random.pick(HOSTS);
	const target = random.pick(TARGETS);
	const minor = !upgrades && fault === "none" && random.chance(0.08) ? 0 : 1;
	const drawn = upgrades ? "GET" : random.pick(METHODS);
	const method = fault === "body" ? "POST" : drawn;
	const framing = fault === "body" ? "chunked" : upgrades ? "none" : framingFor(random, method, minor);
	const length = framing === "none" ? 0 : randomLength(random, bulk);
	const expects = minor === 1 && length > 0 && random.chance(0.2);
	const body = framing === "none" ? "" : content(id, length);
	let head = `${method} ${target} HTTP/1.${minor}\r\nX-Request: ${id}\r\nHost: ${host}\r\n`;
	if (framing === "length") head += `Content-Length: ${length}\r\n`;
	if (framing === "chunked") head += "Transfer-Encoding: chunked\r\n";
	const binds = random.chance(0.1);
	if (binds) head += random.pick(BINDING);
	if (expects) head += "Expect: 100-continue\r\n";
	const closes = !upgrades && random.chance(0.03);
	if (upgrades) head += UPGRADE;
	else if (closes) head += "Connection: close\r\n";
	else if (minor === 0 && random.chance(0.7)) head += "Connection: keep-alive\r\n";
	else if (random.chance(0.05)) head += "Connection: x-hop\r\nX-Hop: 1\r\n";
	if (random.chance(0.1)) head += `X-Filler: ${"f".repeat(random.magnitude(6_000))}\r\n`;
	if (random.chance(0.1)) head += "X-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n";
	head += "\r\n";
	if (fault === "head") head = random.pick(BROKEN_HEADS)(host);
	const chunks = framing === "chunked" ? chunked(random, body, fault === "body") : undefined;
	const text = fault === "head" ? head : head + (chunks?.raw ?? body);
	return {
		text,
		request: {
			...{
				id,
				method,
				target,
				host,
				minor,
				framing,
				length,
				chunks,
				expects,
				upgrades,
				closes,
				fault,
				start,
			},
			binds,
			headEnd: start + head.length,
			end: fault === "none" ? start + text.length : Number.POSITIVE_INFINITY,
			links: [],
			floor: 0,
		},
	};
}

const BINDING = [
	"Authorization: NTLM T1\r\n",
	"authorization:negotiate YII=\r\n",
	"Proxy-Authorization: NtLm T3\r\n",
] as const;

const UPGRADE =
	"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

function framingFor(random: Random, method: string, minor: number): Framing {
	const hasBody = method === "POST" || method === "PUT" || random.chance(0.05);
	if (!hasBody) return "none";
	if (method === "POST" && random.chance(0.3)) return "none";
	return minor === 0 ? "length" : random.pick(["length", "chunked"] as const);
}
