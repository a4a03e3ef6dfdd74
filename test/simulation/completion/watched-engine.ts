/**
 * An engine whose every call is looked at: what the reactor takes, sends and ends is checked as it is asked for, whatever is
 * still under way; and of the kernel, that it was asked for what the reactor had wanted.
 */

import type { Readiness } from "../../../src/kernel/kernel.js";
import { i32 } from "../../../src/parts/at.js";
import { SCRATCH_BYTES } from "../../../src/reactor/memory/arena.js";
import type { Slot } from "../../../src/reactor/table/numbers.js";
import type { Engine, EngineRows } from "../../../src/reactor/wire/engine.js";
import type { Role, SimulatedSocket } from "../descriptors.js";
import type { SimulatedKernel } from "../simulated-kernel.js";
import type { Witness } from "../simulated-network.js";
import type { Stream } from "../stream.js";
import { violated } from "../trace.js";

export class WatchedEngine implements Engine, Witness {
	readonly readiness: Readiness;
	readonly sharesDescriptors: boolean;
	readonly #engine: Engine;
	readonly #rows: EngineRows;
	readonly #kernel: SimulatedKernel;
	readonly #witness: Witness;
	/** The reactor has closed them, and what was sent is still under way. */
	readonly #closing = new Set<SimulatedSocket>();
	readonly #measured = new WeakMap<SimulatedSocket, number>();
	/** By socket: how many bytes somebody has asked to see at once. */
	readonly #asked = new WeakMap<SimulatedSocket, number>();

	/** `witness`: who was told by the kernel itself, so far. */
	constructor(engine: Engine, rows: EngineRows, kernel: SimulatedKernel, witness: Witness) {
		this.#engine = engine;
		this.#rows = rows;
		this.#kernel = kernel;
		this.#witness = witness;
		this.readiness = engine.readiness;
		this.sharesDescriptors = engine.sharesDescriptors;
		kernel.witness = this;
	}

	#socketOf(slot: number): SimulatedSocket {
		const socket = this.#kernel.socketAt(i32(this.#rows.fd, slot));
		if (socket === undefined) violated(`row ${slot} has no open socket`);
		return socket;
	}

	watch(slot: number): number {
		return this.#engine.watch(slot as Slot);
	}

	watchConnecting(slot: number): number {
		return this.#engine.watchConnecting(slot as Slot);
	}

	watchRoom(slot: number): void {
		this.#engine.watchRoom(slot as Slot);
	}

	awaitBytes(slot: number, count: number): number {
		this.#ask(this.#socketOf(slot), count);
		return this.#engine.awaitBytes(slot as Slot, count);
	}

	#ask(socket: SimulatedSocket, count: number): void {
		if (count > (this.#asked.get(socket) ?? 1)) this.#asked.set(socket, count);
	}

	peek(slot: number, offset: number, length: number): number {
		const socket = this.#socketOf(slot);
		this.#ask(socket, length);
		const count = this.#engine.peek(slot as Slot, offset, length);
		if (count > 0) socket.seen = Math.max(socket.seen, socket.taken + count);
		return count;
	}

	receive(slot: number, offset: number, length: number): number {
		return this.#taken(slot, this.#engine.receive(slot as Slot, offset, length));
	}

	discard(slot: number, length: number): number {
		return this.#taken(slot, this.#engine.discard(slot as Slot, length));
	}

	#taken(slot: number, count: number): number {
		if (count <= 0) return count;
		const socket = this.#socketOf(slot);
		socket.taken += count;
		socket.ahead -= count;
		if (socket.ahead < 0) violated(`row ${slot} is given ${-socket.ahead} bytes that were never received`);
		return count;
	}

	send(slot: number, offset: number, length: number, more: boolean): number {
		const socket = this.#socketOf(slot);
		this.#witness.trying(socket);
		const isFirst = socket.queued + socket.sending === 0;
		const count = this.#engine.send(slot as Slot, offset, length, more);
		if (count <= 0) return count;
		this.#witness.sending(socket, this.#kernel.memory, offset, count);
		if (isFirst) socket.queuedSinceMs = this.#kernel.nowMs;
		socket.sent += count;
		socket.sending += count;
		return count;
	}

	isFlushed(slot: number): boolean {
		return this.#engine.isFlushed(slot as Slot);
	}

	undelivered(slot: number): number {
		return this.#engine.undelivered(slot as Slot);
	}

	socketMemory(slot: number): number {
		const socket = this.#socketOf(slot);
		this.#witness.measured(socket);
		const bytes = this.#engine.socketMemory(slot as Slot);
		this.#measured.set(socket, bytes);
		return bytes;
	}

	/** What the reactor was told of a socket when it asked last. */
	measuredLast(socket: SimulatedSocket): number {
		return this.#measured.get(socket) ?? 0;
	}

	takeError(slot: number): number {
		return this.#engine.takeError(slot as Slot);
	}

	shutdownWrite(slot: number): number {
		return this.#engine.shutdownWrite(slot as Slot);
	}

	close(slot: number): void {
		this.#closed(slot, false);
		this.#engine.close(slot as Slot);
	}

	reset(slot: number): void {
		this.#closed(slot, true);
		this.#engine.reset(slot as Slot);
	}

	#closed(slot: number, reset: boolean): void {
		const socket = this.#socketOf(slot);
		socket.open = false;
		this.#witness.closed(socket, reset);
		this.#closing.add(socket);
	}

	fillPipe(slot: number, writeEnd: number, length: number): number {
		return this.#engine.fillPipe(slot as Slot, writeEnd, length);
	}

	drainPipe(slot: number, readEnd: number, length: number): number {
		return this.#engine.drainPipe(slot as Slot, readEnd, length);
	}

	// What the kernel is asked for.

	closed(socket: SimulatedSocket, reset: boolean): void {
		if (!this.#closing.delete(socket)) {
			// It never had a row.
			this.#witness.closed(socket, reset);
			return;
		}
		if (!reset && !socket.dead && socket.sending > 0)
			violated(`a stream that was cut, ${socket.sending} bytes before its end, looks complete`);
	}

	shuttingDown(socket: SimulatedSocket): void {
		if (socket.sending > 0) violated(`the end of descriptor ${socket.fd} overtakes ${socket.sending} bytes`);
		this.#witness.shuttingDown(socket);
	}

	accepted(socket: SimulatedSocket): void {
		this.#witness.accepted(socket);
	}

	measured(socket: SimulatedSocket): void {
		this.#witness.measured(socket);
	}

	trying(socket: SimulatedSocket): void {
		this.#witness.trying(socket);
	}

	dying(socket: SimulatedSocket): void {
		this.#witness.dying(socket);
	}

	sending(socket: SimulatedSocket, memory: Uint8Array, offset: number, length: number): void {
		this.#witness.sending(socket, memory, offset, length);
	}

	splicing(socket: SimulatedSocket, stream: Stream, position: number, length: number): void {
		this.#witness.splicing(socket, stream, position, length);
	}

	// What the checker asks.

	/** Descriptors of rows that are free already. */
	closing(role: Role): number {
		let count = 0;
		for (const socket of this.#closing) if (socket.role === role) count++;
		return count;
	}

	get socketBytes(): number {
		let bytes = 0;
		for (let slot = 0; slot < this.#rows.fd.length; slot++)
			if (i32(this.#rows.fd, slot) >= 0 && this.#kernel.socketAt(i32(this.#rows.fd, slot))?.slot === slot)
				bytes += this.#engine.socketMemory(slot as Slot);
		return bytes;
	}

	/** Whoever is not read does not fill memory. */
	checkHeld(bufferBytes: number): void {
		for (let slot = 0; slot < this.#rows.fd.length; slot++) {
			const socket = this.#kernel.socketAt(i32(this.#rows.fd, slot));
			if (socket?.slot !== slot || !socket.registered) continue;
			const asked = this.#asked.get(socket) ?? 1;
			if (asked > SCRATCH_BYTES) violated(`${asked} bytes of row ${slot} are looked at`);
			// A buffer was under way when there was still less than somebody had asked for.
			if (socket.ahead >= asked + bufferBytes)
				violated(
					`${socket.ahead} bytes of row ${slot} are held, and nobody has asked for more than ${asked}`,
				);
		}
	}
}
