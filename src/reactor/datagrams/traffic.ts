/** What a reactor has for datagrams, from the first listener on that takes them: sockets' places, flows, connection IDs, half-seen hellos. */
import {
	DATAGRAM_PLACE_BYTES,
	type Datagrams,
	EMPTY_PLACE,
	LOCAL_BYTES,
	SENDER_BYTES,
	SENDER_PLACES,
} from "../../kernel/datagrams.js";
import { copyAddress, portAt } from "../../kernel/sockaddr.js";
import { i32 } from "../../parts/at.js";
import { NONE } from "../../parts/none.js";
import { LongPacket } from "../../protocol/quic/long-packet.js";
import type { Session } from "../table/numbers.js";
import { AddedMessages } from "./added-messages.js";
import { ConnectionIds } from "./connection-ids.js";
import { type FlowKey, Flows } from "./flows.js";
import { HalfHellos, type HalfLimits } from "./half-hellos.js";
import type { Arrival } from "./peer.js";
import type { InitialOpener } from "./quic-hellos.js";
import { DatagramRecognition } from "./recognition.js";
import { DatagramRecognizer } from "./recognizer.js";
import type { SharedIds } from "./shared-ids.js";
import type { Stray, Strays } from "./strays.js";

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

/** Where datagrams are written that are to be sent from elsewhere. */
export const WRITE_AT = EMPTY_PLACE * DATAGRAM_PLACE_BYTES;

/** What this reactor shares with the others. */
export interface OtherReactors {
	/** Which one this is. */
	readonly index: number;
	readonly ids: SharedIds;
	readonly strays: Strays;
}

export class DatagramTraffic {
	readonly io: Datagrams;
	readonly flows: Flows;
	readonly ids: ConnectionIds;
	readonly recognition = new DatagramRecognition();
	/** The first packet of the datagram at hand. */
	readonly packet = new LongPacket();
	/** The datagram at hand. */
	readonly arrival: Mutable<Omit<Arrival, "peer">> & { readonly peer: Mutable<Arrival["peer"]> };
	readonly key: Mutable<FlowKey>;
	recognizer: DatagramRecognizer;
	/** The socket for which answers have been added, and where the next ones are received; NONE: none has been. */
	repliesFd: number = NONE;
	readonly added: AddedMessages;
	nextPlace = SENDER_PLACES;
	/** Why the session ended that ended last. */
	endReason = 0;
	readonly others: OtherReactors;
	readonly #names: Int32Array;
	readonly #locals: Int32Array;
	/** Of a datagram that another reactor has given. */
	readonly #strayName = new Uint8Array(SENDER_BYTES);
	readonly #strayLocal = new Uint8Array(LOCAL_BYTES);
	readonly #strayNameWords = new Int32Array(this.#strayName.buffer);
	readonly #strayLocalWords = new Int32Array(this.#strayLocal.buffer);
	/** Who has sent what is at hand. */
	#senders: Uint8Array;
	#senderAt = 0;
	readonly #opener: InitialOpener;
	#limits: HalfLimits;

	constructor(
		io: Datagrams,
		opener: InitialOpener,
		sessions: number,
		limits: HalfLimits,
		others: OtherReactors,
	) {
		this.io = io;
		this.others = others;
		this.#senders = io.senders;
		this.#opener = opener;
		this.#limits = limits;
		this.added = new AddedMessages(io.cuts);
		this.flows = new Flows(sessions);
		this.ids = new ConnectionIds(sessions, others.ids, others.index);
		this.recognizer = this.#newRecognizer();
		this.arrival = {
			peer: { family: 4, bytes: new Uint8Array(16), offset: 0, port: 0 },
			...{ start: 0, end: 0, ecn: 0, nowMs: 0 },
		};
		this.#names = new Int32Array(io.senders.buffer);
		this.#locals = new Int32Array(io.locals.buffer);
		this.key = { listener: 0, names: this.#names, nameAt: 0, locals: this.#locals, localAt: 0 };
	}

	/** Halves of before are forgotten, where the limits differ: their clients begin anew. Returns how many datagrams are lost so. */
	useLimits(limits: HalfLimits): number {
		const before = this.#limits;
		if (
			before.halves === limits.halves &&
			before.perSource === limits.perSource &&
			before.timeoutMs === limits.timeoutMs
		)
			return 0;
		const { allHeld } = this.recognizer.halves;
		this.#limits = limits;
		this.recognizer = this.#newRecognizer();
		return allHeld;
	}

	#newRecognizer(): DatagramRecognizer {
		return new DatagramRecognizer(this.io.memory, this.#opener, new HalfHellos(this.#limits));
	}

	/** It has ended. Returns the socket that heard its client, which is to be closed, or NONE. */
	forget(session: Session, reason: number): number {
		this.endReason = reason;
		this.flows.remove(session);
		this.ids.remove(session);
		const ear = i32(this.flows.ears, session);
		this.flows.setEar(session, NONE);
		return ear;
	}

	/** The datagrams of a place are at hand, which have come to a listener. */
	look(listener: number, place: number): void {
		const { key } = this;
		key.listener = listener;
		key.names = this.#names;
		key.locals = this.#locals;
		key.nameAt = (place * SENDER_BYTES) / 4;
		key.localAt = (place * LOCAL_BYTES) / 4;
		this.#senders = this.io.senders;
		this.#senderAt = place * SENDER_BYTES;
	}

	/** A datagram is at hand that has come to a listener of another reactor: it is copied to WRITE_AT. */
	lookAtStray(bytes: Uint8Array, { listener, length, senderAt, localAt, dataAt }: Stray): void {
		this.#strayName.set(bytes.subarray(senderAt, senderAt + SENDER_BYTES));
		this.#strayLocal.set(bytes.subarray(localAt, localAt + LOCAL_BYTES));
		this.io.memory.set(bytes.subarray(dataAt, dataAt + length), WRITE_AT);
		const { key } = this;
		key.listener = listener;
		key.names = this.#strayNameWords;
		key.locals = this.#strayLocalWords;
		key.nameAt = 0;
		key.localAt = 0;
		this.#senders = this.#strayName;
		this.#senderAt = 0;
	}

	/** Gives the datagram at hand, memory[start, end), to another reactor. False: that has no room for it. */
	giveTo(reactor: number, start: number, end: number, ecn: number): boolean {
		const { key, io } = this;
		const locals = new Uint8Array(key.locals.buffer);
		return this.others.strays.give(
			...([reactor, key.listener, this.#senders, this.#senderAt] as const),
			...([locals, key.localAt * 4, io.memory, start, end, ecn] as const),
		);
	}

	/** Reads who has sent what is at hand, memory[start, end). */
	lookAt(start: number, end: number, nowMs: number, ecn = 0): void {
		const { arrival } = this;
		arrival.peer.family = copyAddress(this.#senders, this.#senderAt, arrival.peer.bytes, 0);
		arrival.peer.port = portAt(this.#senders, this.#senderAt);
		arrival.start = start;
		arrival.end = end;
		arrival.ecn = ecn;
		arrival.nowMs = nowMs;
	}
}
