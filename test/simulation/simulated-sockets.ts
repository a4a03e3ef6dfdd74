/** How the sockets of a simulated kernel take and give bytes: as Linux's do, and with whatever `Faults` say beyond that. */
import { EAGAIN, EINTR, EPIPE } from "../../src/kernel/constants.js";
import type { SimulatedSocket } from "./descriptors.js";
import type { Mutant } from "./faults.js";
import { SimulatedNetwork } from "./simulated-network.js";
import { operation, violated } from "./trace.js";

/** A refusal fits a fresh socket's buffer at once, always: Linux gives it some kilobytes from the start. */
const FIRST_SEND_BYTES = 4096;

export class SimulatedSockets extends SimulatedNetwork {
	/** Calls until the next one that a mutant spoils. */
	#spoilIn = 30;

	protected socketOf(fd: number, call: string): SimulatedSocket {
		const socket = this.socketAt(fd);
		if (this.datagrams !== undefined) this.datagrams.isHearing = false;
		if (socket === undefined) violated(`${call} on descriptor ${fd}, which is no open socket`);
		return socket;
	}

	protected range(offset: number, length: number, call: string): void {
		if (offset < 0 || length < 0 || offset + length > this.memory.length)
			violated(`${call} of ${length} bytes at ${offset}, beyond the arena`);
	}

	spoils(mutant: Mutant): boolean {
		return this.mutant === mutant && --this.#spoilIn <= 0;
	}

	/** A TLS session takes bytes. */
	fetch(socket: SimulatedSocket, length: number): number {
		this.meanwhile(socket);
		if (this.random.chance(this.faults.emptyRead)) {
			socket.reported = socket.taken;
			this.readiness.changed(socket, 0);
			return -EAGAIN;
		}
		let count = Math.min(length, socket.waiting);
		if (count > 0) socket.fetch(count);
		else count = this.nothingReadable(socket);
		this.trace.note(RECEIVE, socket.fd, length, count);
		return count;
	}

	/** A TLS session sends bytes that are no content as they are. `isLast`: whoever closes it says goodbye. */
	put(socket: SimulatedSocket, length: number, isLast = false): number {
		if (!isLast) this.meanwhile(socket);
		let count = -EINTR;
		while (count === -EINTR) count = this.roomFor(socket, length);
		if (count > 0) this.queue(socket, count);
		this.trace.note(SEND, socket.fd, length, count);
		return count;
	}

	/** A completion engine takes up to `length` bytes into memory of its own, by an operation or by a call. */
	receiveAhead(socket: SimulatedSocket, memory: Uint8Array, offset: number, length: number): number {
		this.meanwhile(socket);
		const count = this.glance(socket, memory, offset, length);
		if (count > 0) {
			socket.ahead += count;
			if (socket.taken + socket.ahead > socket.urgentAt) socket.urgentAt = -1;
		}
		return count;
	}

	/** It looks at them only. */
	glance(socket: SimulatedSocket, memory: Uint8Array, offset: number, length: number): number {
		if (socket.connecting) violated(`a read on descriptor ${socket.fd}, which is still connecting`);
		const { waiting, incoming, urgentAt } = socket;
		if (waiting <= 0) return this.nothingReadable(socket);
		const position = socket.taken + socket.ahead;
		let count = Math.min(length, waiting);
		if (urgentAt > position) count = Math.min(count, urgentAt - position);
		incoming.copy(position, memory, offset, count);
		return count;
	}

	/** Now and then no memory is left. */
	isShortOfMemory(): boolean {
		if (!this.random.chance(this.faults.unwatchable)) return false;
		this.lacksMemory = true;
		return true;
	}

	/** What a read of up to `length` bytes would return: tcp_recvmsg(). */
	protected readable(socket: SimulatedSocket, length: number): number {
		const random = this.random;
		this.meanwhile(socket);
		if (socket.connecting) violated(`a read on descriptor ${socket.fd}, which is still connecting`);
		// What was seen once cannot hide again.
		if (socket.seen <= socket.taken) {
			if (random.chance(this.faults.interrupt)) return -EINTR;
			if (random.chance(this.faults.emptyRead)) {
				// It is about to show, and that will be news.
				socket.reported = socket.taken;
				this.readiness.changed(socket, 0);
				return -EAGAIN;
			}
		}
		if (socket.available > 0) {
			const count = Math.min(length, socket.available);
			return socket.urgentAt > socket.taken ? Math.min(count, socket.urgentAt - socket.taken) : count;
		}
		return this.nothingReadable(socket);
	}

	/** What a read says that finds no bytes. */
	protected nothingReadable(socket: SimulatedSocket): number {
		if (socket.finished) return 0;
		if (socket.error !== 0) {
			const { error } = socket;
			socket.error = 0;
			return -error;
		}
		return socket.dead ? 0 : -EAGAIN;
	}

	protected take(socket: SimulatedSocket, count: number): void {
		socket.taken += count;
		if (socket.taken > socket.urgentAt) socket.urgentAt = -1;
	}

	/** How much a send of `length` bytes would take: tcp_sendmsg(). */
	protected sendable(socket: SimulatedSocket, length: number): number {
		this.meanwhile(socket);
		return this.roomFor(socket, length);
	}

	protected roomFor(socket: SimulatedSocket, length: number): number {
		const random = this.random;
		// tcp_sendmsg: there would be something to wait for.
		if (socket.connecting) return -EAGAIN;
		if (socket.shut) violated(`a send on descriptor ${socket.fd} after its direction was ended`);
		if (socket.dead) {
			const error = socket.error === 0 ? EPIPE : socket.error;
			socket.error = 0;
			return -error;
		}
		const isFresh = socket.sent === socket.sentAsLine && length <= FIRST_SEND_BYTES;
		if (
			isFresh &&
			(socket.role === "client" ||
				socket.line !== undefined ||
				(socket.ownLine !== undefined && random.chance(0.9)) ||
				(socket.serves !== undefined && random.chance(0.9)))
		)
			return length;
		if (random.chance(this.faults.interrupt)) return -EINTR;
		const { room } = socket;
		if (room <= 0 || random.chance(this.faults.fullSend)) {
			if (room > 0) socket.throttled = true;
			socket.wantsRoom = true;
			return -EAGAIN;
		}
		let count = Math.min(length, room);
		if (count > 1 && random.chance(this.faults.shortSend)) count = random.between(1, count - 1);
		if (count < length) {
			// Less than asked: the kernel has no room left, or behaves as if.
			if (count < room) socket.throttled = random.chance(0.5);
			socket.wantsRoom = true;
		}
		return count;
	}

	protected sent(socket: SimulatedSocket, count: number): void {
		socket.sent += count;
		this.queue(socket, count);
	}

	protected queue(socket: SimulatedSocket, count: number): void {
		if (socket.queued + socket.sending === 0) socket.queuedSinceMs = this.nowMs;
		socket.queued += count;
		if (socket.peerGone) socket.resetDue = true;
	}
}

/** What a socket's buffers hold, without what the kernel adds for its own bookkeeping. */
export function memoryOf(socket: SimulatedSocket): number {
	return socket.queued + socket.waiting + socket.ahead + socket.sending;
}

const RECEIVE = operation("receive");
const SEND = operation("send");
