/**
 * Many subscribers of one channel, by WebSocket:
 *
 *     connecting ──► shaking hands ──► asking for a WebSocket ──► subscribing ──► there
 *
 * Those that are there are watched by nobody, or for their end alone: no delivery wakes this process, which would cost the server a wake-up
 * each. Whoever wants to know what has come looks (`sweep`), or never does: then the server meets somebody who does not read.
 */
import { EAGAIN, EPOLLET, EPOLLIN, EPOLLOUT, EPOLLRDHUP, errorName } from "../../kernel/constants.js";
import type { LinuxKernel } from "../../kernel/linux.js";
import { u8 } from "../../parts/at.js";
import { type ConnectOptions, loopback } from "../connect.js";
import { Places } from "../places.js";
import { type Row, turnUntilOver } from "../turn.js";
import type { Wire } from "../wire.js";
import { HEAR_AT, HEAR_BYTES, SAY_AT } from "./arena.js";
import type { SubscribersDoor } from "./doors.js";
import { ALL_STAY, type Meeting, NO_CODE } from "./meeting.js";
import { numberIn } from "./numbered.js";
import { CLOSE, clientFrame, PING, PONG, readServerFrame, TEXT } from "./server-frames.js";

/** Under way at a time: within the backlog of any server, and its handshake deadline. */
const OPENING_MAX = 64;
const OPEN_TIMEOUT_MS = 120_000;

/** The key and what answers it are those of RFC 6455, section 1.3. */
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const CONNECTING = 0;
const SHAKING = 1;
const ASKING = 2;
const SUBSCRIBING = 3;
const THERE = 4;

const NOTHING_CAME = -1;
const NO_REST = new Uint8Array(0);
const LATIN1 = new TextDecoder("latin1");
const UTF8 = new TextEncoder();

/** `isLatest`: nothing came to that subscriber behind it, so the time of its wire is that of this message. */
export type HearNumbered = (place: number, number: number, isLatest: boolean) => void;

export interface SubscribersOptions {
	/** What they meet besides messages. Default: who is sent away, or whose connection ends, is an error. */
	readonly meeting?: Meeting;
	/** The kernel tells when a connection ends: its slot is the subscriber's place. Then nobody else's may be watched by that kernel. */
	readonly watchesEnds?: boolean;
}

export class Subscribers {
	readonly #kernel: LinuxKernel;
	readonly #wire: Wire;
	readonly #door: SubscribersDoor;
	readonly #meeting: Meeting;
	readonly #watchesEnds: boolean;
	readonly #places: Places;
	readonly #states: Uint8Array;
	/** What has come of something that is not whole yet, by place. */
	readonly #rests = new Map<number, Uint8Array>();
	readonly #frame = { opcode: 0, payloadAt: 0, end: 0 };

	constructor(
		kernel: LinuxKernel,
		wire: Wire,
		count: number,
		door: SubscribersDoor,
		{ meeting = ALL_STAY, watchesEnds = false }: SubscribersOptions = {},
	) {
		this.#kernel = kernel;
		this.#wire = wire;
		this.#door = door;
		this.#meeting = meeting;
		this.#watchesEnds = watchesEnds;
		this.#places = new Places(kernel, count);
		this.#states = new Uint8Array(count);
	}

	get count(): number {
		return this.#places.count;
	}

	/** How many have a connection. */
	get alive(): number {
		return this.#places.taken;
	}

	isAlive(place: number): boolean {
		return this.#places.isTaken(place);
	}

	/** Whose news the kernel has. */
	get row(): Row {
		return this.#places;
	}

	/** Returns once all are subscribed. */
	open(options: ConnectOptions = {}): void {
		const { port, path } = this.#door;
		const address = loopback(port);
		const { count } = this;
		let started = 0;
		let done = 0;
		const start = (): void => {
			while (started < count && started - done < OPENING_MAX)
				this.#places.open(started++, address, EPOLLOUT, options);
		};
		start();
		turnUntilOver(this.#kernel, this.#places, {
			what: `${count} subscribers at port ${port}, ${path}`,
			timeoutMs: OPEN_TIMEOUT_MS,
			isOver: () => done === count,
			progress: () => `${done} have subscribed`,
			hear: (place) => {
				if (!this.#advance(place)) return;
				done++;
				start();
			},
		});
	}

	/** Takes all that has come to anybody, and tells of the numbered messages in it. Pings are answered. */
	sweep(hear: HearNumbered): void {
		for (let place = 0; place < this.count; place++) this.sweepOne(place, hear);
	}

	sweepOne(place: number, hear: HearNumbered): void {
		while (this.#takeSome(place, HEAR_BYTES, hear));
	}

	/** The same for who takes little: so many bytes at most. */
	sip(place: number, bytes: number, hear: HearNumbered): void {
		this.#takeSome(place, bytes, hear);
	}

	/** False: nothing has come. */
	#takeSome(place: number, bytes: number, hear: HearNumbered): boolean {
		if (!this.isAlive(place)) return false;
		const end = this.#receive(place, bytes);
		if (end === NOTHING_CAME) return false;
		this.#takeFrames(place, HEAR_AT, end, hear);
		return true;
	}

	close(): void {
		for (let place = 0; place < this.count; place++) if (this.isAlive(place)) this.leave(place);
	}

	leave(place: number): void {
		this.#wire.drop(place);
		this.#places.close(place);
		this.#rests.delete(place);
	}

	/** True: it is there, for the first time. */
	#advance(place: number): boolean {
		switch (u8(this.#states, place)) {
			case CONNECTING: {
				const error = this.#kernel.takeError(this.#fd(place));
				if (error !== 0) throw new Error(`a subscriber connects: ${errorName(error)}`);
				this.#places.watch(place, EPOLLIN);
				this.#states[place] = SHAKING;
				return this.#shake(place);
			}
			case SHAKING:
				return this.#shake(place);
			default:
				return this.#hear(place);
		}
	}

	#shake(place: number): boolean {
		const result = this.#wire.shake(place, this.#fd(place));
		if (result === -EAGAIN) return false;
		if (result < 0) throw new Error(`a subscriber shakes hands: ${errorName(-result)}`);
		this.#states[place] = ASKING;
		this.#say(place, this.#request());
		return false;
	}

	/** Within TLS, more may have been taken from the kernel than is given at once, and nobody tells of that. */
	#hear(place: number): boolean {
		for (;;) {
			const end = this.#receive(place);
			if (end === NOTHING_CAME) return false;
			const isAsking = u8(this.#states, place) === ASKING;
			if (isAsking ? this.#takeHandshake(place, end) : this.#takeConfirmation(place, HEAR_AT, end))
				return true;
		}
	}

	#request(): Uint8Array {
		return UTF8.encode(
			`GET ${this.#door.path} HTTP/1.1\r\nHost: localhost:${this.#door.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
				`Sec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
		);
	}

	#takeHandshake(place: number, end: number): boolean {
		const text = LATIN1.decode(this.#kernel.memory.subarray(HEAR_AT, end));
		const head = text.indexOf("\r\n\r\n") + 4;
		if (head < 4) {
			this.#keep(place, HEAR_AT, end);
			return false;
		}
		if (!text.startsWith("HTTP/1.1 101 ") || !text.includes(ACCEPT))
			throw new Error(`no WebSocket was granted: ${text.slice(0, 300)}`);
		if (this.#door.says !== null) this.#say(place, clientFrame(TEXT, UTF8.encode(this.#door.says)));
		this.#states[place] = SUBSCRIBING;
		return this.#takeConfirmation(place, HEAR_AT + head, end);
	}

	#takeConfirmation(place: number, start: number, end: number): boolean {
		const { confirms } = this.#door;
		const rest = this.#eachFrame(place, start, end, () => {});
		const isConfirmed =
			confirms === null || LATIN1.decode(this.#kernel.memory.subarray(start, rest)).includes(confirms);
		this.#keep(place, rest, end);
		if (!isConfirmed) return false;
		this.#states[place] = THERE;
		if (this.#watchesEnds) this.#places.watch(place, EPOLLRDHUP | EPOLLET);
		else this.#kernel.readiness.remove(this.#fd(place));
		return true;
	}

	#takeFrames(place: number, start: number, end: number, hear: HearNumbered): void {
		const { memory } = this.#kernel;
		const rest = this.#eachFrame(place, start, end, ({ payloadAt, end: frameEnd }) => {
			const number = numberIn(memory, payloadAt, frameEnd);
			if (number >= 0) hear(place, number, frameEnd === end);
			else this.#meeting.said(place, LATIN1.decode(memory.subarray(payloadAt, frameEnd)));
		});
		this.#keep(place, rest, end);
	}

	/** Returns where the first frame begins that is not whole. */
	#eachFrame(
		place: number,
		start: number,
		end: number,
		take: (frame: { payloadAt: number; end: number }) => void,
	): number {
		const { memory } = this.#kernel;
		const frame = this.#frame;
		let at = start;
		while (readServerFrame(memory, at, end, frame)) {
			if (frame.opcode === CLOSE) this.#sentAway(place);
			else if (frame.opcode === PING) this.#say(place, clientFrame(PONG, this.#payload()));
			else take(frame);
			at = frame.end;
		}
		return at;
	}

	#payload(): Uint8Array {
		return this.#kernel.memory.slice(this.#frame.payloadAt, this.#frame.end);
	}

	#sentAway(place: number): void {
		const payload = this.#payload();
		const code = payload.length < 2 ? NO_CODE : (u8(payload, 0) << 8) | u8(payload, 1);
		// A close is answered. Whether that still goes is nobody's concern.
		this.#trySay(place, clientFrame(CLOSE, payload.subarray(0, 2)));
		this.#meeting.sentAway(place, code, LATIN1.decode(payload.subarray(2)));
	}

	/** Receives up to so many bytes behind what is left of before. Returns where it ends, or NOTHING_CAME. */
	#receive(place: number, bytes = HEAR_BYTES): number {
		const rest = this.#rests.get(place) ?? NO_REST;
		this.#kernel.memory.set(rest, HEAR_AT);
		const from = HEAR_AT + rest.length;
		const length = Math.min(bytes, HEAR_BYTES - rest.length);
		const count = this.#wire.receive(place, this.#fd(place), from, length);
		if (count === -EAGAIN) return NOTHING_CAME;
		if (count > 0) return from + count;
		this.leave(place);
		this.#meeting.ended(place, count === 0 ? null : errorName(-count));
		return NOTHING_CAME;
	}

	#keep(place: number, from: number, end: number): void {
		if (end > from) this.#rests.set(place, this.#kernel.memory.slice(from, end));
		else this.#rests.delete(place);
	}

	/** Little, to a socket that has room. */
	#say(place: number, bytes: Uint8Array): void {
		const count = this.#trySay(place, bytes);
		if (count !== bytes.length) throw new Error(`a subscriber said ${count} bytes of ${bytes.length}`);
	}

	#trySay(place: number, bytes: Uint8Array): number {
		this.#kernel.memory.set(bytes, SAY_AT);
		return this.#wire.send(place, this.#fd(place), SAY_AT, bytes.length);
	}

	#fd(place: number): number {
		return this.#places.fd(place);
	}
}
