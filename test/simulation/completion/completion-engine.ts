/**
 * A completion engine over the simulated ring. `src/reactor/wire/engine.ts` says what it has to do; how:
 *
 *     nothing held ──► a receive under way ──completed──► held, and told ──taken, or a peek asks for more──► a receive under way
 *                            └──no buffer free──► direct: calls fetch it from the kernel, until it has none ──┘
 *     a send is copied into a buffer ──► under way ──completed──► the rest, or room is told
 *            └──no buffer free──► a call sends what fits, and the kernel's poll tells of room
 */
import {
	EAGAIN,
	ENOBUFS,
	EPOLLERR,
	EPOLLET,
	EPOLLHUP,
	EPOLLIN,
	EPOLLOUT,
	EPOLLPRI,
	EPOLLRDHUP,
} from "../../../src/kernel/constants.js";
import { i32 } from "../../../src/parts/at.js";
import type { Engine, EngineRows } from "../../../src/reactor/wire/engine.js";
import type { Mutant } from "../faults.js";
import type { SimulatedKernel } from "../simulated-kernel.js";
import { violated } from "../trace.js";
import { CompletionReadiness } from "./completion-readiness.js";
import { Connection, GOES_ON, NO_BUFFER } from "./connection.js";
import { type Completion, ECANCELED, RECEIVE, SEND, type SimulatedRing } from "./ring.js";

/** Ends and failures are told whoever reads; EPOLLERR and EPOLLHUP need not be asked for. */
const ENDS = EPOLLRDHUP | EPOLLET;
/** What is to be told besides of whoever is read by calls. */
const DIRECT = EPOLLIN | EPOLLPRI;

export class CompletionEngine implements Engine {
	readonly readiness: CompletionReadiness;
	readonly sharesDescriptors = false;
	readonly #kernel: SimulatedKernel;
	readonly #ring: SimulatedRing;
	readonly #rows: EngineRows;
	readonly #mutant: Mutant;
	/** By row. */
	readonly #connections: (Connection | undefined)[] = [];
	/** Those whose rows are free already. */
	readonly #closing = new Set<Connection>();
	readonly #receiveBuffers: number;
	readonly #freeSendBuffers: number[] = [];
	readonly #sendBuffers: number;

	/** The first `receiveBuffers` of the ring's buffers are received into, and so many more are sent from. */
	constructor(
		kernel: SimulatedKernel,
		ring: SimulatedRing,
		rows: EngineRows,
		receiveBuffers: number,
		sendBuffers: number,
		mutant: Mutant,
	) {
		this.#kernel = kernel;
		this.#ring = ring;
		this.#rows = rows;
		this.#mutant = mutant;
		this.#receiveBuffers = receiveBuffers;
		this.#sendBuffers = sendBuffers;
		for (let buffer = 0; buffer < receiveBuffers; buffer++) ring.provide(buffer);
		for (let i = 0; i < sendBuffers; i++) this.#freeSendBuffers.push(receiveBuffers + i);
		this.readiness = new CompletionReadiness(kernel.readiness, ring, {
			polled: (slot, generation, bits) => this.#polled(slot, generation, bits),
			completed: (completion) => this.#completed(completion),
		});
	}

	// Being watched.

	watch(slot: number): number {
		return this.#watch(slot, ENDS, false);
	}

	watchConnecting(slot: number): number {
		return this.#watch(slot, ENDS | EPOLLOUT, true);
	}

	#watch(slot: number, interest: number, isConnecting: boolean): number {
		const fd = i32(this.#rows.fd, slot);
		const generation = i32(this.#rows.generation, slot);
		const result = this.#kernel.readiness.add(fd, interest, slot, generation);
		if (result < 0) return result;
		const connection = new Connection(slot, generation, fd, interest, isConnecting);
		this.#connections[slot] = connection;
		if (!isConnecting) this.#arm(connection);
		return 0;
	}

	#of(slot: number): Connection {
		const connection = this.#connections[slot];
		if (connection === undefined) violated(`row ${slot} is asked for bytes, and is not watched`);
		return connection;
	}

	#setInterest(connection: Connection, interest: number): void {
		connection.interest = interest;
		this.#kernel.readiness.modify(connection.fd, interest, connection.slot, connection.generation);
	}

	#tell(connection: Connection, bits: number): void {
		if (this.#mutant === "untold_completion" && bits === EPOLLIN) return;
		this.readiness.tell(connection.slot, connection.generation, bits);
	}

	// What comes in.

	#arm(connection: Connection): void {
		connection.isReceiving = true;
		const { fd, slot, generation } = connection;
		this.#ring.receive(fd, { kind: RECEIVE, slot, generation });
	}

	awaitBytes(slot: number, count: number): number {
		const connection = this.#of(slot);
		connection.awaited = count;
		if (connection.heldBytes > 0 && connection.heldBytes >= count) this.#tell(connection, EPOLLIN);
		return 0;
	}

	peek(slot: number, offset: number, length: number): number {
		const connection = this.#of(slot);
		const count = this.#copyHeld(connection, offset, length);
		if (count === length) return count;
		if (connection.isDirect) {
			const more = this.#ring.peekNow(connection.fd, this.#kernel.memory, offset + count, length - count);
			if (more > 0) return count + more;
			this.#foundNothing(connection, more);
		} else if (!connection.isReceiving && connection.last === GOES_ON) this.#arm(connection);
		return count > 0 ? count : this.#lastOf(connection);
	}

	receive(slot: number, offset: number, length: number): number {
		const connection = this.#of(slot);
		const count = this.#copyHeld(connection, offset, length);
		this.#dropHeld(connection, count);
		if (count === length) return count;
		return this.#receiveDirectly(connection, offset + count, length - count, count);
	}

	discard(slot: number, length: number): number {
		const connection = this.#of(slot);
		const count = Math.min(length, connection.heldBytes);
		this.#dropHeld(connection, count);
		if (count === length) return count;
		// Scratch memory comes first in the arena, and a discard may write there.
		return this.#receiveDirectly(connection, 0, length - count, count);
	}

	/** Behind `before` bytes that were held, all of them. */
	#receiveDirectly(connection: Connection, offset: number, length: number, before: number): number {
		let done = 0;
		// A call that is short does not tell that nothing more is there: one stops before urgent data.
		while (connection.isDirect && done < length) {
			const count = this.#ring.receiveNow(connection.fd, this.#kernel.memory, offset + done, length - done);
			if (count > 0) done += count;
			else this.#foundNothing(connection, count);
		}
		const count = before + done;
		return count > 0 ? count : this.#lastOf(connection);
	}

	/** What a read says for which there is nothing. */
	#lastOf({ last, failure }: Connection): number {
		if (last === GOES_ON) return -EAGAIN;
		// A send may have met the error, also one that is completed later; then all that was left for a read was an end, which is none.
		return failure === 0 ? last : -failure;
	}

	/** A call has found that no more waits in the kernel, or an end. */
	#foundNothing(connection: Connection, result: number): void {
		connection.isDirect = false;
		this.#setInterest(connection, connection.interest & ~DIRECT);
		if (result === -EAGAIN) this.#arm(connection);
		else this.#ended(connection, result);
	}

	/** A read has met the end, or an error. */
	#ended(connection: Connection, result: number): void {
		if (result < 0 && connection.failure === 0) connection.failure = -result;
		connection.last = Math.min(0, result);
		// Whoever asks just now may be told of bytes in front of it only.
		const failed = connection.failure === 0 ? 0 : EPOLLERR | EPOLLHUP;
		this.#tell(connection, EPOLLIN | EPOLLRDHUP | failed);
		if (failed !== 0) this.#offerRoom(connection);
	}

	#copyHeld(connection: Connection, offset: number, length: number): number {
		const { memory, bufferBytes } = this.#ring;
		let done = 0;
		for (const { buffer, start, end } of connection.held) {
			if (done === length) break;
			const count = Math.min(length - done, end - start);
			const from = buffer * bufferBytes;
			this.#kernel.memory.set(memory.subarray(from + start, from + start + count), offset + done);
			done += count;
		}
		return done;
	}

	#dropHeld(connection: Connection, length: number): void {
		const { held } = connection;
		for (let left = length; left > 0; ) {
			const first = held[0];
			if (first === undefined) violated(`${left} bytes more are taken than are held`);
			const count = Math.min(left, first.end - first.start);
			first.start += count;
			left -= count;
			if (first.start < first.end) break;
			held.shift();
			this.#giveReceiveBuffer(first.buffer);
		}
		connection.heldBytes -= length;
		// Whoever has taken all of it waits for more, whether a read has told so or not.
		const { isReceiving, isDirect, heldBytes, last } = connection;
		if (heldBytes === 0 && !isReceiving && !isDirect && last === GOES_ON) this.#arm(connection);
	}

	#giveReceiveBuffer(buffer: number): void {
		this.#ring.provide(buffer);
	}

	#received(connection: Connection, { result, buffer }: Completion): void {
		connection.isReceiving = false;
		if (result > 0) {
			connection.held.push({ buffer, start: 0, end: result });
			connection.heldBytes += result;
			if (connection.heldBytes < connection.awaited || this.#mutant === "greedy_receive")
				this.#arm(connection);
			if (connection.heldBytes >= connection.awaited) this.#tell(connection, EPOLLIN);
			return;
		}
		if (result === -ENOBUFS) {
			connection.isDirect = true;
			// The poll tells of what is there now, and of what comes.
			this.#setInterest(connection, connection.interest | DIRECT);
			return;
		}
		this.#ended(connection, result);
	}

	// What goes out.

	send(slot: number, offset: number, length: number, more: boolean): number {
		const connection = this.#connections[slot];
		// Its connect may be over already; that is told before anything is sent.
		if (connection === undefined || connection.isConnecting) return -EAGAIN;
		const count = this.#send(connection, offset, length, more);
		if (count < length) connection.wantsRoom = true;
		return count;
	}

	#send(connection: Connection, offset: number, length: number, _more: boolean): number {
		if (connection.failure !== 0) {
			// What it had said before comes first: room is told when that is over.
			return connection.last === GOES_ON && connection.heldBytes === 0 ? -EAGAIN : -connection.failure;
		}
		if (connection.isSending) return -EAGAIN;
		const buffer = this.#freeSendBuffers.pop();
		if (buffer === undefined) return this.#sendDirectly(connection, offset, length);
		const count = Math.min(length, this.#ring.bufferBytes);
		const start = buffer * this.#ring.bufferBytes;
		this.#ring.memory.set(this.#kernel.memory.subarray(offset, offset + count), start);
		connection.sendBuffer = buffer;
		connection.sendStart = start;
		connection.sendEnd = start + count;
		this.#submitSend(connection);
		if (this.#mutant === "reused_buffer") this.#giveSendBuffer(connection);
		return count;
	}

	#submitSend(connection: Connection): void {
		connection.isSending = true;
		const { fd, sendStart, unsent, slot, generation } = connection;
		this.#ring.send(fd, sendStart, unsent, { slot, generation, kind: SEND });
	}

	#sendDirectly(connection: Connection, offset: number, length: number): number {
		const count = this.#ring.sendNow(connection.fd, this.#kernel.memory, offset, length);
		if (count === length) return count;
		if (count < 0 && count !== -EAGAIN) {
			connection.failure = -count;
			return count;
		}
		connection.asksKernel = true;
		this.#setInterest(connection, connection.interest | EPOLLOUT);
		return count;
	}

	#sent(connection: Connection, result: number): void {
		connection.isSending = false;
		if (result >= 0) connection.sendStart += result;
		else if (result !== -ECANCELED) {
			if (connection.failure === 0) connection.failure = -result;
			connection.sendStart = connection.sendEnd;
			this.#giveSendBuffer(connection);
			this.#tell(connection, EPOLLIN | EPOLLERR);
			this.#offerRoom(connection);
			return;
		}
		if (connection.unsent > 0) {
			this.#submitSend(connection);
			return;
		}
		this.#giveSendBuffer(connection);
		this.#offerRoom(connection);
	}

	#giveSendBuffer(connection: Connection): void {
		const { sendBuffer } = connection;
		if (sendBuffer === NO_BUFFER) return;
		connection.sendBuffer = NO_BUFFER;
		this.#freeSendBuffers.push(sendBuffer);
	}

	#offerRoom(connection: Connection): void {
		if (!connection.wantsRoom) return;
		connection.wantsRoom = false;
		this.#tell(connection, EPOLLOUT);
	}

	watchRoom(slot: number): void {
		const connection = this.#of(slot);
		connection.wantsRoom = true;
		if (!connection.isSending && !connection.asksKernel) this.#offerRoom(connection);
	}

	isFlushed(slot: number): boolean {
		const connection = this.#of(slot);
		if (!connection.isSending || this.#mutant === "overtaking_end") return true;
		connection.wantsRoom = true;
		return false;
	}

	shutdownWrite(slot: number): number {
		return this.#kernel.shutdownWrite(this.#of(slot).fd);
	}

	undelivered(slot: number): number {
		const connection = this.#of(slot);
		const undelivered = this.#kernel.undelivered(connection.fd);
		return undelivered < 0 ? undelivered : undelivered + connection.unsent;
	}

	socketMemory(slot: number): number {
		const connection = this.#connections[slot];
		const { bufferBytes } = this.#ring;
		if (connection === undefined) return this.#kernel.kernelMemory(i32(this.#rows.fd, slot));
		const buffers = connection.held.length + (connection.sendBuffer === NO_BUFFER ? 0 : 1);
		return this.#kernel.kernelMemory(connection.fd) + buffers * bufferBytes;
	}

	fillPipe(): number {
		return violated("a pipe is filled from a connection whose bytes are not in the kernel");
	}

	drainPipe(): number {
		return violated("a pipe is emptied into a connection, past what is under way");
	}

	takeError(slot: number): number {
		const connection = this.#of(slot);
		if (connection.failure === 0) connection.failure = this.#kernel.takeError(connection.fd);
		return connection.failure;
	}

	// News.

	/** A connection's poll says `bits`. Returns which of them are news. */
	#polled(slot: number, generation: number, bits: number): number {
		const connection = this.#connections[slot];
		if (connection === undefined || connection.generation !== generation) return 0;
		if (connection.isConnecting) {
			const isConnected = (bits & EPOLLOUT) !== 0 && (bits & EPOLLERR) === 0;
			if (isConnected) {
				connection.isConnecting = false;
				this.#arm(connection);
			}
			// Whether it has ended already, the receive tells.
			return bits & (EPOLLOUT | EPOLLERR | EPOLLHUP);
		}
		let news = connection.isDirect ? bits & (DIRECT | EPOLLRDHUP) : 0;
		if (this.#mutant === "early_end") news |= bits & EPOLLRDHUP;
		// A receive that is under way tells of a failure, behind what came before it.
		if (!connection.isReceiving && (bits & (EPOLLERR | EPOLLHUP)) !== 0)
			news |= EPOLLIN | (bits & (EPOLLERR | EPOLLHUP));
		if (connection.asksKernel && (bits & (EPOLLOUT | EPOLLERR | EPOLLHUP)) !== 0) {
			connection.asksKernel = false;
			connection.wantsRoom = false;
			news |= EPOLLOUT;
		}
		return news;
	}

	#completed(completion: Completion): void {
		const { slot, generation, kind } = completion;
		const connection = this.#connections[slot];
		const isMine = connection?.generation === generation || this.#mutant === "blind_completion";
		if (connection !== undefined && isMine) {
			if (kind === RECEIVE) this.#received(connection, completion);
			else this.#sent(connection, completion.result);
			return;
		}
		for (const closing of this.#closing)
			if (closing.slot === slot && closing.generation === generation) {
				this.#lastCompletion(closing, completion);
				return;
			}
		violated(`a completion for row ${slot}, of which nobody knows`);
	}

	// Its end.

	close(slot: number): void {
		this.#close(slot, false);
	}

	reset(slot: number): void {
		this.#close(slot, true);
	}

	#close(slot: number, resets: boolean): void {
		const connection = this.#connections[slot];
		const fd = i32(this.#rows.fd, slot);
		if (connection === undefined || connection.generation !== i32(this.#rows.generation, slot)) {
			if (resets) this.#kernel.reset(fd);
			else this.#kernel.close(fd);
			return;
		}
		this.#connections[slot] = undefined;
		this.#kernel.readiness.remove(fd);
		connection.resets = resets;
		if (this.#mutant !== "kept_buffer")
			for (const { buffer } of connection.held) this.#giveReceiveBuffer(buffer);
		connection.held.length = 0;
		connection.heldBytes = 0;
		if (connection.isReceiving) this.#ring.cancel(fd, RECEIVE);
		if (connection.isSending) this.#ring.cancel(fd, SEND);
		this.#closing.add(connection);
		this.#closeWhenIdle(connection);
	}

	#lastCompletion(connection: Connection, { kind, result, buffer }: Completion): void {
		if (kind === RECEIVE) {
			connection.isReceiving = false;
			if (buffer !== NO_BUFFER) this.#giveReceiveBuffer(buffer);
		} else {
			connection.isSending = false;
			if (result >= 0) connection.sendStart += result;
			else if (result !== -ECANCELED) connection.failure = -result;
			else if (this.#mutant === "lost_at_cancellation") connection.sendStart = connection.sendEnd;
		}
		this.#closeWhenIdle(connection);
	}

	#closeWhenIdle(connection: Connection): void {
		if (connection.isReceiving || connection.isSending) return;
		this.#closing.delete(connection);
		if (!connection.resets && connection.failure === 0) this.#sendRest(connection);
		const isCut = connection.resets || connection.unsent > 0;
		this.#giveSendBuffer(connection);
		if (isCut) this.#kernel.reset(connection.fd);
		else this.#kernel.close(connection.fd);
	}

	/** What was cancelled goes as far as the socket's room allows. */
	#sendRest(connection: Connection): void {
		while (connection.unsent > 0) {
			const { fd, sendStart, unsent } = connection;
			const count = this.#ring.sendNow(fd, this.#ring.memory, sendStart, unsent);
			if (count <= 0) return;
			connection.sendStart += count;
		}
	}

	// What the checker asks.

	/** Descriptors whose rows are free already. */
	get closing(): number {
		return this.#closing.size;
	}

	/** Each buffer is somebody's, and nobody else's. */
	checkBuffers(): void {
		let received = this.#ring.buffers;
		let sent = this.#freeSendBuffers.length;
		for (const connection of [...this.#connections, ...this.#closing]) {
			if (connection === undefined) continue;
			received += connection.held.length;
			if (connection.sendBuffer !== NO_BUFFER) sent++;
		}
		if (received !== this.#receiveBuffers)
			violated(`${received} of ${this.#receiveBuffers} buffers of receives are known`);
		if (sent !== this.#sendBuffers) violated(`${sent} of ${this.#sendBuffers} buffers of sends are known`);
	}
}
