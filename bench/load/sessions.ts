/**
 * A connection per session: connect, say something, such as a ClientHello, read the answer, see the end, close.
 *
 * The backend ends each session and not the client: so TIME_WAIT stays with listening ports, and
 * neither the generator nor the proxies run out of ephemeral ports (28,000 here, 60 s each).
 */

import { EAGAIN, EPOLLET, EPOLLIN, EPOLLOUT, EPOLLRDHUP, errorName } from "../../src/kernel/constants.js";
import type { LinuxKernel } from "../../src/kernel/linux.js";
import { i32 } from "../../src/parts/at.js";
import { loopback } from "../../src/rig/connect.js";
import { Places } from "../../src/rig/places.js";
import { turnUntilOver } from "../../src/rig/turn.js";

const SCRATCH_BYTES = 4096;
const TIMEOUT_MS = 120_000;
/** Edge-triggered, so that one epoll_ctl serves a session: first "connected", later "answered" and "ended". */
const INTEREST = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

export interface SessionLoad {
	readonly port: number;
	readonly count: number;
	/** Sessions in flight. */
	readonly concurrency: number;
	/** Said in turn. */
	readonly says: readonly Saying[];
	/** How long each answer is; `null`: as long as the first one. */
	readonly answerBytes: number | null;
}

export interface Saying {
	readonly bytes: Uint8Array;
	/** What the answer must begin with: a proxy that is fast because it routes wrongly must not win. */
	readonly begins: Uint8Array;
}

/** Returns the wall time in ms. */
export function runSessions(kernel: LinuxKernel, load: SessionLoad): number {
	const runner = new SessionRunner(kernel, load);
	try {
		return runner.run();
	} finally {
		runner.closeAll();
	}
}

class SessionRunner {
	readonly #kernel: LinuxKernel;
	readonly #load: SessionLoad;
	readonly #address: Uint8Array;
	readonly #sayAt: number[] = [];
	readonly #scratchAt: number;
	/** One per session in flight. */
	readonly #places: Places;
	/** Which session of all, by place. */
	readonly #numbers: Int32Array;
	readonly #received: Int32Array;
	readonly #asked: Uint8Array;
	#answerBytes: number | null;
	#started = 0;
	#done = 0;

	constructor(kernel: LinuxKernel, load: SessionLoad) {
		this.#kernel = kernel;
		this.#load = load;
		this.#address = loopback(load.port);
		let offset = 0;
		for (const { bytes } of load.says) {
			kernel.memory.set(bytes, offset);
			this.#sayAt.push(offset);
			offset += bytes.length;
		}
		this.#answerBytes = load.answerBytes;
		this.#scratchAt = offset;
		this.#places = new Places(kernel, load.concurrency);
		this.#numbers = new Int32Array(load.concurrency);
		this.#received = new Int32Array(load.concurrency);
		this.#asked = new Uint8Array(load.concurrency);
	}

	run(): number {
		const { count, concurrency } = this.#load;
		for (let place = 0; place < Math.min(count, concurrency); place++) this.#start(place);
		return turnUntilOver(this.#kernel, this.#places, {
			what: `${count} sessions`,
			timeoutMs: TIMEOUT_MS,
			isOver: () => this.#done === count,
			progress: () => `${this.#done} are done`,
			hear: (place) => this.#advance(place),
		});
	}

	closeAll(): void {
		this.#places.closeAll();
	}

	#start(place: number): void {
		this.#numbers[place] = this.#started++;
		this.#received[place] = 0;
		this.#asked[place] = 0;
		this.#places.open(place, this.#address, INTEREST);
	}

	#advance(place: number): void {
		const fd = this.#places.fd(place);
		if (this.#asked[place] === 0) this.#say(place, fd);
		else this.#readAnswer(place, fd);
	}

	#say(place: number, fd: number): void {
		const which = this.#whichOf(place);
		const { length } = this.#sayingOf(which).bytes;
		const count = this.#kernel.send(fd, this.#sayAt[which] as number, length);
		if (count === -EAGAIN) return; // not connected yet
		if (count < 0) throw new Error(`saying the first bytes: ${errorName(-count)}`);
		if (count !== length) throw new Error(`sent ${count} of the first ${length} bytes`);
		this.#asked[place] = 1;
	}

	#readAnswer(place: number, fd: number): void {
		for (;;) {
			const count = this.#kernel.receive(fd, this.#scratchAt, SCRATCH_BYTES);
			if (count === -EAGAIN) return;
			if (count < 0) throw new Error(`reading an answer: ${errorName(-count)}`);
			if (count === 0) break;
			if (this.#received[place] === 0) this.#checkBeginning(place);
			this.#received[place] = (this.#received[place] as number) + count;
		}
		const received = i32(this.#received, place);
		this.#answerBytes ??= received;
		if (received !== this.#answerBytes || received === 0)
			throw new Error(`an answer of ${received} bytes instead of ${this.#answerBytes}`);
		this.#places.close(place);
		this.#done++;
		if (this.#started < this.#load.count) this.#start(place);
	}

	#checkBeginning(place: number): void {
		const which = this.#whichOf(place);
		const { begins } = this.#sayingOf(which);
		const answer = this.#kernel.memory.subarray(this.#scratchAt, this.#scratchAt + begins.length);
		if (begins.some((byte, i) => answer[i] !== byte))
			throw new Error(
				`what session ${which} of ${this.#load.says.length} was answered begins with ${JSON.stringify(Buffer.from(answer).toString("latin1"))}: another backend's`,
			);
	}

	#whichOf(place: number): number {
		return i32(this.#numbers, place) % this.#load.says.length;
	}

	#sayingOf(which: number): Saying {
		return this.#load.says[which] as Saying; // below their number
	}
}
