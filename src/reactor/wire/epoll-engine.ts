/** The engine over epoll: bytes stay in the kernel until they are asked for, so each call is the kernel's. */

import {
	EINTR,
	EPOLLET,
	EPOLLIN,
	EPOLLOUT,
	EPOLLPRI,
	EPOLLRDHUP,
	SO_RCVLOWAT,
	SOL_SOCKET,
} from "../../kernel/constants.js";
import type { Kernel, Readiness } from "../../kernel/kernel.js";
import { i32 } from "../../parts/at.js";
import { NONE } from "../../parts/none.js";
import type { Slot } from "../table/numbers.js";
import type { Engine, EngineRows } from "./engine.js";

/**
 * Always edges: peeked bytes stay in the kernel, and level-triggered readiness would report them for ever. Writability is not asked
 * for until something blocks, because every new socket would report it at once.
 */
const INPUT = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;

export class EpollEngine implements Engine {
	readonly readiness: Readiness;
	readonly sharesDescriptors = true;
	readonly #kernel: Kernel;
	readonly #fd: Int32Array;
	readonly #generation: Int32Array;

	constructor(kernel: Kernel, { fd, generation }: EngineRows) {
		this.#kernel = kernel;
		this.readiness = kernel.readiness;
		this.#fd = fd;
		this.#generation = generation;
	}

	watch(slot: Slot): number {
		return this.readiness.add(i32(this.#fd, slot), INPUT, slot, i32(this.#generation, slot));
	}

	watchConnecting(slot: Slot): number {
		return this.readiness.add(i32(this.#fd, slot), INPUT | EPOLLOUT, slot, i32(this.#generation, slot));
	}

	watchRoom(slot: Slot): void {
		// Modifying reports the state as it is now, so an edge in between is not lost.
		this.readiness.modify(i32(this.#fd, slot), INPUT | EPOLLOUT, slot, i32(this.#generation, slot));
	}

	awaitBytes(slot: Slot, count: number): number {
		return this.#kernel.setOption(i32(this.#fd, slot), SOL_SOCKET, SO_RCVLOWAT, count);
	}

	peek(slot: Slot, offset: number, length: number): number {
		const fd = i32(this.#fd, slot);
		let count = this.#kernel.peek(fd, offset, length);
		while (count === -EINTR) count = this.#kernel.peek(fd, offset, length);
		return count;
	}

	receive(slot: Slot, offset: number, length: number): number {
		const fd = i32(this.#fd, slot);
		let count = this.#kernel.receive(fd, offset, length);
		while (count === -EINTR) count = this.#kernel.receive(fd, offset, length);
		return count;
	}

	discard(slot: Slot, length: number): number {
		const fd = i32(this.#fd, slot);
		let count = this.#kernel.discard(fd, length);
		while (count === -EINTR) count = this.#kernel.discard(fd, length);
		return count;
	}

	send(slot: Slot, offset: number, length: number, more: boolean): number {
		const fd = i32(this.#fd, slot);
		let count = this.#kernel.send(fd, offset, length, more);
		while (count === -EINTR) count = this.#kernel.send(fd, offset, length, more);
		return count;
	}

	isFlushed(): boolean {
		return true;
	}

	undelivered(slot: Slot): number {
		return this.#kernel.undelivered(i32(this.#fd, slot));
	}

	socketMemory(slot: Slot): number {
		const fd = i32(this.#fd, slot);
		// A client of datagrams has no socket of its own.
		return fd === NONE ? 0 : this.#kernel.socketMemory(fd);
	}

	takeError(slot: Slot): number {
		return this.#kernel.takeError(i32(this.#fd, slot));
	}

	shutdownWrite(slot: Slot): number {
		return this.#kernel.shutdownWrite(i32(this.#fd, slot));
	}

	close(slot: Slot): void {
		this.#kernel.close(i32(this.#fd, slot));
	}

	reset(slot: Slot): void {
		this.#kernel.reset(i32(this.#fd, slot));
	}

	fillPipe(slot: Slot, writeEnd: number, length: number): number {
		const fd = i32(this.#fd, slot);
		let count = this.#kernel.splice(fd, writeEnd, length);
		while (count === -EINTR) count = this.#kernel.splice(fd, writeEnd, length);
		return count;
	}

	drainPipe(slot: Slot, readEnd: number, length: number): number {
		const fd = i32(this.#fd, slot);
		let count = this.#kernel.splice(readEnd, fd, length);
		while (count === -EINTR) count = this.#kernel.splice(readEnd, fd, length);
		return count;
	}
}
