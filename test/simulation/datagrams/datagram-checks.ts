/**
 * What the reactor makes of datagrams, held against what has come: each as it is sent. After a turn, all that has come for a client
 * who has a session was passed on, or the kernel was asked to.
 */

import { COMPLETE, ProxyHeader, parseProxyHeader } from "../../../src/protocol/index.js";
import { LONG_FORM } from "../../../src/protocol/quic/long-packet.js";
import { QUIC_V1, QUIC_V2 } from "../../../src/protocol/quic/versions.js";
import { violated } from "../trace.js";
import { DatagramClient } from "./datagram-clients.js";
import type { DatagramWitness } from "./datagram-network.js";
import type { Packet, SimulatedDatagramSocket } from "./datagram-socket.js";
import type { Endpoint } from "./endpoints.js";
import { KnownIds } from "./known-ids.js";
import { keyOf, Origins } from "./origins.js";
import { Stray } from "./stray.js";
import { Whereabouts } from "./whereabouts.js";

/** Whoever sends to a listener. */
export type Author = DatagramClient | Stray;

/** Whom an upstream's socket serves. */
export interface Served {
	readonly author: Author;
	/** Where the last datagram came from that was sent on; what came from two places alike may be said to come from either. */
	from: string;
	readonly mayBeFrom: Set<string>;
	/** Where its client is answered. */
	readonly whereabouts: Whereabouts;
	/** Datagrams that were sent on, and their bytes; and bytes that were refused. */
	sent: number;
	sentBytes: number;
	refusedBytes: number;
	/** Answers that were received, and their bytes; bytes of those that were sent on, or refused. */
	answers: number;
	answerBytes: number;
	answeredBytes: number;
	/** When a datagram passed last, in either direction; and when one was tried. */
	activeMs: number;
	triedMs: number;
	/** The network said that nobody listens. */
	wasRefused: boolean;
}

/** What is asked of a world. */
export interface CheckedWorld {
	readonly kernel: { readonly nowMs: number };
	meet(what: string): void;
	/** Whether connection IDs are learned in the session of a socket. */
	knowsIds(socket: SimulatedDatagramSocket): boolean;
	/** Where the client of a socket's session is said to be that has had no other socket; undefined: that is not known. */
	clientAt(socket: SimulatedDatagramSocket): string | undefined;
	/** Whether the session of a socket had another one before. */
	isRedialled(socket: SimulatedDatagramSocket): boolean;
	/** Nobody has shut it out. */
	mayMoveTo(from: Endpoint): boolean;
}

/** How a PROXY header of version 2 begins. */
const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];

export class DatagramChecks implements DatagramWitness {
	/** Each upstream's socket, from its first datagram on. */
	readonly served = new Map<SimulatedDatagramSocket, Served>();
	/** The socket that was closed last, and whom it has served. */
	closedLast: Served | undefined;
	/** Datagrams of clients, and answers: received, also such of which not all was; and sent on. */
	received = 0;
	relayed = 0;
	answersReceived = 0;
	answersRelayed = 0;
	/** Messages of which not all was received. */
	cut = 0;
	/** By listener's socket: those that it has said to have dropped. */
	readonly overruns = new Map<SimulatedDatagramSocket, number>();
	readonly #world: CheckedWorld;
	readonly #datagrams = new Origins();
	readonly #answers = new Origins();
	readonly #ids = new KnownIds();
	readonly #header = new ProxyHeader();
	/** Those that were closed in this turn: what they have received may still be sent. */
	readonly #leaving = new Map<object, Served>();
	/** In this turn, by author: where he was heard from. */
	readonly #heardFrom = new Map<object, Set<string>>();
	/** In this turn, by socket and bytes: how many have come, and were not passed on. */
	readonly #expected = new Map<SimulatedDatagramSocket, Map<string, number>>();

	constructor(world: CheckedWorld) {
		this.#world = world;
	}

	// What comes.

	taken(socket: SimulatedDatagramSocket, all: readonly Packet[], isCut: boolean, count: number): void {
		if (isCut) this.cut++;
		const packets = all.slice(0, count);
		for (const packet of packets) {
			if (socket.isListener) this.#hears(socket, packet, isCut);
			else this.#isAnswered(socket, packet, isCut);
		}
	}

	#hears(listener: SimulatedDatagramSocket, { bytes, from, ecn, author }: Packet, isCut: boolean): void {
		if (author === undefined) violated("a datagram has come that nobody has sent");
		this.received++;
		this.#heardFrom.set(author, (this.#heardFrom.get(author) ?? new Set()).add(from.key));
		if (isCut) return;
		this.#datagrams.note(bytes, author, ecn, from.key);
		const socket = this.#sessionOf(author as Author, listener, from.key, bytes);
		if (socket === undefined) {
			this.#wonder(author as Author, bytes);
			return;
		}
		const whereabouts = this.served.get(socket)?.whereabouts;
		if (whereabouts?.at !== from.key && !this.#world.mayMoveTo(from)) {
			whereabouts?.lose();
			return;
		}
		this.#expect(socket, bytes, 1);
		whereabouts?.hear(from.key, this.#world.kernel.nowMs);
	}

	/** Of a client that is somewhere: the gateway may have learned from it what it is called by, and know it where it is not known here. */
	#wonder(author: Author, bytes: Uint8Array): void {
		if (!isOfQuic(author) || opensConnection(bytes)) return;
		for (const served of this.served.values()) if (served.author === author) served.whereabouts.giveUp();
	}

	#expect(socket: SimulatedDatagramSocket, bytes: Uint8Array, more: number): void {
		const all = this.#expected.get(socket) ?? new Map<string, number>();
		this.#expected.set(socket, all);
		const key = keyOf(bytes);
		all.set(key, Math.max(0, (all.get(key) ?? 0) + more));
	}

	/** The socket on which this must go on: its author is known by his address, or by a connection ID. */
	#sessionOf(
		author: Author,
		listener: SimulatedDatagramSocket,
		from: string,
		bytes: Uint8Array,
	): SimulatedDatagramSocket | undefined {
		const here = [...this.served].filter(
			([, served]) =>
				served.author === author && foundAt(served) === from && served.author.door.socket === listener,
		);
		const [one] = here.length === 1 ? (here[0] ?? []) : [];
		// It was taken for something else than QUIC, and is known by its address alone.
		if (one !== undefined && !this.#world.knowsIds(one)) return one;
		const known = author instanceof DatagramClient ? this.#ids.find(author, bytes) : undefined;
		if (known !== undefined && this.served.has(known)) return known;
		if (isOfQuic(author) && opensConnection(bytes)) return undefined;
		// It shows what it calls its server by, also where what it says is dropped.
		if (one !== undefined && author instanceof DatagramClient) this.#ids.fromClient(one, author, bytes);
		return one;
	}

	#isAnswered(socket: SimulatedDatagramSocket, { bytes, ecn, from }: Packet, isCut: boolean): void {
		this.answersReceived++;
		const served = this.served.get(socket);
		if (served === undefined) violated(`descriptor ${socket.fd} is answered, and nothing was sent on it`);
		served.answers++;
		served.answerBytes += bytes.length;
		served.activeMs = this.#world.kernel.nowMs;
		if (isCut) return;
		this.#answers.note(bytes, socket, ecn, from.key);
		if (this.#world.knowsIds(socket)) this.#ids.fromUpstream(socket, bytes);
	}

	/** A listener's socket says how many it had no room for. */
	overrun(socket: SimulatedDatagramSocket, dropped: number): void {
		this.overruns.set(socket, Math.max(dropped, this.overruns.get(socket) ?? 0));
	}

	/** ICMP has come. */
	told(socket: SimulatedDatagramSocket): void {
		const served = this.served.get(socket);
		if (served !== undefined) served.wasRefused = true;
	}

	// What goes.

	sent(socket: SimulatedDatagramSocket, packet: Packet): void {
		if (socket.isListener) this.#toClient(socket, packet, true);
		else this.#toUpstream(socket, packet, true);
	}

	refused(socket: SimulatedDatagramSocket, packet: Packet, errno: number): void {
		this.#world.meet(`datagrams refused with ${errno}`);
		if (socket.isListener) this.#toClient(socket, packet, false);
		else this.#toUpstream(socket, packet, false);
	}

	#toUpstream(socket: SimulatedDatagramSocket, packet: Packet, isSent: boolean): void {
		const before = this.served.get(socket);
		// Who begins a session is told by where the reactor says that he is.
		const at = this.#world.clientAt(socket);
		const bytes = before === undefined || before.sent === 0 ? this.#behindHeader(packet) : packet.bytes;
		const origin = this.#datagrams.take(bytes, { ecn: packet.ecn, from: at }, isSent, ({ whose, from }) =>
			before === undefined ? at === undefined || at === from || wasAt(whose, at) : whose === before.author,
		);
		if (origin === undefined)
			violated(
				`descriptor ${socket.fd} is sent ${bytes.length} bytes that ${before === undefined ? "nobody" : "its client"} has sent, or sent once more`,
			);
		this.#expect(socket, bytes, -1);
		const author = origin.whose as Author; // only they send to listeners
		const served = before ?? this.#begins(socket, author, origin.from, bytes);
		const { nowMs } = this.#world.kernel;
		served.triedMs = nowMs;
		served.from = origin.from;
		served.mayBeFrom.clear();
		for (const from of this.#datagrams.sourcesOf(bytes, author)) served.mayBeFrom.add(from);
		// What came with the one that has begun it was not known to be its client's.
		if (served.mayBeFrom.size === 1) served.whereabouts.hear(origin.from, nowMs);
		else if (nowMs === socket.connectedMs) served.whereabouts.lose();
		this.#checkAlone(socket, served);
		if (author instanceof DatagramClient) this.#checkKept(socket, author, bytes);
		if (isSent) {
			this.relayed++;
			served.sent++;
			served.sentBytes += packet.bytes.length;
			served.activeMs = nowMs;
		} else served.refusedBytes += packet.bytes.length;
	}

	/** Behind the PROXY header, where there is one. */
	#behindHeader({ bytes }: Packet): Uint8Array {
		if (bytes.length < 16 || SIGNATURE.some((byte, index) => bytes[index] !== byte)) return bytes;
		if (parseProxyHeader(bytes, 0, bytes.length, this.#header) !== COMPLETE)
			violated("a datagram begins with a PROXY header that is none");
		this.#world.meet("datagrams behind a PROXY header");
		return bytes.subarray(this.#header.headerLength);
	}

	#begins(socket: SimulatedDatagramSocket, author: Author, from: string, bytes: Uint8Array): Served {
		const isAlike = this.#datagrams.sourcesOf(bytes, author).every((each) => each === from);
		const isAtOnePlace = (this.#heardFrom.get(author)?.size ?? 0) < 2;
		// What was dropped before, for a rate, may have moved it.
		const isFresh = this.#world.kernel.nowMs === socket.connectedMs && !this.#world.isRedialled(socket);
		const isCertain = isAlike && isAtOnePlace && isFresh;
		this.#world.meet(`sessions of datagrams: ${author instanceof Stray ? "strays" : author.kind}`);
		const served: Served = {
			...{
				author,
				from,
				mayBeFrom: new Set<string>(),
				whereabouts: new Whereabouts(isCertain ? from : undefined),
				wasRefused: false,
			},
			...{ sent: 0, sentBytes: 0, refusedBytes: 0, answers: 0, answerBytes: 0, answeredBytes: 0 },
			...{ activeMs: 0, triedMs: this.#world.kernel.nowMs },
		};
		this.served.set(socket, served);
		return served;
	}

	/** Nobody else serves the same client where it is now. */
	#checkAlone(socket: SimulatedDatagramSocket, served: Served): void {
		// A hello to an ID that nobody knows, or knows any more, begins another connection.
		if (served.mayBeFrom.size > 1 || isOfQuic(served.author)) return;
		for (const [other, { author, from, mayBeFrom }] of this.served)
			if (other !== socket && author === served.author && from === served.from && mayBeFrom.size === 1)
				violated(`${from} has two sessions, on descriptors ${other.fd} and ${socket.fd}`);
	}

	/** A client of QUIC that is known by the ID that it shows keeps its session, wherever it comes from. */
	#checkKept(socket: SimulatedDatagramSocket, client: DatagramClient, bytes: Uint8Array): void {
		if (!this.#world.knowsIds(socket)) return;
		const known = this.#ids.find(client, bytes);
		if (known === undefined) this.#ids.fromClient(socket, client, bytes);
		else if (known !== socket && this.served.has(known))
			violated(`${client.source.key} is known by its connection ID, and has lost its session`);
	}

	#toClient(listener: SimulatedDatagramSocket, packet: Packet, isSent: boolean): void {
		const to = packet.to.key;
		const origin = this.#answers.take(
			packet.bytes,
			{ ecn: packet.ecn, from: undefined },
			isSent,
			({ whose }) => this.#isFor(whose, to),
		);
		if (origin === undefined)
			violated(
				`${to} is sent ${packet.bytes.length} bytes that no server of its own has sent, or sent once more`,
			);
		const served = this.#servedBy(origin.whose);
		if (served === undefined) violated("an answer is of a socket that has served nobody");
		const { door } = served.author;
		if (door.socket !== listener || door.at.key !== packet.from.key)
			violated(`${to} asked ${door.at.key}, and is answered from ${packet.from.key}`);
		const { at } = served.whereabouts;
		if (at !== undefined && to !== at) violated(`${to} is answered, and its client is at ${at}`);
		if (isSent) {
			this.answersRelayed++;
			served.answeredBytes += packet.bytes.length;
		}
	}

	#servedBy(socket: object): Served | undefined {
		return this.served.get(socket as SimulatedDatagramSocket) ?? this.#leaving.get(socket);
	}

	#isFor(socket: object, to: string): boolean {
		const served = this.#servedBy(socket);
		if (served === undefined) return false;
		const { author } = served;
		return author instanceof DatagramClient ? author.sources.has(to) : served.from === to;
	}

	closed(socket: SimulatedDatagramSocket): void {
		const served = this.served.get(socket);
		this.closedLast = served;
		if (served !== undefined) this.#leaving.set(socket, served);
		this.served.delete(socket);
		this.#ids.forget(socket);
	}

	/** `mayDrop`: whether its session has a reason to drop what comes. */
	endTurn(mayDrop: (socket: SimulatedDatagramSocket) => boolean): void {
		for (const [socket, all] of this.#expected)
			for (const [bytes, count] of all)
				if (count > 0 && this.served.has(socket) && !mayDrop(socket))
					violated(`${bytes.length} bytes for a session on descriptor ${socket.fd} are not passed on`);
		this.#expected.clear();
		this.#heardFrom.clear();
		this.#leaving.clear();
	}
}

function isOfQuic(author: Author): boolean {
	return author instanceof DatagramClient && author.kind === "quic";
}

/** An Initial, 0-RTT, or a packet of a version that is not known: with an ID that is not known, it is another connection's. */
function opensConnection(bytes: Uint8Array): boolean {
	const first = bytes[0] ?? 0;
	if ((first & LONG_FORM) === 0 || bytes.length < 5) return false;
	const version = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
	const type = (first >> 4) & 3;
	if (version === QUIC_V1) return type < 2;
	return version === QUIC_V2 ? type === 1 || type === 2 : true;
}

/** Where a session is found by its client's address: as far as that is known. One whose client has been elsewhere may be found there. */
function foundAt({ author, from, mayBeFrom, whereabouts }: Served): string | undefined {
	const hasMoved = author instanceof DatagramClient && author.sources.size > 1;
	return whereabouts.at ?? (mayBeFrom.size === 1 && !hasMoved ? from : undefined);
}

/** It is his address, or was. */
function wasAt(author: object, at: string): boolean {
	return author instanceof DatagramClient && author.sources.has(at);
}
