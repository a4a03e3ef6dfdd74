/**
 * What all threads know of each upstream address: shared memory that reactors and the main thread read
 * and write without messages. An address keeps its place for as long as a config or a session names it.
 */
import { ADDRESSES_MAX } from "../config/bounds.js";

/** Twice the addresses that a configuration may have: a reload may replace all while sessions still use those of before. */
export const PLACES = 2 * ADDRESSES_MAX;

const CHECKED_DOWN = 1;
const DRAINED = 2;

/** Room for the shared columns below, and for how often weights were changed. */
const BYTES = PLACES * (8 + 4 * 7) + 4;

export class Board {
	readonly buffer: SharedArrayBuffer;
	/** Passive ejection lasts until then (milliseconds on the kernel's clock); 0 = not ejected. */
	readonly #ejectedUntilMs: Float64Array;
	/** Sessions that use the address now. */
	readonly #active: Int32Array;
	/** Connect failures since the last success. */
	readonly #failures: Int32Array;
	/** Why it gets no session: bits, CHECKED_DOWN and DRAINED. */
	readonly #down: Int32Array;
	/** Times that it was ejected: each is told, also one that is over when the main thread looks. */
	readonly #ejections: Int32Array;
	/** Its share of sessions, in force; 0 = 1. */
	readonly #weight: Int32Array;
	/** The same as the file has it. */
	readonly #fileWeight: Int32Array;
	/** Lines that are parked, of all reactors, where the address is an agent's. */
	readonly #parked: Int32Array;
	/** One number: how often any weight was changed. */
	readonly #weightChanges: Int32Array;

	constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(BYTES)) {
		this.buffer = buffer;
		this.#ejectedUntilMs = new Float64Array(buffer, 0, PLACES);
		this.#active = new Int32Array(buffer, PLACES * 8, PLACES);
		this.#failures = new Int32Array(buffer, PLACES * 12, PLACES);
		this.#down = new Int32Array(buffer, PLACES * 16, PLACES);
		this.#ejections = new Int32Array(buffer, PLACES * 20, PLACES);
		this.#weight = new Int32Array(buffer, PLACES * 24, PLACES);
		this.#fileWeight = new Int32Array(buffer, PLACES * 28, PLACES);
		this.#parked = new Int32Array(buffer, PLACES * 32, PLACES);
		this.#weightChanges = new Int32Array(buffer, PLACES * 36, 1);
	}

	active(address: number): number {
		return Atomics.load(this.#active, address);
	}

	enter(address: number): void {
		Atomics.add(this.#active, address, 1);
	}

	/** Counts a session unless so many use the address already, in whichever reactor. */
	tryEnter(address: number, most: number): boolean {
		for (let active = this.active(address); active < most; ) {
			const found = Atomics.compareExchange(this.#active, address, active, active + 1);
			if (found === active) return true;
			active = found;
		}
		return false;
	}

	leave(address: number): void {
		Atomics.sub(this.#active, address, 1);
	}

	/** Lines of an agent that wait for visitors, in all reactors. */
	parked(address: number): number {
		return Atomics.load(this.#parked, address);
	}

	/** So many more of them, or fewer. */
	lines(address: number, more: 1 | -1): void {
		Atomics.add(this.#parked, address, more);
	}

	/** An active check found it so. */
	setDown(address: number, down: boolean): void {
		this.#set(address, CHECKED_DOWN, down);
	}

	/** An operator wants its sessions to end by themselves, and no new one. */
	setDrained(address: number, drained: boolean): void {
		this.#set(address, DRAINED, drained);
	}

	isDrained(address: number): boolean {
		return (Atomics.load(this.#down, address) & DRAINED) !== 0;
	}

	/** It gets no session, whoever said so. */
	isDown(address: number): boolean {
		return Atomics.load(this.#down, address) !== 0;
	}

	#set(address: number, bit: number, value: boolean): void {
		if (value) Atomics.or(this.#down, address, bit);
		else Atomics.and(this.#down, address, ~bit);
	}

	isEjected(address: number, nowMs: number): boolean {
		return (this.#ejectedUntilMs[address] as number) > nowMs;
	}

	/** Neither down nor ejected. */
	isHealthy(address: number, nowMs: number): boolean {
		return !this.isDown(address) && !this.isEjected(address, nowMs);
	}

	connected(address: number): void {
		// Read before written: the line is shared by all reactors, and is nearly always 0 already.
		if (Atomics.load(this.#failures, address) === 0) return;
		Atomics.store(this.#failures, address, 0);
		this.#ejectedUntilMs[address] = 0;
	}

	/** Counts a failed connect, and ejects the address after `limit` in a row. True when this one ejected it. */
	failed(address: number, limit: number, forMs: number, nowMs: number): boolean {
		const failures = Atomics.add(this.#failures, address, 1) + 1;
		if (failures < limit) return false;
		const already = this.isEjected(address, nowMs);
		this.#ejectedUntilMs[address] = nowMs + forMs;
		if (!already) Atomics.add(this.#ejections, address, 1);
		return !already;
	}

	ejections(address: number): number {
		return Atomics.load(this.#ejections, address);
	}

	/** Connect failures since the last success. */
	failures(address: number): number {
		return Atomics.load(this.#failures, address);
	}

	weight(address: number): number {
		return Atomics.load(this.#weight, address) || 1;
	}

	/** Differs from what it was when a weight has changed since. */
	get weightChanges(): number {
		return Atomics.load(this.#weightChanges, 0);
	}

	/** An operator says so. Holds until the file says another one than before. */
	setWeight(address: number, weight: number): void {
		if (weight === this.weight(address)) return;
		Atomics.store(this.#weight, address, weight);
		Atomics.add(this.#weightChanges, 0, 1);
	}

	/** The file says so. */
	setFileWeight(address: number, weight: number): void {
		if (weight === (Atomics.load(this.#fileWeight, address) || 1)) return;
		Atomics.store(this.#fileWeight, address, weight);
		this.setWeight(address, weight);
	}

	/** Clears a place for its next address. */
	reset(address: number): void {
		this.setWeight(address, 1);
		Atomics.store(this.#fileWeight, address, 1);
		this.#ejectedUntilMs[address] = 0;
		Atomics.store(this.#failures, address, 0);
		Atomics.store(this.#down, address, 0);
	}
}
