/**
 * Connection IDs of QUIC by which sessions are known, so that a client whose NAT gives it another address, or another port, keeps its
 * session. They are learned from what can be seen:
 *
 *     an Initial of the client         the ID that it made up, or that a Retry gave it            ┐ each session has
 *     a long header of the upstream    the ID that it wants to be called by (its source)          │ these, the oldest
 *     a long header of the client      the ID that it has moved to (its destination)              │ gives way
 *     a short header of the client     the same, as long as those of its upstream are             ┘
 *
 * Whoever had an ID first keeps it: nobody can take another's by showing it. What a short header shows has no length, so it is
 * looked for with each length that is in use. Shorter IDs than ID_MIN_BYTES are not learned: a few hundred sessions could have all of
 * those of one byte, and whatever came from anywhere would be taken for one of them.
 */
import { i32, u8 } from "../../parts/at.js";
import { CONNECTION_ID_MAX_BYTES } from "../../protocol/quic/long-packet.js";
import { NONE, type Session } from "../table/numbers.js";
import { finish, mixBytes, newSeed } from "./mix.js";
import type { SharedIds } from "./shared-ids.js";

/** That of a stranger begins so by chance in one case out of four thousand million. Servers choose eight bytes and more. */
const ID_MIN_BYTES = 4;
/** The client's first, a Retry's, two of the upstream's, two of the client's. */
const IDS_EACH = 6;

/** Whether sessions are known by IDs of that length. */
export function isLearned(length: number): boolean {
	return length >= ID_MIN_BYTES && length <= CONNECTION_ID_MAX_BYTES;
}

export class ConnectionIds {
	/** IDs that are known. */
	count = 0;
	readonly #shared: SharedIds;
	readonly #reactor: number;
	readonly #seed = newSeed();
	readonly #mask: number;
	readonly #heads: Int32Array;
	// Of each place: session * IDS_EACH and up.
	readonly #next: Int32Array;
	readonly #hashes: Int32Array;
	readonly #lengths: Uint8Array;
	readonly #bytes: Uint8Array;
	/** 1: its upstream has chosen it. */
	readonly #chosen: Uint8Array;
	/** Of each session: the place that is written next, and how long its upstream's IDs are. */
	readonly #turns: Uint8Array;
	readonly #upstreams: Uint8Array;
	/** How many IDs there are of each length. */
	readonly #ofLength = new Int32Array(CONNECTION_ID_MAX_BYTES + 1);

	/** `shared`: where the other reactors look, and which one this is. */
	constructor(sessions: number, shared: SharedIds, reactor: number) {
		this.#shared = shared;
		this.#reactor = reactor;
		const chains = 2 ** Math.ceil(Math.log2(2 * sessions));
		this.#mask = chains - 1;
		this.#heads = new Int32Array(chains).fill(NONE);
		this.#next = new Int32Array(sessions * IDS_EACH);
		this.#hashes = new Int32Array(sessions * IDS_EACH);
		this.#lengths = new Uint8Array(sessions * IDS_EACH);
		this.#bytes = new Uint8Array(sessions * IDS_EACH * CONNECTION_ID_MAX_BYTES);
		this.#chosen = new Uint8Array(sessions * IDS_EACH);
		this.#turns = new Uint8Array(sessions);
		this.#upstreams = new Uint8Array(sessions);
	}

	/** The session that is known by the ID of `length` bytes, or NONE. */
	find(bytes: Uint8Array, at: number, length: number): Session {
		const place = this.#find(bytes, at, length);
		return place === NONE ? NONE : (Math.floor(place / IDS_EACH) as Session);
	}

	/** The same by the ID with which bytes[at, end) begins, whatever its length. */
	findShort(bytes: Uint8Array, at: number, end: number): Session {
		const most = Math.min(CONNECTION_ID_MAX_BYTES, end - at);
		// The longest first: a short one is more likely to be the beginning of another.
		for (let length = most; length > 0; length--) {
			if (i32(this.#ofLength, length) === 0) continue;
			const session = this.find(bytes, at, length);
			if (session !== NONE) return session;
		}
		return NONE;
	}

	/** How long the IDs of its upstream are; 0: it has shown none, or has none. */
	upstreamBytes(session: Session): number {
		return u8(this.#upstreams, session);
	}

	/** Its upstream wants to be called so. */
	learnFromUpstream(session: Session, bytes: Uint8Array, at: number, length: number): void {
		// Of a version that nobody knows: no ID of the ones that there are.
		if (length > CONNECTION_ID_MAX_BYTES) return;
		this.#upstreams[session] = length;
		const place = this.#learn(session, bytes, at, length);
		if (place !== NONE) this.#chosen[place] = 1;
	}

	/** Its upstream has chosen one of those that it is known by. */
	hasChosen(session: Session): boolean {
		for (let place = session * IDS_EACH; place < (session + 1) * IDS_EACH; place++)
			if (u8(this.#chosen, place) === 1) return true;
		return false;
	}

	/** It is one of these: nobody shows it who has not heard of it. */
	isChosen(session: Session, bytes: Uint8Array, at: number, length: number): boolean {
		for (let place = session * IDS_EACH; place < (session + 1) * IDS_EACH; place++)
			if (u8(this.#chosen, place) === 1 && this.#isAt(place, bytes, at, length)) return true;
		return false;
	}

	/** True: it was the ID shown last. The usual case, for which nothing is looked up. */
	isLatest(session: Session, bytes: Uint8Array, at: number, length: number): boolean {
		const place = session * IDS_EACH + ((u8(this.#turns, session) + IDS_EACH - 1) % IDS_EACH);
		return this.#isAt(place, bytes, at, length);
	}

	/** It is known by this ID, unless another session is. */
	learn(session: Session, bytes: Uint8Array, at: number, length: number): void {
		this.#learn(session, bytes, at, length);
	}

	/** Returns its place; NONE: it is not learned. */
	#learn(session: Session, bytes: Uint8Array, at: number, length: number): number {
		if (!isLearned(length)) return NONE;
		if (this.#find(bytes, at, length) !== NONE) return NONE;
		const turn = u8(this.#turns, session);
		const place = session * IDS_EACH + turn;
		if (u8(this.#lengths, place) !== 0) this.#forget(place);
		this.#turns[session] = (turn + 1) % IDS_EACH;
		this.#lengths[place] = length;
		for (let i = 0; i < length; i++) this.#bytes[place * CONNECTION_ID_MAX_BYTES + i] = u8(bytes, at + i);
		const chain = this.#chain(bytes, at, length);
		this.#hashes[place] = chain;
		this.#next[place] = i32(this.#heads, chain);
		this.#heads[chain] = place;
		this.#ofLength[length] = i32(this.#ofLength, length) + 1;
		this.#shared.add(this.#reactor, bytes, at, length);
		this.count++;
		return place;
	}

	/** It has ended. */
	remove(session: Session): void {
		for (let place = session * IDS_EACH; place < (session + 1) * IDS_EACH; place++)
			if (u8(this.#lengths, place) !== 0) this.#forget(place);
		this.#turns[session] = 0;
		this.#upstreams[session] = 0;
	}

	#find(bytes: Uint8Array, at: number, length: number): number {
		for (
			let place = i32(this.#heads, this.#chain(bytes, at, length));
			place !== NONE;
			place = i32(this.#next, place)
		)
			if (this.#isAt(place, bytes, at, length)) return place;
		return NONE;
	}

	#isAt(place: number, bytes: Uint8Array, at: number, length: number): boolean {
		if (u8(this.#lengths, place) !== length) return false;
		const mine = place * CONNECTION_ID_MAX_BYTES;
		for (let i = 0; i < length; i++) if (u8(this.#bytes, mine + i) !== u8(bytes, at + i)) return false;
		return true;
	}

	#forget(place: number): void {
		const chain = i32(this.#hashes, place);
		const after = i32(this.#next, place);
		if (i32(this.#heads, chain) === place) this.#heads[chain] = after;
		else {
			let each = i32(this.#heads, chain);
			while (i32(this.#next, each) !== place) each = i32(this.#next, each);
			this.#next[each] = after;
		}
		const length = u8(this.#lengths, place);
		this.#ofLength[length] = i32(this.#ofLength, length) - 1;
		this.#shared.remove(this.#reactor, this.#bytes, place * CONNECTION_ID_MAX_BYTES, length);
		this.#lengths[place] = 0;
		this.#chosen[place] = 0;
		this.count--;
	}

	#chain(bytes: Uint8Array, at: number, length: number): number {
		return finish(mixBytes(this.#seed ^ length, bytes, at, length)) & this.#mask;
	}
}
