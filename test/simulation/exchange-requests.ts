/** What upstreams are sent in exchanges: whole requests one after another, each what its client asked, and at most once. */

import { i32, u8 } from "../../src/parts/at.js";
import { NONE } from "../../src/parts/none.js";
import { KEEPS_TRAILERS } from "../../src/reactor/modes/http1/body.js";
import type { Slot } from "../../src/reactor/table/numbers.js";
import { aheadOf } from "./ahead.js";
import type { Chunks, Form } from "./chunks.js";
import type { SimulatedSocket } from "./descriptors.js";
import { type Head, lists } from "./heads.js";
import type { HttpClient } from "./http-client.js";
import type { HttpServer } from "./http-server.js";
import { checkLent, checkReserved } from "./lines/visits.js";
import { SAFE_METHODS, type ScriptedRequest } from "./requests.js";
import { violated } from "./trace.js";
import type { World } from "./world.js";

/** The reactor sends `length` bytes to an upstream connection that an exchange has. Returns whose they are. */
export function sendingRequest(
	world: World,
	link: SimulatedSocket,
	memory: Uint8Array,
	offset: number,
	length: number,
): SimulatedSocket {
	const server = serverOf(world, link);
	const client = clientOf(world, link);
	const asks = client.asks;
	if (asks === undefined) violated(`descriptor ${link.fd} is sent a request that no client has sent`);
	asks.forwarded += length;
	if (asks.confused) server.confused = true;
	if (server.confused && asks.confused) return client;
	if (server.isWhole) begin(world, link, server, client, asks);
	const request = asks.current;
	if (request === undefined || server.asked.at(-1) !== request)
		violated(`descriptor ${link.fd} is sent another request behind a part of one`);
	let done = 0;
	if (!server.hasHead) {
		done = server.reader.feed(memory, offset, length);
		const { head } = server.reader;
		if (head === undefined) return client;
		checkHead(request, head, client);
		server.hasHead = true;
		server.position = request.chunks === undefined ? request.headEnd : 0;
		server.decide();
	}
	sendingBody(link, server, request, client, memory, offset + done, length - done);
	server.isWhole = request.fault === "none" && server.position === endOf(server, request);
	return client;
}

/** An upstream that takes bytes may become one of requests in the middle of a dial: it does not know what to say. */
function serverOf(world: World, link: SimulatedSocket): HttpServer {
	if (link.serves !== undefined) return link.serves;
	const server = world.peers.newServer();
	server.confused = true;
	server.faulty = true;
	link.serves = server;
	return server;
}

function clientOf(world: World, link: SimulatedSocket): SimulatedSocket {
	const { table } = world.reactor.core;
	const slot = table.peerOf(link.slot as Slot);
	const client = slot === NONE ? undefined : world.kernel.socketAt(i32(table.fd, slot));
	if (client === undefined) violated(`descriptor ${link.fd} is sent a request, and nobody has borrowed it`);
	return client;
}

/** The first byte of a request. */
function begin(
	world: World,
	link: SimulatedSocket,
	server: HttpServer,
	client: SimulatedSocket,
	asks: HttpClient,
): void {
	const { asked, responses } = server;
	if (aheadOf(world, link) > 0) violated(`descriptor ${link.fd} is lent with bytes that were put back`);
	if (link.incoming.scripted > link.taken) {
		// Nobody can tell what comes from now on from an answer. What was known before is none.
		server.confused = true;
		server.faulty = true;
	}
	if (server.owner !== undefined && server.owner !== asks)
		violated(`descriptor ${link.fd}, on which another client is authenticated, is lent`);
	if (server.owner !== undefined) world.meet("requests on an owned connection");
	if (server.spoilt) violated(`descriptor ${link.fd} is lent, and may have more to say than was asked`);
	const before = responses[asked.length - 1];
	if (link.line !== undefined) {
		checkLent(world, link, link.line);
		link.line.isVisited = true;
		world.meet("requests over lines");
		// Its own line it has had since the request that authenticated it.
		if (asks.current?.upgrades === true && server.owner === undefined) checkReserved(world, link);
	}
	const due = Math.max(before?.end ?? 0, link.line?.base ?? 0);
	if (!server.confused && (asked.length > 0 || link.line !== undefined) && due !== link.taken)
		violated(`descriptor ${link.fd} is lent, and ${link.taken} bytes are taken of answers to ${due}`);
	const request = asks.current;
	if (request === undefined) violated(`a client's bytes behind its last request go to descriptor ${link.fd}`);
	if (!asks.isBetween) violated(`request ${request.id} goes out before the answer in front of it has gone`);
	if (request.fault === "head") violated(`the malformed request ${request.id} goes to an upstream`);
	if (client.known < request.headEnd)
		violated(`request ${request.id} goes to an upstream before its head was read`);
	checkRetry(request);
	world.meet("requests");
	if (asked.length > 0) world.meet("requests on a kept connection");
	if (request.links.length > 0) world.meet("requests sent again");
	if (request.binds) server.owner = asks;
	request.links.push(link);
	request.floor = asked.length === 0 && link.line === undefined ? 0 : Math.max(link.reported, link.known);
	asked.push(request);
	server.hasHead = false;
	server.isWhole = false;
	// As its upstream's plan said when its head was written: a record of TLS may go when a reload has changed that.
	const { manner } = world.reactor.core.exchanges.request;
	server.keepsTrailers = (u8(manner, client.slot) & KEEPS_TRAILERS) !== 0;
}

/** A request goes out once more only when the first time was on a connection that may have been closed already. */
function checkRetry(request: ScriptedRequest): void {
	const before = request.links.at(-1);
	if (before === undefined) return;
	const { id, method, links, framing, length } = request;
	// Each line that was parked when it came may be dead, and one is tried after the other.
	if (links.filter(({ line }) => line === undefined).length > 1)
		violated(`request ${id} is sent a third time`);
	if (!SAFE_METHODS.has(method)) violated(`request ${id} is a ${method}, and is sent twice`);
	if (framing !== "none" && length > 0) violated(`request ${id} has a body, and is sent twice`);
	if (before.open) violated(`request ${id} is sent twice, and the first connection is still there`);
	// One that was lent to somebody of whom nothing is known was not new. A line has waited, also for its first request.
	if (before.line === undefined && before.serves?.confused === false && before.serves.asked[0] === request)
		violated(`request ${id} is sent twice, first on a new connection`);
}

function checkHead(request: ScriptedRequest, head: Head, client: SimulatedSocket): void {
	const { id, method, target, host, framing, length, expects, upgrades } = request;
	const { fields } = head;
	const is = (name: string, value: string | undefined) => {
		if (fields.get(name) !== value)
			violated(`request ${id} goes out with ${name}: ${fields.get(name)}, not ${value}`);
	};
	// Whatever its client speaks: RFC 9110, 6.2.
	if (head.line !== `${method} ${target} HTTP/1.1`) violated(`request ${id} becomes ${head.line}`);
	is("x-request", id);
	is("host", host);
	is("content-length", framing === "length" ? String(length) : undefined);
	is("transfer-encoding", framing === "chunked" ? "chunked" : undefined);
	is("expect", expects ? "100-continue" : undefined);
	is("upgrade", upgrades ? "websocket" : undefined);
	is("x-hop", undefined);
	if (lists(head, "connection", "close")) violated(`request ${id} says that it is an upstream's last`);
	const { family, unmapped } = client.named ?? client.address;
	if (family === 4) is("x-forwarded-for", unmapped.join("."));
}

function sendingBody(
	link: SimulatedSocket,
	server: HttpServer,
	request: ScriptedRequest,
	client: SimulatedSocket,
	memory: Uint8Array,
	offset: number,
	length: number,
): void {
	const { position } = server;
	if (request.chunks !== undefined) {
		sendingChunks(link, server, request, request.chunks, client, memory, offset, length);
		return;
	}
	if (position + length > request.end)
		violated(`descriptor ${link.fd} is sent ${position + length - request.end} bytes behind ${request.id}`);
	if (position + length > client.known)
		violated(`descriptor ${link.fd} is sent bytes of ${request.id} that were never read`);
	if (!client.incoming.equals(position, memory, offset, length))
		violated(`descriptor ${link.fd} is sent other bytes than ${request.id} has, at ${position}`);
	server.position += length;
}

/** Chunks go on in canonical form, and trailers where the upstream is to have them. */
function sendingChunks(
	link: SimulatedSocket,
	server: HttpServer,
	request: ScriptedRequest,
	chunks: Chunks,
	client: SimulatedSocket,
	memory: Uint8Array,
	offset: number,
	length: number,
): void {
	const form = formOf(server, chunks);
	const { position } = server;
	if (length === 0) return;
	if (!form.equals(position, memory, offset, length))
		violated(`descriptor ${link.fd} is sent other bytes than ${request.id} becomes, at ${position}`);
	const due = request.headEnd + (form.due[position + length - 1] as number);
	if (due > client.known)
		violated(`descriptor ${link.fd} is sent bytes of ${request.id} that were never read`);
	server.position += length;
	const isWhole = server.position === form.text.length;
	// An upstream that does not read trailers takes them for its next request.
	if (isWhole && form.text !== chunks.dropped.text) server.spoilt = true;
}

function formOf(server: HttpServer, chunks: Chunks): Form {
	return server.keepsTrailers ? chunks.kept : chunks.dropped;
}

/** What `position` is when all of the request has gone. */
function endOf(server: HttpServer, request: ScriptedRequest): number {
	return request.chunks === undefined ? request.end : formOf(server, request.chunks).text.length;
}
