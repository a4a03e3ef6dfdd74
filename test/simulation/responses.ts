/** What scripted upstreams answer: each answer says in a field and in its content which it is. */

import type { Random } from "../../src/rig/random.js";
import { chunked, content, type Framing, randomLength } from "./bodies.js";
import type { Chunks } from "./chunks.js";
import type { SimulatedSocket } from "./descriptors.js";
import type { ScriptedRequest } from "./requests.js";

export interface ScriptedResponse {
	readonly id: string;
	/** `undefined`: nobody has asked for it. */
	readonly request: ScriptedRequest | undefined;
	readonly link: SimulatedSocket;
	readonly status: number;
	readonly isInterim: boolean;
	readonly framing: Framing;
	readonly length: number;
	/** Its body, if that is chunked. */
	readonly chunks: Chunks | undefined;
	/** Its places in the upstream's stream. A broken body has no end, and one that only the stream ends has none yet. */
	readonly start: number;
	readonly headEnd: number;
	end: number;
	/** The upstream ends its connection behind it. */
	readonly closes: boolean;
	/** It asks for credentials that authenticate its connection. */
	readonly binds: boolean;
	/** It says of a body that it cannot have, so nobody else is to be lent its connection. */
	readonly spoils: boolean;
	/** It is none that a gateway may pass on, or not to its end. */
	readonly fault: "none" | "head" | "body";
}

const BROKEN_HEADS = [
	"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
	"HTTP/2.0 200 OK\r\n\r\n",
	"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
	"ICY 200 OK\r\n\r\n",
] as const;

/** Where there is a body to be framed. */
const BROKEN_FRAMINGS = [
	"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
	"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
] as const;

/** What an answer without a body may say of one, and then nobody knows whether it comes. */
const SAYINGS = [
	"Transfer-Encoding: chunked\r\n",
	"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
	"Content-Length: 1\r\nContent-Length: 2\r\n",
] as const;

const CHALLENGES = [
	"WWW-Authenticate: NTLM\r\n",
	'www-authenticate: Basic realm="x", Negotiate\r\n',
	"Proxy-Authenticate: Basic\r\nProxy-Authenticate: ntlm TlRM\r\n",
] as const;

/** Interim answers, which may come before the one that counts. */
export function interimResponse(
	random: Random,
	id: string,
	request: ScriptedRequest,
	link: SimulatedSocket,
	status: 100 | 103,
): { text: string; response: ScriptedResponse } {
	const link103 = status === 103 && random.chance(0.5) ? "Link: </a.css>; rel=preload\r\n" : "";
	const saying = random.chance(0.1) ? random.pick([...SAYINGS, "Content-Length: 3\r\n"]) : "";
	const text = `HTTP/1.1 ${status} Interim\r\nX-Answer: ${id}\r\n${link103}${saying}\r\n`;
	const shape = {
		status,
		spoils: saying !== "",
		isInterim: true,
		framing: "none",
		length: 0,
		closes: false,
	} as const;
	return { text, response: placed(shape, id, request, link, text.length, text.length, "none") };
}

/** An answer as its request may have it, or with a fault. `request`: undefined for one that nobody asked for. */
export function randomResponse(
	random: Random,
	id: string,
	request: ScriptedRequest | undefined,
	link: SimulatedSocket,
	bulk: boolean,
): { text: string; response: ScriptedResponse } {
	const isFaulty = request !== undefined && random.chance(0.02);
	if (isFaulty && random.chance(0.6)) {
		const heads = [...BROKEN_HEADS, ...(request.method === "HEAD" ? [] : BROKEN_FRAMINGS)];
		const text = random.pick(heads);
		const shape = { status: 200, isInterim: false, framing: "none", length: 0, closes: false } as const;
		return { text, response: placed(shape, id, request, link, text.length, text.length, "head") };
	}
	if (request?.upgrades === true && random.chance(0.75)) return upgraded(id, request, link);
	const status = random.pick([200, 200, 200, 201, 404, 204, 304]);
	const hasBody = request?.method !== "HEAD" && status !== 204 && status !== 304;
	// Upstreams are asked in 1.1, whatever the client speaks. What nobody asked for must not depend on what is asked.
	const framings: readonly Framing[] =
		request === undefined
			? ["length"]
			: ["length", "length", "length", "chunked", "chunked", "close", "close"];
	const framing = isFaulty && hasBody ? "chunked" : random.pick(framings);
	const fault = isFaulty && hasBody && framing === "chunked" ? "body" : "none";
	const length = hasBody && request !== undefined ? randomLength(random, bulk) : 0;
	const minor = framing !== "chunked" && random.chance(0.05) ? 0 : 1;
	const closes = (framing === "close" && hasBody) || random.chance(0.04);
	let head = `HTTP/1.${minor} ${status} Some reason\r\nX-Answer: ${id}\r\n`;
	const saying = !hasBody && request !== undefined && random.chance(0.1) ? random.pick(SAYINGS) : "";
	head += saying;
	if (framing === "length" && status !== 204 && saying === "")
		head += `Content-Length: ${hasBody ? length : 0}\r\n`;
	if (framing === "chunked" && hasBody) head += "Transfer-Encoding: chunked\r\n";
	if (closes && (framing !== "close" || random.chance(0.5))) head += "Connection: close\r\n";
	if (random.chance(0.1)) head += `X-Filler: ${"f".repeat(random.magnitude(4_000))}\r\n`;
	const binds = request !== undefined && random.chance(0.05);
	if (binds) head += random.pick(CHALLENGES);
	if (random.chance(0.05)) head += `Keep-Alive: timeout=${random.below(3)}\r\n`;
	head += "\r\n";
	const body = hasBody ? content(id, length) : "";
	const chunks = hasBody && framing === "chunked" ? chunked(random, body, fault === "body") : undefined;
	const spoils = saying !== "";
	const shape = {
		binds,
		status,
		spoils,
		isInterim: false,
		framing: hasBody ? framing : "none",
		length,
		closes,
	} as const;
	const text = head + (chunks?.raw ?? body);
	return { text, response: placed(shape, id, request, link, head.length, text.length, fault, chunks) };
}

function upgraded(
	id: string,
	request: ScriptedRequest,
	link: SimulatedSocket,
): { text: string; response: ScriptedResponse } {
	const text = `HTTP/1.1 101 Switching Protocols\r\nX-Answer: ${id}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n`;
	const shape = { status: 101, isInterim: false, framing: "none", length: 0, closes: false } as const;
	return { text, response: placed(shape, id, request, link, text.length, text.length, "none") };
}

function placed(
	shape: Pick<ScriptedResponse, "status" | "isInterim" | "framing" | "length" | "closes"> & {
		spoils?: boolean;
		binds?: boolean;
	},
	id: string,
	request: ScriptedRequest | undefined,
	link: SimulatedSocket,
	headLength: number,
	length: number,
	fault: ScriptedResponse["fault"],
	chunks?: Chunks,
): ScriptedResponse {
	const start = link.incoming.scripted;
	const endless = fault === "body" || shape.framing === "close";
	const end = endless ? Number.POSITIVE_INFINITY : start + length;
	return {
		spoils: false,
		binds: false,
		...shape,
		id,
		request,
		link,
		chunks,
		start,
		headEnd: start + headLength,
		end,
		fault,
	};
}
