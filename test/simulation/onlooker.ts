/** What the reactor sends is checked as it is sent, byte for byte. */

import { i32, ref, u8 } from "../../src/parts/at.js";
import { NONE } from "../../src/parts/none.js";
import { COMPLETE, MALFORMED, ProxyHeader, parseProxyHeader } from "../../src/protocol/index.js";
import { ENDED, HAD_REQUESTS, PROXY_REQUIRED } from "../../src/reactor/table/marks.js";
import type { Slot } from "../../src/reactor/table/numbers.js";
import { CONNECTING, DIAL, EXCHANGE, PROVING, RELAY } from "../../src/reactor/table/states.js";
import type { Table } from "../../src/reactor/table/table.js";
import { readJournal } from "../support/read-journal.js";
import { unusedOf } from "./ahead.js";
import type { SimulatedSocket } from "./descriptors.js";
import { checkClosed } from "./endings.js";
import { checkUncut, sendingAnswer } from "./exchange-answers.js";
import { sendingRequest } from "./exchange-requests.js";
import type { HttpClient } from "./http-client.js";
import { beginVisit, isRelayed } from "./lines/visits.js";
import { checkNagle } from "./options.js";
import { checkPassedOn, checkVisited, tellingVisitor } from "./own-lines/own-visits.js";
import type { Witness } from "./simulated-network.js";
import type { Stream } from "./stream.js";
import { violated } from "./trace.js";
import type { World } from "./world.js";

export class Onlooker implements Witness {
	readonly #world: World;

	constructor(world: World) {
		this.#world = world;
	}

	get #table(): Table {
		return this.#world.reactor.core.table;
	}

	accepted(socket: SimulatedSocket): void {
		const world = this.#world;
		socket.acceptedTurn = world.turns;
		if (socket.line === undefined) world.accepted++;
		world.highestAccepted = Math.max(world.highestAccepted, socket.fd);
	}

	closed(socket: SimulatedSocket, reset: boolean): void {
		const world = this.#world;
		socket.wasReset = reset;
		if (reset && socket.held > 0)
			violated(`descriptor ${socket.fd} is reset, and bytes for it are held that an end was to follow`);
		if (socket.held > 0) world.meet("ends that travel with bytes");
		world.peers.forget(socket);
		const { ownLine } = socket;
		if (ownLine !== undefined && socket.role === "upstream") {
			world.agent?.closed(socket, ownLine, reset);
			return;
		}
		// It was turned away, and never had a row.
		if (socket.line !== undefined && !socket.registered && socket.taken === 0 && socket.sent === 0) return;
		if (socket.role === "upstream") {
			world.closedLink = socket;
			const client = this.#table.peerOf(socket.slot as Slot);
			// Its handshake has failed: another address is dialled.
			if (socket.partner !== undefined && u8(this.#table.state, socket.partner.slot) === DIAL)
				socket.partner.partner = undefined;
			if (client === NONE) world.madeRoom = true;
			else world.closedAhead = world.reactor.core.inboxes.length(client);
			return;
		}
		const asks = socket.registered ? this.#asksOf(socket) : undefined;
		world.closing = socket;
		if (asks !== undefined && socket.partner === undefined && !reset && !socket.dead)
			checkUncut(socket, asks);
		world.closed++;
		if (world.mutant === "lost_record" && world.closed > 1) readJournal(world.journal, () => {});
		checkClosed(world, socket);
		world.closedLink = undefined;
		world.closedAhead = 0;
		world.rests.sessionEnded();
	}

	measured({ registered, slot }: SimulatedSocket): void {
		const { hadAhead, reactor } = this.#world;
		if (registered) hadAhead[slot] = reactor.core.inboxes.has(slot as Slot);
	}

	/** The reactor is about to send. */
	trying(socket: SimulatedSocket): void {
		checkNagle(socket, this.#world.turns);
		// What is sent to an upstream before relaying begins is a PROXY header, or what was taken of its client.
		if (socket.role !== "upstream") return;
		if (socket.ownLine !== undefined) return;
		if (socket.line !== undefined) {
			beginVisit(this.#world, socket);
			return;
		}
		if (u8(this.#table.state, socket.slot) !== CONNECTING) return;
		const { core } = this.#world.reactor;
		const client = this.#table.sessionOf(socket.slot as Slot);
		const plan = core.upstreams.get(ref(this.#table.upstream, client))?.plan;
		if (plan?.proxyProtocol !== "off") socket.sentBefore = -1;
		else
			this.#world.meet(
				socket.connecting ? "first bytes that wait for their connect" : "first bytes sent at once",
			);
	}

	/** The connection is about to be lost. */
	dying(socket: SimulatedSocket): void {
		if (!socket.open || !socket.registered) return;
		const { state, flags } = this.#table;
		socket.diedIn = u8(state, socket.slot);
		socket.diedEnded = (i32(flags, socket.slot) & ENDED) !== 0;
	}

	/** The reactor sends `length` bytes that lie in memory. */
	sending(socket: SimulatedSocket, memory: Uint8Array, offset: number, length: number): void {
		if (socket.role === "client") this.#toClient(socket, memory, offset, length);
		else if (socket.ownLine !== undefined) socket.ownLine.hears(socket, memory, offset, length);
		else if (u8(this.#table.state, socket.slot) === PROVING) {
			const { lines } = this.#world;
			if (socket.line?.hears(memory, offset, length) === true && lines !== undefined) lines.canariesBegun++;
		} else if (socket.line !== undefined && isRelayed(this.#world, socket))
			this.#toUpstream(socket, memory, offset, length);
		else if (u8(this.#table.state, socket.slot) === EXCHANGE)
			this.#moved(socket, sendingRequest(this.#world, socket, memory, offset, length));
		else this.#toUpstream(socket, memory, offset, length);
	}

	#toClient(socket: SimulatedSocket, memory: Uint8Array, offset: number, length: number): void {
		const partner = partnerOf(this.#world, socket);
		const asks = this.#asksOf(socket);
		if (partner === undefined && asks === undefined) {
			telling(socket, memory, offset, length);
			return;
		}
		let done = 0;
		// Behind a 101 both follow each other.
		if (asks !== undefined && (partner === undefined || socket.sentBefore < 0)) {
			done = sendingAnswer(this.#world, socket, asks, memory, offset, length);
			// What we say ourselves is nothing that a session does.
			const isOwn = asks.ended || (asks.reader.text !== "" && !asks.reader.text.includes("X-Answer"));
			if (!isOwn) socket.activeMs = this.#world.kernel.nowMs;
		}
		if (done === length) return;
		if (partner === undefined) violated(`client ${socket.fd} is sent bytes behind a 101, and not relayed to`);
		const position = partner.takenBefore + socket.sent + done - socket.sentBefore;
		this.#relaying(socket, partner, position, memory, offset + done, length - done);
	}

	/** What a client asks whose requests are read. */
	#asksOf({ slot, asks }: SimulatedSocket): HttpClient | undefined {
		if ((i32(this.#table.flags, slot) & HAD_REQUESTS) === 0) return undefined;
		if (asks === undefined) violated(`requests of client ${slot} are read, and it sends none`);
		return asks;
	}

	#toUpstream(socket: SimulatedSocket, memory: Uint8Array, offset: number, length: number): void {
		const partner = partnerOf(this.#world, socket);
		if (partner === undefined) violated("an upstream without a client is sent to");
		let done = 0;
		if (socket.sentBefore < 0) done = sendingHeader(socket, partner, memory, offset, length);
		if (done === length) return;
		const position = partner.takenBefore + socket.sent + done - socket.sentBefore;
		this.#relaying(socket, partner, position, memory, offset + done, length - done);
	}

	#relaying(
		to: SimulatedSocket,
		from: SimulatedSocket,
		position: number,
		memory: Uint8Array,
		offset: number,
		length: number,
	): void {
		if (position + length > from.known)
			violated(`descriptor ${to.fd} is sent bytes that were never read from descriptor ${from.fd}`);
		if (!from.incoming.equals(position, memory, offset, length))
			violated(
				`descriptor ${to.fd} is sent other bytes than came from ${from.fd}, at ${position} of ${length}`,
			);
		this.#moved(to, from);
	}

	#moved(to: SimulatedSocket, from: SimulatedSocket): void {
		(to.role === "client" ? to : from).activeMs = this.#world.kernel.nowMs;
	}

	/** The same for a stretch of a stream, out of a pipe. */
	splicing(socket: SimulatedSocket, stream: Stream, position: number, length: number): void {
		const partner = partnerOf(this.#world, socket);
		if (partner === undefined || partner.incoming !== stream)
			violated(`descriptor ${socket.fd} is sent another session's bytes`);
		if (socket.sentBefore < 0) violated("bytes are sent before a PROXY header is complete");
		const due = partner.takenBefore - socket.sentBefore;
		if (position !== due + socket.sent)
			violated(`a pipe of ${length} bytes from ${position} on is sent when ${due + socket.sent} was due`);
		this.#moved(socket, partner);
	}

	/** An end is carried on: then everything before it must have been, too. */
	shuttingDown(socket: SimulatedSocket): void {
		// Within a record it cannot be told.
		const { secured } = socket;
		if (secured?.phase === "open" && !secured.saidGoodbye && secured.pending === undefined)
			violated(`descriptor ${socket.fd} is ended, and its peer was not told through TLS`);
		if (socket.held > 0) this.#world.meet("ends that travel with bytes");
		if (socket.role === "client" && socket.told) return;
		const partner = partnerOf(this.#world, socket);
		if (partner === undefined) {
			const asks = this.#asksOf(socket);
			if (asks !== undefined) checkUncut(socket, asks);
			return;
		}
		if (!partner.hasEnded && !partner.dead)
			violated(`descriptor ${socket.fd} is told of an end that was not`);
		if (unusedOf(this.#world, partner) > 0 || heldFor(socket, partner) > 0)
			violated(`descriptor ${socket.fd} is told of an end before all bytes were sent`);
		if (socket.shut) violated(`descriptor ${socket.fd} is told of an end twice`);
	}
}

/** The other connection of a relayed session. */
export function partnerOf(world: World, socket: SimulatedSocket): SimulatedSocket | undefined {
	if (socket.partner !== undefined) return socket.partner;
	const { table } = world.reactor.core;
	const { slot } = socket;
	if (i32(table.generation, slot) !== socket.generation || i32(table.fd, slot) !== socket.fd)
		violated(`row ${slot} does not belong to descriptor ${socket.fd}, which it was watched for`);
	if (socket.role === "client" && u8(table.state, slot) !== RELAY) return undefined;
	const peer = table.peerOf(slot as Slot);
	const partner = peer === NONE ? undefined : world.kernel.socketAt(i32(table.fd, peer));
	if (partner === undefined) violated(`descriptor ${socket.fd} is relayed to nobody`);
	if (partner.partner !== undefined) violated(`descriptor ${partner.fd} has two partners`);
	if (partner.role === socket.role) violated(`descriptor ${socket.fd} is relayed to one of its own kind`);
	socket.partner = partner;
	partner.partner = socket;
	const client = socket.role === "client" ? socket : partner;
	if ((i32(table.flags, client.slot) & HAD_REQUESTS) !== 0)
		endRequests(world, client, client === socket ? partner : socket);
	else if (client.ownLine !== undefined) checkVisited(world, client, partner === client ? socket : partner);
	else if ((i32(table.flags, client.slot) & PROXY_REQUIRED) === 0) {
		// A header that nobody asked for is a client's own bytes.
		if (!client.isOpenTls) client.takenBefore = 0;
		client.namedPort = -1;
		client.named = undefined;
	}
	return partner;
}

/** Requests came before what is relayed now: behind a 101, or to an upstream that takes bytes. */
function endRequests(world: World, client: SimulatedSocket, link: SimulatedSocket): void {
	const { asks } = client;
	if (asks === undefined) violated(`client ${client.fd} has had requests, and sent none`);
	client.upgradedMs = world.kernel.nowMs;
	const { responses, asked } = link.serves ?? {};
	const request = asked?.at(-1);
	if (request === undefined) {
		// Of one that has an answer which could not be told from its own, only the reactor knows where it is.
		client.takenBefore = asks.confused ? client.usedAtDial : asks.nextStart;
		client.sentBefore = client.sent;
		if (!asks.isBetween && !asks.confused) violated("a client is relayed before its last answer has gone");
		return;
	}
	const response = responses?.find(({ status }) => status === 101);
	if (response === undefined) violated(`${request.id} is no request any more, and no 101 was said`);
	client.takenBefore = request.end;
	client.sentBefore = asks.upgraded ? client.sentBefore : -1;
	link.takenBefore = response.headEnd;
	link.sentBefore = link.sent;
}

/** A client that is refused is told so, in its protocol. */
function telling(client: SimulatedSocket, memory: Uint8Array, offset: number, length: number): void {
	if (client.ownLine !== undefined) {
		tellingVisitor(client, client.ownLine, memory, offset, length);
		return;
	}
	const first = u8(memory, offset);
	if (client.sent > 0 || (first !== 0x15 && first !== 0x48))
		violated(`client ${client.fd} is sent what is neither an alert nor a response`);
	client.told = true;
}

/** The PROXY header for an upstream. Returns how many of the bytes belong to it. */
function sendingHeader(
	link: SimulatedSocket,
	client: SimulatedSocket,
	memory: Uint8Array,
	offset: number,
	length: number,
): number {
	const { headerOut, headerBase } = link;
	const before = headerOut.length;
	for (let i = 0; i < length; i++) headerOut.push(u8(memory, offset + i));
	const bytes = Uint8Array.from(headerOut);
	const verdict = parseProxyHeader(bytes, 0, bytes.length, HEADER);
	if (verdict === MALFORMED) violated(`a PROXY header is malformed: ${HEADER.cause}`);
	if (verdict !== COMPLETE) return length;
	link.sentBefore = headerBase + HEADER.headerLength;
	checkPassedOn(client, HEADER);
	const { family, unmapped } = client.named ?? client.address;
	const port = client.namedPort >= 0 ? client.namedPort : client.port;
	// Where a header was taken off before TLS or requests were read, whom it was sent to may not be known any more.
	const wasTaken = client.asks !== undefined || client.secured !== undefined || client.ownLine !== undefined;
	if (wasTaken && HEADER.family === 0 && client.named !== undefined) return HEADER.headerLength - before;
	if (HEADER.isLocal || HEADER.family !== family || HEADER.sourcePort !== port)
		violated(`a PROXY header names port ${HEADER.sourcePort}, and the client's is ${port}`);
	for (let i = 0; i < unmapped.length; i++)
		if (HEADER.sourceAddress[i] !== unmapped[i]) violated("a PROXY header names another client's address");
	return HEADER.headerLength - before;
}

/** Bytes that the reactor took from one side, also those that it put back, and has not sent to the other. */
export function heldFor(to: SimulatedSocket, from: SimulatedSocket): number {
	if (to.sentBefore < 0) return 0; // that is not known yet
	return from.taken - from.takenBefore - (to.sent - to.sentBefore);
}

const HEADER = new ProxyHeader();
