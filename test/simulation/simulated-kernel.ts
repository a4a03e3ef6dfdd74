/** A kernel in memory. Its sockets behave as Linux's do; what it may do beyond that, `Faults` says. */
import {
	AF_INET,
	AF_UNIX,
	EAGAIN,
	ECONNABORTED,
	ECONNREFUSED,
	ECONNRESET,
	EINPROGRESS,
	EINTR,
	EMFILE,
	ENFILE,
	ENOBUFS,
	ENOMEM,
	EPERM,
	EPIPE,
	EPOLLIN,
	EPOLLOUT,
	EPOLLPRI,
	EPOLLRDHUP,
	SO_RCVLOWAT,
	SOL_SOCKET,
	TCP_NODELAY,
} from "../../src/kernel/constants.js";
import type { Kernel } from "../../src/kernel/kernel.js";
import { encodeInternet } from "../../src/kernel/sockaddr.js";
import { u8 } from "../../src/parts/at.js";
import type { Random } from "../../src/rig/random.js";
import {
	type Descriptor,
	type SimulatedListener,
	SimulatedPipe,
	SimulatedPipeEnd,
	type SimulatedSocket,
	type SimulatedWake,
} from "./descriptors.js";
import type { Faults, Mutant } from "./faults.js";
import { noteOption } from "./options.js";
import { SimulatedReadiness } from "./simulated-readiness.js";
import type { Stream } from "./stream.js";
import { operation, type Trace, violated } from "./trace.js";

/** ENOTCONN: shutdown of a connection that is gone. */
const ENOTCONN = 107;

const EXHAUSTED = [EMFILE, ENFILE, ENOBUFS, ENOMEM] as const;

/** A refusal fits a fresh socket's buffer at once, always: Linux gives it some kilobytes from the start. */
const FIRST_SEND_BYTES = 4096;

/** Who is at the other ends. */
export interface OtherEnds {
	/** What connect() to an address answers: 0, or a negative errno. The socket is being opened. */
	connect(socket: SimulatedSocket, address: Uint8Array): number;
	openUpstream(): SimulatedSocket;
	/** The other end may act while the reactor is inside a call. */
	meanwhile(socket: SimulatedSocket): void;
}

/** Who looks on. */
export interface Witness {
	/** A client's connection was accepted. */
	accepted(socket: SimulatedSocket): void;
	/** The reactor asks what its buffers hold. */
	measured(socket: SimulatedSocket): void;
	/** The reactor is about to send. */
	trying(socket: SimulatedSocket): void;
	/** The connection is about to be lost. */
	dying(socket: SimulatedSocket): void;
	/** The reactor sends `length` bytes that lie in memory. */
	sending(socket: SimulatedSocket, memory: Uint8Array, offset: number, length: number): void;
	/** The same for a stretch of a stream, out of a pipe. */
	splicing(socket: SimulatedSocket, stream: Stream, position: number, length: number): void;
	shuttingDown(socket: SimulatedSocket): void;
	closed(socket: SimulatedSocket, reset: boolean): void;
}

export class SimulatedKernel implements Kernel {
	readonly memory: Uint8Array;
	readonly readiness: SimulatedReadiness;
	pipeWriteEnd = -1;

	nowMs: number;
	mutant: Mutant = "none";
	others: OtherEnds | undefined;
	witness: Witness | undefined;
	/** Open descriptors at most. */
	limit = 1 << 16;
	/** Descriptors open now, in all and by kind. */
	openCount = 0;
	openClients = 0;
	openUpstreams = 0;
	openPipeEnds = 0;
	pipeCapacity = 65_536;
	/** Whether a call has failed for want of descriptors, or of memory, since somebody set this to false. */
	lacksDescriptors = false;
	lacksMemory = false;

	#faults: Faults;
	readonly #random: Random;
	readonly #trace: Trace;
	readonly #table: (Descriptor | undefined)[] = [];
	#lowestFree = 0;
	/** Calls until the next one that a mutant spoils. */
	#spoilIn = 30;

	constructor(random: Random, faults: Faults, trace: Trace, arenaBytes: number, startMs: number) {
		// As in production: a slice of a Buffer would be no copy.
		this.memory = new Uint8Array(arenaBytes);
		this.nowMs = startMs;
		this.#random = random;
		this.#faults = faults;
		this.#trace = trace;
		this.readiness = new SimulatedReadiness(random, faults, trace, (fd, call) => {
			const descriptor = this.#table[fd];
			if (descriptor === undefined || descriptor.kind === "pipe") violated(`${call} of descriptor ${fd}`);
			return descriptor;
		});
	}

	setFaults(faults: Faults): void {
		this.#faults = faults;
		this.readiness.faults = faults;
	}

	setMutant(mutant: Mutant): void {
		this.mutant = mutant;
		this.readiness.mutant = mutant;
	}

	// Descriptors: the lowest free number is given out next, so numbers are reused at once.

	/** Gives a descriptor a number. */
	install(descriptor: Descriptor): number {
		let fd = this.#lowestFree;
		while (this.#table[fd] !== undefined) fd++;
		this.#table[fd] = descriptor;
		this.#lowestFree = fd + 1;
		if (descriptor.kind !== "pipe") descriptor.fd = fd;
		this.openCount++;
		return fd;
	}

	uninstall(fd: number): void {
		const descriptor = this.#table[fd];
		if (descriptor === undefined) violated(`descriptor ${fd} is closed twice`);
		if (descriptor.kind !== "pipe") {
			this.readiness.forget(descriptor);
			descriptor.fd = -1;
		}
		this.#table[fd] = undefined;
		this.#lowestFree = Math.min(this.#lowestFree, fd);
		this.openCount--;
	}

	socketAt(fd: number): SimulatedSocket | undefined {
		const descriptor = this.#table[fd];
		return descriptor?.kind === "socket" ? descriptor : undefined;
	}

	#socket(fd: number, call: string): SimulatedSocket {
		const socket = this.socketAt(fd);
		if (socket === undefined) violated(`${call} on descriptor ${fd}, which is no open socket`);
		return socket;
	}

	#isExhausted(count: number): number {
		const full = this.openCount + count > this.limit;
		if (!full && !this.#random.chance(this.#faults.exhausted)) return 0;
		const errno = full ? EMFILE : this.#random.pick(EXHAUSTED);
		if (errno === EMFILE || errno === ENFILE) this.lacksDescriptors = true;
		else this.lacksMemory = true;
		return errno;
	}

	#range(offset: number, length: number, call: string): void {
		if (offset < 0 || length < 0 || offset + length > this.memory.length)
			violated(`${call} of ${length} bytes at ${offset}, beyond the arena`);
	}

	#spoils(mutant: Mutant): boolean {
		return this.mutant === mutant && --this.#spoilIn <= 0;
	}

	now(): number {
		return this.nowMs;
	}

	threadCpu(): number {
		return this.nowMs;
	}

	accept(fd: number, addressOffset: number): number {
		const listener = this.#table[fd];
		if (listener?.kind !== "listener") violated(`accept on descriptor ${fd}, which is no listener`);
		const result = this.#accept(listener, addressOffset);
		this.#trace.note(ACCEPT, fd, listener.queue.length, result);
		return result;
	}

	#accept(listener: SimulatedListener, addressOffset: number): number {
		const random = this.#random;
		if (random.chance(this.#faults.interrupt)) return -EINTR;
		const exhausted = this.#isExhausted(1);
		if (exhausted !== 0) return -exhausted;
		if (listener.queue.length === 0) return -EAGAIN;
		if (random.chance(this.#faults.aborted)) {
			listener.queue.shift();
			return random.chance(0.7) ? -ECONNABORTED : -EPERM;
		}
		const socket = listener.queue.shift() as SimulatedSocket; // not empty
		const address = encodeInternet(socket.address.bytes, socket.port);
		this.#range(addressOffset, address.length, "accept");
		this.memory.set(address, addressOffset);
		socket.open = true;
		socket.acceptedMs = this.nowMs;
		socket.activeMs = this.nowMs;
		this.openClients++;
		const fd = this.install(socket);
		this.witness?.accepted(socket);
		return fd;
	}

	socket(family: number): number {
		let result = -this.#isExhausted(1);
		if (result === 0) {
			const socket = this.others?.openUpstream();
			if (socket === undefined) violated("nobody opens upstreams");
			socket.unix = family === AF_UNIX;
			socket.connecting = true;
			socket.open = true;
			this.openUpstreams++;
			result = this.install(socket);
		}
		this.#trace.note(SOCKET, -1, family, result);
		return result;
	}

	connect(fd: number, address: Uint8Array): number {
		const socket = this.#socket(fd, "connect");
		const result = this.others?.connect(socket, address) ?? -ECONNREFUSED;
		socket.dialledMs = this.nowMs;
		if (result !== -EINPROGRESS) socket.connecting = false;
		this.#trace.note(CONNECT, fd, u8(address, 0) === AF_UNIX ? AF_UNIX : AF_INET, result);
		return result;
	}

	localAddress(fd: number, addressOffset: number): number {
		// Both ends of a connection are of one family.
		const { bytes } = this.#socket(fd, "getsockname").address;
		const address = encodeInternet(
			bytes.map((byte, i) => (i === bytes.length - 1 ? 200 : byte)),
			443,
		);
		this.memory.set(address, addressOffset);
		return address.length;
	}

	setOption(fd: number, level: number, option: number, value: number): number {
		const socket = this.#socket(fd, "setsockopt");
		if (level === SOL_SOCKET && option === SO_RCVLOWAT) {
			socket.lowWater = Math.max(1, value);
			this.#trace.note(SET_OPTION, fd, value, 0);
			// tcp_set_rcvlowat: signals at once when what is there suffices.
			if (socket.waiting >= socket.lowWater || socket.finished) this.readiness.changed(socket, EPOLLIN);
			return 0;
		}
		if (option === TCP_NODELAY && this.#spoils("lost_nodelay")) return 0;
		noteOption(socket, level, option, value);
		this.#trace.note(SET_OPTION, fd, option, value);
		return 0;
	}

	takeError(fd: number): number {
		const socket = this.#socket(fd, "SO_ERROR");
		const { error } = socket;
		socket.error = 0;
		this.#trace.note(TAKE_ERROR, fd, 0, error);
		return error;
	}

	peek(fd: number, offset: number, length: number): number {
		const socket = this.#beneathNothing(fd, "peek");
		if (length === 1 && this.#spoils("blind_pool")) return -EAGAIN;
		this.#range(offset, length, "peek");
		const count = this.#readable(socket, length);
		if (count > 0) {
			socket.incoming.copy(socket.taken, this.memory, offset, count);
			socket.seen = Math.max(socket.seen, socket.taken + count);
		}
		this.#trace.note(PEEK, fd, length, count);
		return count;
	}

	receive(fd: number, offset: number, length: number): number {
		const socket = this.#beneathNothing(fd, "receive");
		this.#range(offset, length, "receive");
		const count = this.#readable(socket, length);
		if (count > 0) {
			socket.incoming.copy(socket.taken, this.memory, offset, count);
			this.#take(socket, count);
		}
		this.#trace.note(RECEIVE, fd, length, count);
		return count;
	}

	discard(fd: number, length: number): number {
		const socket = this.#socket(fd, "discard");
		if (socket.isOpenTls) {
			// Nobody reads it through TLS any more.
			const thrown = this.fetch(socket, length);
			socket.throwAway();
			this.#trace.note(DISCARD, fd, length, thrown);
			return thrown;
		}
		const count = this.#readable(socket, length);
		if (count > 0) this.#take(socket, count + this.#miscount(socket, count));
		this.#trace.note(DISCARD, fd, length, count);
		return count;
	}

	#miscount(socket: SimulatedSocket, count: number): number {
		if (socket.available > count && this.#spoils("greedy_discard")) return 1;
		return this.#spoils("frugal_discard") ? -1 : 0;
	}

	#take(socket: SimulatedSocket, count: number): void {
		socket.taken += count;
		if (socket.taken > socket.urgentAt) socket.urgentAt = -1;
	}

	/** A socket over which no TLS session reads and writes: what it would not notice spoils it. */
	#beneathNothing(fd: number, call: string): SimulatedSocket {
		const socket = this.#socket(fd, call);
		if (socket.secured !== undefined && !socket.secured.freed && socket.fetched > 0)
			violated(`${call} on descriptor ${fd}, beneath its TLS session`);
		return socket;
	}

	/** A TLS session takes bytes. */
	fetch(socket: SimulatedSocket, length: number): number {
		this.#meanwhile(socket);
		if (this.#random.chance(this.#faults.emptyRead)) {
			socket.reported = socket.taken;
			this.readiness.changed(socket, 0);
			return -EAGAIN;
		}
		let count = Math.min(length, socket.waiting);
		if (count > 0) socket.fetch(count);
		else count = this.#nothingReadable(socket);
		this.#trace.note(RECEIVE, socket.fd, length, count);
		return count;
	}

	/** A TLS session sends bytes that are no content as they are. `isLast`: whoever closes it says goodbye. */
	put(socket: SimulatedSocket, length: number, isLast = false): number {
		if (!isLast) this.#meanwhile(socket);
		let count = -EINTR;
		while (count === -EINTR) count = this.#roomFor(socket, length);
		if (count > 0) this.#queue(socket, count);
		this.#trace.note(SEND, socket.fd, length, count);
		return count;
	}

	/** Now and then no memory is left. */
	isShortOfMemory(): boolean {
		if (!this.#random.chance(this.#faults.unwatchable)) return false;
		this.lacksMemory = true;
		return true;
	}

	/** What a read of up to `length` bytes would return: tcp_recvmsg(). */
	#readable(socket: SimulatedSocket, length: number): number {
		const random = this.#random;
		this.#meanwhile(socket);
		if (socket.connecting) violated(`a read on descriptor ${socket.fd}, which is still connecting`);
		// What was seen once cannot hide again.
		if (socket.seen <= socket.taken) {
			if (random.chance(this.#faults.interrupt)) return -EINTR;
			if (random.chance(this.#faults.emptyRead)) {
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
		return this.#nothingReadable(socket);
	}

	/** What a read says that finds no bytes. */
	#nothingReadable(socket: SimulatedSocket): number {
		if (socket.finished) return 0;
		if (socket.error !== 0) {
			const { error } = socket;
			socket.error = 0;
			return -error;
		}
		return socket.dead ? 0 : -EAGAIN;
	}

	send(fd: number, offset: number, length: number, more = false): number {
		const socket = this.#beneathNothing(fd, "send");
		this.#range(offset, length, "send");
		this.witness?.trying(socket);
		const count = this.#sendable(socket, length);
		if (count > 0) {
			this.#spoil(offset, count);
			this.witness?.sending(socket, this.memory, offset, count);
			this.#sent(socket, count);
			// tcp_sendmsg pushes what it has when no room is left for the rest, whatever the flags say.
			if (count === length && (more || this.#spoils("left_corked"))) socket.held += count;
			else socket.held = 0;
		}
		this.#trace.note(more ? SEND_MORE : SEND, fd, length, count);
		return count;
	}

	#spoil(offset: number, count: number): void {
		if (this.#spoils("changed_byte")) this.memory[offset] = u8(this.memory, offset) ^ 1;
		if (this.#spoils("doubled_byte")) this.memory.copyWithin(offset + 1, offset, offset + count - 1);
		if (this.#spoils("lost_byte")) this.memory.copyWithin(offset, offset + 1, offset + count);
	}

	/** How much a send of `length` bytes would take: tcp_sendmsg(). */
	#sendable(socket: SimulatedSocket, length: number): number {
		this.#meanwhile(socket);
		return this.#roomFor(socket, length);
	}

	#roomFor(socket: SimulatedSocket, length: number): number {
		const random = this.#random;
		// tcp_sendmsg: there would be something to wait for.
		if (socket.connecting) return -EAGAIN;
		if (socket.shut) violated(`a send on descriptor ${socket.fd} after its direction was ended`);
		if (socket.dead) {
			const error = socket.error === 0 ? EPIPE : socket.error;
			socket.error = 0;
			return -error;
		}
		const isFresh = socket.sent === 0 && length <= FIRST_SEND_BYTES;
		if (isFresh && (socket.role === "client" || (socket.serves !== undefined && random.chance(0.9))))
			return length;
		if (random.chance(this.#faults.interrupt)) return -EINTR;
		const { room } = socket;
		if (room <= 0 || random.chance(this.#faults.fullSend)) {
			if (room > 0) socket.throttled = true;
			socket.wantsRoom = true;
			return -EAGAIN;
		}
		let count = Math.min(length, room);
		if (count > 1 && random.chance(this.#faults.shortSend)) count = random.between(1, count - 1);
		if (count < length) {
			// Less than asked: the kernel has no room left, or behaves as if.
			if (count < room) socket.throttled = random.chance(0.5);
			socket.wantsRoom = true;
		}
		return count;
	}

	#sent(socket: SimulatedSocket, count: number): void {
		socket.sent += count;
		this.#queue(socket, count);
	}

	#queue(socket: SimulatedSocket, count: number): void {
		if (socket.queued === 0) socket.queuedSinceMs = this.nowMs;
		socket.queued += count;
		if (socket.peerGone) socket.resetDue = true;
	}

	undelivered(fd: number): number {
		return this.#socket(fd, "SIOCOUTQ").queued;
	}

	socketMemory(fd: number): number {
		const socket = this.#socket(fd, "SO_MEMINFO");
		this.witness?.measured(socket);
		return memoryOf(socket);
	}

	/** What the buffers of all open sockets hold. */
	get socketBytes(): number {
		let bytes = 0;
		for (const descriptor of this.#table) if (descriptor?.kind === "socket") bytes += memoryOf(descriptor);
		return bytes;
	}

	shutdownWrite(fd: number): number {
		const socket = this.#socket(fd, "shutdown");
		this.#meanwhile(socket);
		if (this.#spoils("lost_shutdown")) return 0;
		const result = socket.dead ? -ENOTCONN : 0;
		if (!socket.dead) this.witness?.shuttingDown(socket);
		socket.shut = true;
		socket.held = 0;
		this.#trace.note(SHUTDOWN, fd, 0, result);
		// The state has changed, and that wakes everybody.
		this.readiness.changed(socket, 0);
		return result;
	}

	close(fd: number): number {
		if (this.#spoils("leaked_close")) return 0;
		this.#trace.note(CLOSE, fd, 0, 0);
		this.#close(fd, false);
		return 0;
	}

	reset(fd: number): number {
		this.#trace.note(RESET, fd, 0, 0);
		this.#close(fd, !this.#spoils("reset_as_end"));
		return 0;
	}

	#close(fd: number, reset: boolean): void {
		const descriptor = this.#table[fd];
		if (descriptor === undefined) violated(`descriptor ${fd} is closed, and was not open`);
		if (descriptor.kind === "pipe") this.openPipeEnds--;
		else if (descriptor.kind === "socket") {
			if (descriptor.role === "client") this.openClients--;
			else this.openUpstreams--;
			descriptor.open = false;
			this.witness?.closed(descriptor, reset);
		} else violated(`the reactor closes descriptor ${fd}, a ${descriptor.kind}, which it does not own`);
		this.uninstall(fd);
	}

	openPipe(): number {
		const exhausted = this.#isExhausted(2);
		if (exhausted !== 0) {
			this.#trace.note(OPEN_PIPE, -1, 0, -exhausted);
			return -exhausted;
		}
		const pipe = new SimulatedPipe(this.pipeCapacity);
		const readEnd = this.install(new SimulatedPipeEnd(pipe, true));
		this.pipeWriteEnd = this.install(new SimulatedPipeEnd(pipe, false));
		this.openPipeEnds += 2;
		this.#trace.note(OPEN_PIPE, readEnd, this.pipeWriteEnd, readEnd);
		return readEnd;
	}

	splice(from: number, to: number, length: number): number {
		const source = this.#table[from];
		const target = this.#table[to];
		let result: number;
		if (source?.kind === "socket" && target?.kind === "pipe" && !target.reads)
			result = this.#spliceIn(source, target.pipe, length);
		else if (source?.kind === "pipe" && source.reads && target?.kind === "socket")
			result = this.#spliceOut(source.pipe, target, length);
		else violated(`splice from descriptor ${from} to ${to}`);
		this.#trace.note(SPLICE, from, to, result);
		return result;
	}

	#spliceIn(socket: SimulatedSocket, pipe: SimulatedPipe, length: number): number {
		const room = pipe.capacity - pipe.bytes;
		if (room === 0) return -EAGAIN;
		let count = this.#readable(socket, Math.min(length, room));
		if (count <= 0) return count;
		// tcp_read_sock does not pass urgent data; with an end behind it, it says that this is the end (measured).
		if (socket.urgentAt === socket.taken) return socket.finished ? 0 : -EAGAIN;
		// A pipe has slots as well as bytes: small segments fill it early.
		if (count > 1 && this.#random.chance(this.#faults.shortSend)) count = this.#random.between(1, count);
		pipe.stretches.push({ stream: socket.incoming, position: socket.taken, length: count });
		pipe.bytes += count;
		this.#take(socket, count);
		return count;
	}

	#spliceOut(pipe: SimulatedPipe, socket: SimulatedSocket, length: number): number {
		if (pipe.bytes === 0) return -EAGAIN;
		const count = this.#sendable(socket, Math.min(length, pipe.bytes));
		if (count <= 0) return count;
		// The reactor is told that all went, so that it gives the pipe back too early.
		if (this.#spoils("dirty_pipe")) return length;
		for (let left = count; left > 0; ) {
			const stretch = pipe.stretches[0];
			if (stretch === undefined) violated("a pipe has fewer bytes than it counts");
			const part = Math.min(left, stretch.length);
			this.witness?.splicing(socket, stretch.stream, stretch.position, part);
			this.#sent(socket, part);
			socket.held = 0;
			stretch.position += part;
			stretch.length -= part;
			left -= part;
			if (stretch.length === 0) pipe.stretches.shift();
		}
		pipe.bytes -= count;
		return count;
	}

	clearWake(fd: number): void {
		const wake = this.#table[fd];
		if (wake?.kind !== "wake") violated(`descriptor ${fd} is no wake-up`);
		wake.signalled = false;
		this.#trace.note(CLEAR_WAKE, fd, 0, 0);
	}

	// What the world does to the kernel.

	wake(wake: SimulatedWake): void {
		wake.signalled = true;
		this.readiness.changed(wake, EPOLLIN);
	}

	/** A client's connection is established. */
	arrive(listener: SimulatedListener, socket: SimulatedSocket): void {
		listener.queue.push(socket);
		this.readiness.changed(listener, EPOLLIN);
	}

	/** Bytes arrive. */
	deliver(socket: SimulatedSocket, count: number): void {
		const { incoming } = socket;
		incoming.arrived += count;
		this.#trace.note(PEER_WRITES, socket.fd, count, incoming.arrived);
		// What is scripted may come in a record whose end comes later.
		socket.wroteRecords(
			count,
			this.#random,
			incoming.arrived < incoming.scripted && this.#random.chance(0.5),
		);
		if (socket.waiting >= socket.lowWater) this.readiness.changed(socket, EPOLLIN);
	}

	/** The rest of a record arrives, if there is one. */
	endRecord(socket: SimulatedSocket): void {
		if (socket.endRecord()) this.readiness.changed(socket, EPOLLIN);
	}

	/** Bytes arrive, with urgent data among them. */
	deliverUrgent(socket: SimulatedSocket, count: number): void {
		socket.urgentAt = socket.incoming.arrived + this.#random.below(count);
		socket.incoming.arrived += count;
		this.#trace.note(PEER_URGES, socket.fd, count, socket.urgentAt);
		this.readiness.changed(socket, EPOLLIN | EPOLLPRI);
	}

	/** The peer's FIN arrives. */
	finish(socket: SimulatedSocket): void {
		if (socket.finished || socket.dead) return;
		socket.endRecord();
		socket.finished = true;
		this.#trace.note(PEER_ENDS, socket.fd, 0, 0);
		this.readiness.changed(socket, EPOLLIN | EPOLLRDHUP);
	}

	/** The connection is gone: a reset, or nobody answered for too long. What has arrived can still be read. */
	kill(socket: SimulatedSocket, errno: number): void {
		if (socket.dead) return;
		this.witness?.dying(socket);
		const refused = socket.connecting;
		socket.connecting = false;
		socket.dead = true;
		// tcp_reset: behind an end it is a broken pipe.
		socket.error = errno === ECONNRESET && socket.finished && !refused ? EPIPE : errno;
		socket.queued = 0;
		socket.held = 0;
		this.#trace.note(PEER_RESETS, socket.fd, errno, 0);
		this.readiness.changed(socket, 0);
	}

	/** A connect succeeds. */
	establish(socket: SimulatedSocket): void {
		socket.connecting = false;
		this.#trace.note(PEER_ANSWERS, socket.fd, 0, 0);
		this.readiness.changed(socket, 0);
	}

	/** The peer acknowledges bytes, of those that have gone to it. */
	acknowledge(socket: SimulatedSocket, wanted: number): void {
		const count = Math.min(wanted, socket.queued - socket.held);
		if (count <= 0) return;
		socket.queued -= count;
		socket.acknowledgedMs = this.nowMs;
		this.#trace.note(PEER_READS, socket.fd, count, socket.queued);
		this.#offerRoom(socket);
	}

	/** The kernel takes bytes again. */
	unthrottle(socket: SimulatedSocket): void {
		if (!socket.throttled) return;
		socket.throttled = false;
		this.#trace.note(ROOM, socket.fd, 0, 0);
		this.#offerRoom(socket);
	}

	/** sk_stream_write_space: an edge is given once there is room enough, to whoever found none. */
	#offerRoom(socket: SimulatedSocket): void {
		if (!socket.wantsRoom || !socket.writable) return;
		socket.wantsRoom = false;
		this.readiness.changed(socket, EPOLLOUT);
	}

	#meanwhile(socket: SimulatedSocket): void {
		if (this.#random.chance(this.#faults.meanwhile)) this.others?.meanwhile(socket);
	}

	/** For the trace. */
	noteTurn(turn: number): void {
		this.#trace.note(TURN, -1, turn, this.nowMs);
	}
}

/** What a socket's buffers hold, without what the kernel adds for its own bookkeeping. */
export function memoryOf(socket: SimulatedSocket): number {
	return socket.queued + socket.waiting;
}

const TURN = operation("turn");
const ACCEPT = operation("accept");
const SOCKET = operation("socket");
const CONNECT = operation("connect");
const SET_OPTION = operation("set option");
const TAKE_ERROR = operation("take error");
const PEEK = operation("peek");
const RECEIVE = operation("receive");
const DISCARD = operation("discard");
const SEND = operation("send");
const SEND_MORE = operation("send, more follows");
const SHUTDOWN = operation("shutdown");
const CLOSE = operation("close");
const RESET = operation("reset");
const OPEN_PIPE = operation("open pipe");
const SPLICE = operation("splice");
const CLEAR_WAKE = operation("clear wake");
const PEER_WRITES = operation("peer writes");
const PEER_URGES = operation("peer urges");
const PEER_READS = operation("peer reads");
const PEER_ENDS = operation("peer ends");
const PEER_RESETS = operation("peer resets");
const PEER_ANSWERS = operation("peer answers connect");
const ROOM = operation("room again");
