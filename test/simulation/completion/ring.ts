/**
 * A completion kernel: operations are submitted, are carried out at any time from then on, and are said to be completed at any
 * time from then on, in any order. In between their buffers are the kernel's.
 *
 * - A receive takes a buffer of the group that was provided, when there is something to receive; without one it fails.
 * - A send may take a part.
 * - One that is cancelled may have been carried out all the same. Each has one completion, whatever becomes of it.
 */
import { EAGAIN, ENOBUFS } from "../../../src/kernel/constants.js";
import type { Random } from "../../../src/rig/random.js";
import type { SimulatedSocket } from "../descriptors.js";
import { CALM, type Faults } from "../faults.js";
import type { SimulatedKernel } from "../simulated-kernel.js";
import { operation, type Trace, violated } from "../trace.js";

export const ECANCELED = 125;

export const RECEIVE = 0;
export const SEND = 1;

const NO_BUFFER = -1;

/** Whose operation it is. */
export interface UserData {
	readonly kind: number;
	readonly slot: number;
	readonly generation: number;
}

export interface Completion extends UserData {
	/** Bytes, 0 at an end, or a negative errno. */
	readonly result: number;
	/** A receive's, when it has brought bytes. */
	readonly buffer: number;
}

interface Operation extends UserData {
	readonly socket: SimulatedSocket;
	readonly start: number;
	readonly length: number;
	/** What a send's buffer held when it was submitted. */
	readonly content: Uint8Array | undefined;
	isCancelled: boolean;
}

export class SimulatedRing {
	faults: Faults = CALM;
	readonly memory: Uint8Array;
	readonly bufferBytes: number;
	readonly #kernel: SimulatedKernel;
	readonly #random: Random;
	readonly #trace: Trace;
	readonly #provided: number[] = [];
	readonly #operations: Operation[] = [];
	/** Carried out, and not said yet. */
	readonly #completed: { readonly operation: Operation; readonly completion: Completion }[] = [];

	/** Buffer `i` lies in `memory` from `i * bufferBytes` on. */
	constructor(
		kernel: SimulatedKernel,
		random: Random,
		trace: Trace,
		memory: Uint8Array,
		bufferBytes: number,
	) {
		this.#kernel = kernel;
		this.#random = random;
		this.#trace = trace;
		this.memory = memory;
		this.bufferBytes = bufferBytes;
	}

	/** Buffers of receives that are the kernel's: free, or filled by what it has not said yet. */
	get buffers(): number {
		return (
			this.#provided.length +
			this.#completed.filter(({ completion: { buffer } }) => buffer !== NO_BUFFER).length
		);
	}

	/** Operations that have no completion yet. */
	get underWay(): number {
		return this.#operations.length + this.#completed.length;
	}

	/** Something is done when it is asked for completions next. */
	get hasNews(): boolean {
		return this.#completed.length > 0 || this.#operations.some(canGoOn);
	}

	// What is submitted.

	/** A buffer is free for whichever receive needs one first. */
	provide(buffer: number): void {
		if (this.#provided.includes(buffer)) violated(`buffer ${buffer} is provided twice`);
		// Nobody reads what was in it.
		this.memory.fill(0xee, buffer * this.bufferBytes, (buffer + 1) * this.bufferBytes);
		this.#provided.push(buffer);
	}

	receive(fd: number, user: UserData): void {
		this.#submit(fd, user, 0, this.bufferBytes, undefined);
	}

	send(fd: number, start: number, length: number, user: UserData): void {
		this.#submit(fd, user, start, length, this.memory.slice(start, start + length));
	}

	#submit(
		fd: number,
		{ kind, slot, generation }: UserData,
		start: number,
		length: number,
		content: Uint8Array | undefined,
	): void {
		const socket = this.#socketAt(fd);
		for (const other of [...this.#operations, ...this.#completed.map(({ operation }) => operation)])
			if (other.socket === socket && other.kind === kind)
				violated(`descriptor ${fd} has two operations of one kind: their bytes could change places`);
		this.#trace.note(kind === RECEIVE ? SUBMIT_RECEIVE : SUBMIT_SEND, fd, length, slot);
		this.#operations.push({ kind, slot, generation, socket, start, length, content, isCancelled: false });
	}

	cancel(fd: number, kind: number): void {
		const socket = this.#socketAt(fd);
		this.#trace.note(CANCEL, fd, kind, 0);
		for (const each of this.#operations)
			if (each.socket === socket && each.kind === kind) each.isCancelled = true;
	}

	/** Nothing is under way with a socket. */
	isIdle(socket: SimulatedSocket): boolean {
		return (
			!this.#operations.some((each) => each.socket === socket) &&
			!this.#completed.some(({ operation: each }) => each.socket === socket)
		);
	}

	// What is completed.

	/** Carries out what can be, or some of it, and says what is completed, or some of that. */
	reap(heard: (completion: Completion) => void): void {
		const { late } = this.faults;
		const random = this.#random;
		for (const each of this.#shuffled(this.#operations)) {
			if (random.chance(late)) continue;
			const completion = this.#carryOut(each);
			if (completion === undefined) continue;
			this.#operations.splice(this.#operations.indexOf(each), 1);
			this.#completed.push({ operation: each, completion });
		}
		for (const each of this.#shuffled(this.#completed)) {
			if (random.chance(late)) continue;
			this.#completed.splice(this.#completed.indexOf(each), 1);
			this.#checkContent(each.operation);
			const { kind, result, slot } = each.completion;
			this.#trace.note(kind === RECEIVE ? RECEIVED : SENT, each.operation.socket.fd, result, slot);
			heard(each.completion);
		}
	}

	#shuffled<Each>(list: readonly Each[]): Each[] {
		const shuffled = [...list];
		for (let i = shuffled.length - 1; i > 0; i--) {
			const other = this.#random.below(i + 1);
			[shuffled[i], shuffled[other]] = [shuffled[other] as Each, shuffled[i] as Each];
		}
		return shuffled;
	}

	#carryOut(each: Operation): Completion | undefined {
		const { kind, slot, generation } = each;
		if (each.isCancelled && this.#random.chance(0.7))
			return { kind, slot, generation, result: -ECANCELED, buffer: NO_BUFFER };
		let buffer = NO_BUFFER;
		let result: number;
		if (kind === RECEIVE) {
			buffer = this.#provided[0] ?? NO_BUFFER;
			result = this.#fill(each.socket, buffer);
			if (result > 0) this.#provided.shift();
			else buffer = NO_BUFFER;
		} else {
			this.#checkContent(each);
			result = this.#kernel.put(each.socket, each.length);
			if (result > 0) each.socket.sending -= result;
		}
		if (result !== -EAGAIN) return { kind, slot, generation, result, buffer };
		return each.isCancelled ? { kind, slot, generation, result: -ECANCELED, buffer } : undefined;
	}

	#fill(socket: SimulatedSocket, buffer: number): number {
		if (buffer === NO_BUFFER || this.#random.chance(this.faults.exhausted))
			return socket.waiting > 0 ? -ENOBUFS : this.#kernel.glance(socket, this.memory, 0, 0);
		return this.#kernel.receiveAhead(socket, this.memory, buffer * this.bufferBytes, this.bufferBytes);
	}

	#checkContent({ content, start, length, socket }: Operation): void {
		if (content === undefined) return;
		if (Buffer.compare(content, this.memory.subarray(start, start + length)) !== 0)
			violated(`what descriptor ${socket.fd} is sent was written over before its send was completed`);
	}

	// Calls: what an engine without a buffer does at once.

	peekNow(fd: number, memory: Uint8Array, offset: number, length: number): number {
		return this.#kernel.glance(this.#unread(fd), memory, offset, length);
	}

	receiveNow(fd: number, memory: Uint8Array, offset: number, length: number): number {
		return this.#kernel.receiveAhead(this.#unread(fd), memory, offset, length);
	}

	sendNow(fd: number, memory: Uint8Array, offset: number, length: number): number {
		const socket = this.#socketAt(fd);
		if (this.#operations.some((each) => each.socket === socket && each.kind === SEND))
			violated(`a send overtakes the operation that is under way on descriptor ${fd}`);
		if (offset + length > memory.length) violated(`a send of ${length} bytes at ${offset}`);
		const count = this.#kernel.put(socket, length);
		if (count > 0) socket.sending -= count;
		return count;
	}

	#unread(fd: number): SimulatedSocket {
		const socket = this.#socketAt(fd);
		if (this.#operations.some((each) => each.socket === socket && each.kind === RECEIVE))
			violated(`a read overtakes the operation that is under way on descriptor ${fd}`);
		return socket;
	}

	#socketAt(fd: number): SimulatedSocket {
		const socket = this.#kernel.socketAt(fd);
		if (socket === undefined) violated(`an operation on descriptor ${fd}, which is no open socket`);
		return socket;
	}
}

/** An operation that would be carried out now. */
function canGoOn({ kind, socket, isCancelled }: Operation): boolean {
	if (isCancelled || socket.dead) return true;
	return kind === RECEIVE ? socket.waiting > 0 || socket.finished || socket.error !== 0 : socket.room > 0;
}

const SUBMIT_RECEIVE = operation("submit receive");
const SUBMIT_SEND = operation("submit send");
const CANCEL = operation("cancel");
const RECEIVED = operation("received");
const SENT = operation("sent");
