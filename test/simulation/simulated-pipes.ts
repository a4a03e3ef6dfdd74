/** Pipes of a simulated kernel, through which bytes are spliced; and how its descriptors and memory run out. */
import { EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM } from "../../src/kernel/constants.js";
import { SimulatedPipe, SimulatedPipeEnd, type SimulatedSocket } from "./descriptors.js";
import { SimulatedSockets } from "./simulated-sockets.js";
import { operation, violated } from "./trace.js";

const EXHAUSTED = [EMFILE, ENFILE, ENOBUFS, ENOMEM] as const;

export class SimulatedPipes extends SimulatedSockets {
	pipeWriteEnd = -1;

	/** An errno where there is no room for so many descriptors more, or where there happens to be none. */
	exhaustion(count: number): number {
		const full = this.openCount + count > this.limit;
		if (!full && !this.random.chance(this.faults.exhausted)) return 0;
		const errno = full ? EMFILE : this.random.pick(EXHAUSTED);
		if (errno === EMFILE || errno === ENFILE) this.lacksDescriptors = true;
		else this.lacksMemory = true;
		return errno;
	}

	openPipe(): number {
		const exhausted = this.exhaustion(2);
		if (exhausted !== 0) {
			this.trace.note(OPEN_PIPE, -1, 0, -exhausted);
			return -exhausted;
		}
		const pipe = new SimulatedPipe(this.pipeCapacity);
		const readEnd = this.install(new SimulatedPipeEnd(pipe, true));
		this.pipeWriteEnd = this.install(new SimulatedPipeEnd(pipe, false));
		this.openPipeEnds += 2;
		this.trace.note(OPEN_PIPE, readEnd, this.pipeWriteEnd, readEnd);
		return readEnd;
	}

	splice(from: number, to: number, length: number): number {
		const source = this.table[from];
		const target = this.table[to];
		let result: number;
		if (source?.kind === "socket" && target?.kind === "pipe" && !target.reads)
			result = this.#spliceIn(source, target.pipe, length);
		else if (source?.kind === "pipe" && source.reads && target?.kind === "socket")
			result = this.#spliceOut(source.pipe, target, length);
		else violated(`splice from descriptor ${from} to ${to}`);
		this.trace.note(SPLICE, from, to, result);
		return result;
	}

	#spliceIn(socket: SimulatedSocket, pipe: SimulatedPipe, length: number): number {
		const room = pipe.capacity - pipe.bytes;
		if (room === 0) return -EAGAIN;
		let count = this.readable(socket, Math.min(length, room));
		if (count <= 0) return count;
		// tcp_read_sock does not pass urgent data; with an end behind it, it says that this is the end (measured).
		if (socket.urgentAt === socket.taken) return socket.finished ? 0 : -EAGAIN;
		// A pipe has slots as well as bytes: small segments fill it early.
		if (count > 1 && this.random.chance(this.faults.shortSend)) count = this.random.between(1, count);
		pipe.stretches.push({ stream: socket.incoming, position: socket.taken, length: count });
		pipe.bytes += count;
		this.take(socket, count);
		return count;
	}

	#spliceOut(pipe: SimulatedPipe, socket: SimulatedSocket, length: number): number {
		if (pipe.bytes === 0) return -EAGAIN;
		const count = this.sendable(socket, Math.min(length, pipe.bytes));
		if (count <= 0) return count;
		// The reactor is told that all went, so that it gives the pipe back too early.
		if (this.spoils("dirty_pipe")) return length;
		for (let left = count; left > 0; ) {
			const stretch = pipe.stretches[0];
			if (stretch === undefined) violated("a pipe has fewer bytes than it counts");
			const part = Math.min(left, stretch.length);
			this.witness?.splicing(socket, stretch.stream, stretch.position, part);
			this.sent(socket, part);
			socket.held = 0;
			stretch.position += part;
			stretch.length -= part;
			left -= part;
			if (stretch.length === 0) pipe.stretches.shift();
		}
		pipe.bytes -= count;
		return count;
	}
}

const OPEN_PIPE = operation("open pipe");
const SPLICE = operation("splice");
