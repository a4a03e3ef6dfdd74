/**
 * Which session a datagram belongs to, by where it comes from and where it was sent to:
 *
 *     listener, address and port of the client, address of ours (where the listener has several)  ──►  session
 *
 * A client that has two connections of QUIC on one port, to servers on two routes, has two sessions there: both are *shared*, and
 * the connection ID tells which one is meant. What is known of a client lies beside the table, in memory that is touched when the
 * first client of a row comes.
 */

import { AF_INET } from "../../kernel/constants.js";
import { LOCAL_BYTES, SENDER_BYTES } from "../../kernel/datagrams.js";
import { assert } from "../../parts/assert.js";
import { f64, i32, u8, u32 } from "../../parts/at.js";
import { NONE, type Session } from "../table/numbers.js";
import { finish, newSeed } from "./mix.js";

/** NATs give a client another address after seconds of silence. Answers go to the one that it has shown last. */
const MOVE_MS = 500;

const NAME_WORDS = SENDER_BYTES / 4;
/** Of IPv4: family and port, and the address. What lies behind them was another sender's. */
const V4_NAME_WORDS = 2;
const LOCAL_WORDS = LOCAL_BYTES / 4;
/** Of these, the address: the rest says by which interface. */
const LOCAL_ADDRESS_WORDS = 4;

/** Where a datagram comes from and was sent to, as the kernel wrote it: words of `senders` and `locals`. */
export interface FlowKey {
	readonly listener: number;
	readonly names: Int32Array;
	readonly nameAt: number;
	readonly locals: Int32Array;
	readonly localAt: number;
}

export class Flows {
	/** `sockaddr` of each session's client at session * SENDER_BYTES, and our address for it at session * LOCAL_BYTES. */
	readonly names: Uint8Array;
	readonly locals: Uint8Array;
	/** A socket that hears a client who has come from the part of another reactor (`modes/datagram/ear.ts`); NONE: most have none. */
	readonly ears: Int32Array;
	/** How many of these there are. */
	earCount = 0;
	/** Datagrams that its upstream has answered with. */
	readonly answers: Uint32Array;
	/** 1: a path or a network card on its way does not take datagrams that are joined. */
	readonly apart: Uint8Array;
	/** Datagrams that its upstream's address has been sent. */
	readonly questions: Uint32Array;
	/** Sessions that have a client here. */
	count = 0;
	readonly #nameWords: Int32Array;
	/** The same as `locals`. */
	readonly localWords: Int32Array;
	readonly #seed = newSeed();
	readonly #mask: number;
	readonly #heads: Int32Array;
	readonly #next: Int32Array;
	readonly #hashes: Uint32Array;
	readonly #listeners: Uint16Array;
	/** 1: another session has the same client. */
	readonly #shared: Uint8Array;
	/** When it has moved last. */
	readonly #movedMs: Float64Array;

	constructor(sessions: number) {
		const chains = 2 ** Math.ceil(Math.log2(2 * sessions));
		this.#mask = chains - 1;
		this.#heads = new Int32Array(chains).fill(NONE);
		this.#next = new Int32Array(sessions);
		this.#hashes = new Uint32Array(sessions);
		this.#listeners = new Uint16Array(sessions);
		this.#shared = new Uint8Array(sessions);
		this.#movedMs = new Float64Array(sessions);
		this.answers = new Uint32Array(sessions);
		this.apart = new Uint8Array(sessions);
		this.questions = new Uint32Array(sessions);
		this.ears = new Int32Array(sessions).fill(NONE);
		this.names = new Uint8Array(sessions * SENDER_BYTES);
		this.locals = new Uint8Array(sessions * LOCAL_BYTES);
		this.#nameWords = new Int32Array(this.names.buffer);
		this.localWords = new Int32Array(this.locals.buffer);
	}

	/** The session that this client had here last, or NONE. */
	find(key: FlowKey): Session {
		return this.#nextOf(i32(this.#heads, this.#hash(key) & this.#mask), key);
	}

	/** Another one of the same client, behind `session`; NONE: there is none. */
	findNext(session: Session, key: FlowKey): Session {
		return this.#nextOf(i32(this.#next, session), key);
	}

	#nextOf(first: number, key: FlowKey): Session {
		for (let session = first; session !== NONE; session = i32(this.#next, session))
			if (this.#isOf(session, key)) return session as Session;
		return NONE;
	}

	/** Its client has another session as well. */
	isShared(session: Session): boolean {
		return u8(this.#shared, session) === 1;
	}

	/** Where its client is now. */
	isAt(session: Session, key: FlowKey): boolean {
		return this.#isOf(session, key);
	}

	add(session: Session, key: FlowKey): void {
		const other = this.find(key);
		this.#shared[session] = 0;
		this.#movedMs[session] = 0;
		for (let each = other; each !== NONE; each = this.findNext(each, key)) this.#shared[each] = 1;
		if (other !== NONE) this.#shared[session] = 1;
		this.answers[session] = 0;
		this.apart[session] = 0;
		this.questions[session] = 0;
		this.#write(session, key);
		this.#link(session, this.#hash(key));
		this.count++;
	}

	/** It has not been elsewhere a moment ago: two who say that they are the same client do not have it go to and fro. */
	mayMove(session: Session, nowMs: number): boolean {
		return nowMs - f64(this.#movedMs, session) >= MOVE_MS;
	}

	/** Its client has another address from now on. */
	move(session: Session, key: FlowKey, nowMs: number): void {
		this.#movedMs[session] = nowMs;
		this.#unlink(session);
		const other = this.find(key);
		for (let each = other; each !== NONE; each = this.findNext(each, key)) this.#shared[each] = 1;
		this.#shared[session] = other === NONE ? 0 : 1;
		this.#write(session, key);
		this.#link(session, this.#hash(key));
	}

	/** Its client is heard by this socket from now on; NONE: by the listener's. */
	setEar(session: Session, ear: number): void {
		if (i32(this.ears, session) !== NONE) this.earCount--;
		if (ear !== NONE) this.earCount++;
		this.ears[session] = ear;
	}

	remove(session: Session): void {
		this.#unlink(session);
		this.count--;
	}

	#link(session: Session, hash: number): void {
		const chain = hash & this.#mask;
		this.#hashes[session] = hash;
		this.#next[session] = i32(this.#heads, chain);
		this.#heads[chain] = session;
	}

	#unlink(session: Session): void {
		const chain = u32(this.#hashes, session) & this.#mask;
		const after = i32(this.#next, session);
		let each = i32(this.#heads, chain);
		if (each === session) {
			this.#heads[chain] = after;
			return;
		}
		for (; each !== NONE; each = i32(this.#next, each))
			if (i32(this.#next, each) === session) {
				this.#next[each] = after;
				return;
			}
		assert(false, "a session that is removed is there");
	}

	#write(session: Session, { listener, names, nameAt, locals, localAt }: FlowKey): void {
		this.#listeners[session] = listener;
		for (let i = 0; i < NAME_WORDS; i++) this.#nameWords[session * NAME_WORDS + i] = i32(names, nameAt + i);
		for (let i = 0; i < LOCAL_WORDS; i++)
			this.localWords[session * LOCAL_WORDS + i] = i32(locals, localAt + i);
	}

	#isOf(session: number, { listener, names, nameAt, locals, localAt }: FlowKey): boolean {
		const mine = session * NAME_WORDS;
		const words = nameWords(names, nameAt);
		// The family and the port first: of all words they differ most.
		for (let i = 0; i < words; i++)
			if (i32(this.#nameWords, mine + i) !== i32(names, nameAt + i)) return false;
		if (this.#listeners[session] !== listener) return false;
		const local = session * LOCAL_WORDS;
		for (let i = 0; i < LOCAL_ADDRESS_WORDS; i++)
			if (i32(this.localWords, local + i) !== i32(locals, localAt + i)) return false;
		return true;
	}

	#hash({ listener, names, nameAt, locals, localAt }: FlowKey): number {
		let hash = this.#seed ^ listener;
		const words = nameWords(names, nameAt);
		for (let i = 0; i < words; i++) hash = mixWord(hash, i32(names, nameAt + i));
		return finish(mixWord(hash, i32(locals, localAt + LOCAL_ADDRESS_WORDS - 1)));
	}
}

/** How many words of a `sockaddr` say who it is. */
export function nameWords(names: Int32Array, at: number): number {
	return (i32(names, at) & 0xffff) === AF_INET ? V4_NAME_WORDS : NAME_WORDS;
}

function mixWord(hash: number, word: number): number {
	const mixed = Math.imul(hash ^ word, 0x85ebca6b);
	return mixed ^ (mixed >>> 15);
}
