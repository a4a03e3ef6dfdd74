/**
 * What clients are sent in exchanges: to each of its requests, in their order, one whole answer, which an upstream
 * gave to that very request, or one of the gateway's own; and where one was cut, a reset.
 */

import { i32, u8 } from "../../src/parts/at.js";
import { NONE } from "../../src/parts/none.js";
import { CR, LF } from "../../src/protocol/http/grammar.js";
import { EXCHANGES } from "../../src/reactor/table/marks.js";
import type { Session, Slot } from "../../src/reactor/table/numbers.js";
import { REQUEST } from "../../src/reactor/table/states.js";
import { usedOf } from "./ahead.js";
import type { Chunks } from "./chunks.js";
import type { SimulatedSocket } from "./descriptors.js";
import { type Head, lists } from "./heads.js";
import type { HttpClient } from "./http-client.js";
import type { ScriptedRequest } from "./requests.js";
import type { ScriptedResponse } from "./responses.js";
import { violated } from "./trace.js";
import type { World } from "./world.js";

/** What a request that is malformed is told; nobody else is. */
const MALFORMED: ReadonlySet<number> = new Set([400, 405, 414, 431, 501, 505]);
const OTHER_OWN: ReadonlySet<number> = new Set([403, 404, 408, 413, 421, 429, 502, 503, 504, 308]);
/** What may be said to a client that goes on: its request is answered, and nothing about it was in doubt. */
const MAY_KEEP: ReadonlySet<number> = new Set([308, 403, 404, 429, 502, 503, 504]);

/**
 * The reactor sends `length` bytes to a client whose requests are read. Returns how many of them belong to answers:
 * what follows a 101 does not.
 */
export function sendingAnswer(
	world: World,
	client: SimulatedSocket,
	asks: HttpClient,
	memory: Uint8Array,
	offset: number,
	length: number,
): number {
	let done = 0;
	while (done < length && !asks.confused) {
		if (asks.upgraded) return done;
		if (asks.response !== undefined)
			done += sendingBody(client, asks, asks.response, memory, offset + done, length - done);
		else if (asks.ownLeft > 0) {
			const part = Math.min(asks.ownLeft, length - done);
			asks.ownLeft -= part;
			if (asks.ended) asks.own += part;
			else if (asks.ownLeft === 0) answered(asks);
			done += part;
		} else {
			if (asks.ended) violated(`client ${client.fd} is sent something behind its last answer`);
			const part = asks.reader.feed(memory, offset + done, length - done);
			done += part;
			const { head } = asks.reader;
			if (head !== undefined) gotHead(world, client, asks, head);
			if (asks.upgraded) client.sentBefore = client.sent + done;
		}
	}
	return length;
}

function sendingBody(
	client: SimulatedSocket,
	asks: HttpClient,
	response: ScriptedResponse,
	memory: Uint8Array,
	offset: number,
	length: number,
): number {
	if (response.chunks !== undefined)
		return sendingChunks(client, asks, response, response.chunks, memory, offset, length);
	const { link, id, end } = response;
	const count = Math.min(length, end - asks.position);
	if (asks.position + count > link.known)
		violated(`client ${client.fd} is sent bytes of ${id} that were never read`);
	if (!link.incoming.equals(asks.position, memory, offset, count))
		violated(`client ${client.fd} is sent other bytes than ${id} has, at ${asks.position}`);
	asks.position += count;
	// One that only the stream ends has an end when that is known.
	if (asks.position === end && response.framing !== "close") answered(asks);
	return count;
}

/** Chunks are passed on in canonical form; a client of 1.0 is sent what is in them, up to the end of its connection. */
function sendingChunks(
	client: SimulatedSocket,
	asks: HttpClient,
	response: ScriptedResponse,
	chunks: Chunks,
	memory: Uint8Array,
	offset: number,
	length: number,
): number {
	const { link, id, headEnd, fault } = response;
	const form = asks.decodes ? chunks.content : chunks.kept;
	const count = Math.min(length, form.text.length - asks.position);
	if (count === 0) violated(`client ${client.fd} is sent ${length} bytes behind ${id}`);
	if (!form.equals(asks.position, memory, offset, count))
		violated(`client ${client.fd} is sent other bytes than ${id} becomes, at ${asks.position}`);
	asks.position += count;
	if (headEnd + (form.due[asks.position - 1] as number) > link.known)
		violated(`client ${client.fd} is sent bytes of ${id} that were never read`);
	if (asks.position === form.text.length && fault === "none" && !asks.decodes) answered(asks);
	return count;
}

function answered(asks: HttpClient): void {
	asks.response = undefined;
	asks.answered++;
	asks.continued = false;
	asks.ended = asks.closes;
}

function gotHead(world: World, client: SimulatedSocket, asks: HttpClient, head: Head): void {
	const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head.line)?.[1]);
	const id = head.fields.get("x-answer");
	if (id === undefined) {
		gotOwn(world, client, asks, head, status);
		return;
	}
	const request = asks.current;
	const response = world.peers.responses.get(id);
	if (response === undefined) violated(`client ${client.fd} is sent ${id}, which no upstream has answered`);
	if (request === undefined) violated(`client ${client.fd} is sent ${id}, and waits for no answer`);
	checkOrigin(world, client, asks, request, response);
	if (asks.confused) return;
	checkAnswer(request, response, head, status);
	if (response.binds && response.link.serves !== undefined) response.link.serves.owner = asks;
	world.meet(response.isInterim ? "interims" : "answers");
	if (response.isInterim) {
		if (status === 100) asks.continued = true;
		return;
	}
	const keeps = request.minor === 1 || lists(head, "connection", "keep-alive");
	if (usedOf(world, client) < request.end && request.headEnd < request.end) world.meet("early answers");
	asks.closes = lists(head, "connection", "close") || !keeps;
	if (response.framing === "close" && !asks.closes)
		violated(`answer ${id} ends with its connection, and its client is not told`);
	if (status === 101) {
		world.meet("upgrades");
		asks.answered++;
		asks.upgraded = true;
		return;
	}
	asks.response = response;
	asks.position = response.chunks === undefined ? response.headEnd : 0;
	asks.decodes = response.chunks !== undefined && request.minor === 0;
	if (asks.decodes && !asks.closes)
		violated(`answer ${id} is decoded, and its client is not told that it ends with its connection`);
	if (response.framing !== "close" && asks.position === response.end) answered(asks);
}

/** It answers this request, on the connection that had it last, and was not there before it was asked. */
function checkOrigin(
	world: World,
	client: SimulatedSocket,
	asks: HttpClient,
	request: ScriptedRequest,
	response: ScriptedResponse,
): void {
	const { id, link, start } = response;
	const isTheirs = linkOf(world, client) === link || link.serves?.asked.length === 0;
	if (response.request === undefined && !request.links.includes(link) && isTheirs) {
		// It came before the first byte of what it is taken to answer went out, which the socket did not take.
		asks.confused = true;
		return;
	}
	if (request.links.at(-1) !== link)
		violated(`${id} is passed on as the answer to ${request.id}, which went to another connection`);
	if (start < request.floor) violated(`${id} was there before ${request.id} was asked, and answers it`);
	if (response.request === request) return;
	if (link.serves?.confused !== true)
		violated(`${id}, which answers ${response.request?.id}, is passed on as the answer to ${request.id}`);
	asks.confused = true;
}

/** The upstream connection that a client has borrowed. */
function linkOf(world: World, client: SimulatedSocket): SimulatedSocket | undefined {
	const { table } = world.reactor.core;
	const link = table.linkOf(client.slot as Session);
	return link === NONE ? undefined : world.kernel.socketAt(i32(table.fd, link));
}

function checkAnswer(request: ScriptedRequest, response: ScriptedResponse, head: Head, status: number): void {
	const { id, fault, isInterim, framing, length } = response;
	if (fault === "head") violated(`the malformed answer ${id} is passed on`);
	if (status !== response.status) violated(`answer ${id} becomes ${head.line}`);
	if (isInterim && request.minor === 0) violated(`the interim ${id} is passed on to a client of 1.0`);
	const chunked = framing === "chunked" && request.minor === 1 ? "chunked" : undefined;
	if (head.fields.get("transfer-encoding") !== chunked) violated(`answer ${id} changes its framing`);
	if (framing === "length" && head.fields.get("content-length") !== String(length))
		violated(`answer ${id} changes its length`);
}

/** An answer of the gateway's own: the last, or that to a request which was read to its end, and whose client goes on. */
function gotOwn(world: World, client: SimulatedSocket, asks: HttpClient, head: Head, status: number): void {
	const request = asks.current;
	if (client.known <= asks.nextStart)
		violated(`client ${client.fd} is sent ${head.line}, and has asked nothing`);
	if (!MALFORMED.has(status) && !OTHER_OWN.has(status))
		violated(`client ${client.fd} is sent ${head.line}, which nobody has said`);
	if (MALFORMED.has(status) && request !== undefined && request.fault === "none")
		violated(`the well-formed ${request.id} is answered with ${head.line}`);
	const keeps = !lists(head, "connection", "close");
	if (status === 413 && !((request?.length ?? 0) > world.operator.smallestBodyBytes))
		violated(`client ${client.fd} is sent ${head.line}, and no limit is below ${request?.length}`);
	if (status === 429) {
		world.tooManyRequests++;
		if (world.tooManyRequests > world.sources.requestsRefused + world.rates.requestsRefused)
			violated(`client ${client.fd} is sent ${head.line}, and there was a token`);
	}
	asks.lastOwn = status;
	world.meet(`own ${status}${keeps ? ", kept" : ""}`);
	const isRead = request !== undefined && client.known >= request.headEnd;
	// Who asks for a head, and has been read, gets no content with it.
	const isHead = isRead && request.method === "HEAD" && MAY_KEEP.has(status);
	asks.ownLeft = isHead ? 0 : Number(head.fields.get("content-length"));
	if (keeps) {
		checkKept(world, client, request, head, status);
		asks.closes = false;
		if (asks.ownLeft === 0) answered(asks);
		return;
	}
	asks.ended = true;
	asks.own += asks.reader.length;
}

/** Nothing on the connection is in doubt: the request is well-formed, whole and taken, and both sides go on. */
function checkKept(
	world: World,
	client: SimulatedSocket,
	request: ScriptedRequest | undefined,
	head: Head,
	status: number,
): void {
	const why = (what: string) => violated(`client ${client.fd} is sent ${head.line} and kept, ${what}`);
	if (!MAY_KEEP.has(status)) why("although that ends a connection");
	if (request === undefined) {
		why("and has asked nothing");
		return;
	}
	const { fault, minor, closes, upgrades, end } = request;
	if (fault !== "none") why("although its request is malformed");
	if (minor === 0) why("although it speaks 1.0");
	if (closes) why("although it has asked for nothing more");
	const used = usedOf(world, client);
	if (used !== end) why(`and ${used} bytes of its requests were taken instead of ${end}`);
	if (upgrades && client.incoming.arrived > end) world.meet("kept in front of what is no request");
}

/** Our direction is ended, or all of the connection without a reset: then no answer may look complete that is not. */
export function checkUncut(client: SimulatedSocket, asks: HttpClient): void {
	const { response, position } = asks;
	if (asks.confused || asks.upgraded) return;
	if (asks.reader.text.includes("X-Answer")) violated(`client ${client.fd} sees an end within a head`);
	if (asks.ownLeft > 0 && !asks.ended)
		violated(`client ${client.fd} sees an end within an answer behind which it was to go on`);
	if (response === undefined) return;
	const isDecoded =
		asks.decodes && response.fault === "none" && position === response.chunks?.content.text.length;
	const isOver = isDecoded || (response.framing === "close" && position === response.end);
	if (!isOver)
		violated(`client ${client.fd} sees an end at ${position} of ${response.id}, as if it were whole`);
	answered(asks);
}

/** A client is between requests: exactly those that were answered are taken from its connection. */
export function checkBetween(world: World, slot: number, client: SimulatedSocket): void {
	const { asks } = client;
	const { table } = world.reactor.core;
	if (asks === undefined || asks.confused || u8(table.state, slot) !== REQUEST) return;
	const flags = i32(table.flags, slot);
	if ((flags & EXCHANGES) === 0) violated(`client ${slot} is read, and its requests are not`);
	// The last answer, or the end of it, may still wait for it.
	const index = table.chunkOf(slot as Slot) === NONE ? asks.answered : asks.answered + 1;
	const start = asks.requests[index]?.start ?? asks.scripted;
	const used = usedOf(world, client);
	// What it says behind its last request may begin with empty lines, which are passed over.
	if (start === asks.scripted && used > start && isEmptyLines(client, start, used)) return;
	if (!asks.ended && used !== start)
		violated(`client ${slot} has ${index} answers, and ${used} bytes were taken instead of ${start}`);
}

function isEmptyLines({ incoming }: SimulatedSocket, start: number, end: number): boolean {
	const bytes = Buffer.alloc(end - start);
	incoming.copy(start, bytes, 0, end - start);
	return bytes.every((byte) => byte === CR || byte === LF);
}
