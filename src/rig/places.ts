/**
 * Connections of a client: a row of places, each with one connection at a time. The place is the slot of its news.
 *
 *     free ──open──► connecting, established ──close, reset──► free, for the next
 */
import { errorName } from "../kernel/constants.js";
import type { LinuxKernel } from "../kernel/linux.js";
import { i32 } from "../parts/at.js";
import { type ConnectOptions, connect } from "./connect.js";
import type { Row } from "./turn.js";

const NONE = -1;

export class Places implements Row {
	readonly #kernel: LinuxKernel;
	/** Changed by this class alone. */
	readonly serials: Int32Array;
	readonly #fds: Int32Array;
	#taken = 0;

	constructor(kernel: LinuxKernel, count: number) {
		this.#kernel = kernel;
		this.serials = new Int32Array(count);
		this.#fds = new Int32Array(count).fill(NONE);
	}

	get count(): number {
		return this.#fds.length;
	}

	/** How many have a connection. */
	get taken(): number {
		return this.#taken;
	}

	isTaken(place: number): boolean {
		return i32(this.#fds, place) !== NONE;
	}

	/** `undefined`: all are taken. */
	firstFree(): number | undefined {
		const place = this.#fds.indexOf(NONE);
		return place < 0 ? undefined : place;
	}

	/** The descriptor of its connection. */
	fd(place: number): number {
		return i32(this.#fds, place);
	}

	/** Starts to connect, and watches for `interest`. Returns 0, or a negative errno, and then the place is free. */
	tryOpen(place: number, address: Uint8Array, interest: number, options?: ConnectOptions): number {
		if (this.isTaken(place)) throw new Error(`place ${place} has a connection`);
		const fd = connect(this.#kernel, address, options);
		if (fd < 0) return fd;
		this.#fds[place] = fd;
		this.#taken++;
		this.#kernel.readiness.add(fd, interest, place, i32(this.serials, place));
		return 0;
	}

	/** The same, for callers to whom a failure is one of their own. */
	open(place: number, address: Uint8Array, interest: number, options?: ConnectOptions): void {
		const result = this.tryOpen(place, address, interest, options);
		if (result < 0) throw new Error(`connect: ${errorName(-result)}`);
	}

	/** Watches for something else. */
	watch(place: number, interest: number): void {
		this.#kernel.readiness.modify(this.fd(place), interest, place, i32(this.serials, place));
	}

	close(place: number): void {
		this.#kernel.close(this.#giveUp(place));
	}

	/** Ends it with a reset. */
	reset(place: number): void {
		this.#kernel.reset(this.#giveUp(place));
	}

	closeAll(): void {
		for (let place = 0; place < this.count; place++) if (this.isTaken(place)) this.close(place);
	}

	#giveUp(place: number): number {
		const fd = this.fd(place);
		if (fd === NONE) throw new Error(`place ${place} has no connection`);
		this.#fds[place] = NONE;
		this.#taken--;
		this.serials[place] = i32(this.serials, place) + 1;
		return fd;
	}
}
