/** A kernel in memory: its system calls. What is beneath them, its sockets and its network, are the classes that it extends. */
import {
	AF_INET,
	AF_UNIX,
	EAGAIN,
	ECONNABORTED,
	ECONNREFUSED,
	EINPROGRESS,
	EINTR,
	EPERM,
	EPOLLIN,
	SO_RCVLOWAT,
	SOL_SOCKET,
	TCP_NODELAY,
} from "../../src/kernel/constants.js";
import type { Datagrams } from "../../src/kernel/datagrams.js";
import type { Kernel } from "../../src/kernel/kernel.js";
import { encodeInternet, familyAt } from "../../src/kernel/sockaddr.js";
import { u8 } from "../../src/parts/at.js";
import type { SimulatedDatagramSocket } from "./datagrams/datagram-socket.js";
import type { SimulatedListener, SimulatedSocket } from "./descriptors.js";
import { noteOption } from "./options.js";
import { SimulatedPipes } from "./simulated-pipes.js";
import { memoryOf } from "./simulated-sockets.js";
import { operation, violated } from "./trace.js";

/** ENOTCONN: shutdown of a connection that is gone. */
const ENOTCONN = 107;

const NO_ADDRESS = new Uint8Array(0);

export class SimulatedKernel extends SimulatedPipes implements Kernel {
	now(): number {
		return this.nowMs;
	}

	threadCpu(): number {
		return this.nowMs;
	}

	accept(fd: number, addressOffset: number): number {
		const listener = this.table[fd];
		if (listener?.kind !== "listener") violated(`accept on descriptor ${fd}, which is no listener`);
		const result = this.#accept(listener, addressOffset);
		this.trace.note(ACCEPT, fd, listener.queue.length, result);
		return result;
	}

	#accept(listener: SimulatedListener, addressOffset: number): number {
		if (this.datagrams !== undefined) this.datagrams.isHearing = false;
		const random = this.random;
		if (random.chance(this.faults.interrupt)) return -EINTR;
		const exhausted = this.exhaustion(1);
		if (exhausted !== 0) return -exhausted;
		if (listener.queue.length === 0) return -EAGAIN;
		if (random.chance(this.faults.aborted)) {
			listener.queue.shift();
			return random.chance(0.7) ? -ECONNABORTED : -EPERM;
		}
		const socket = listener.queue.shift() as SimulatedSocket; // not empty
		const address = encodeInternet(socket.address.bytes, socket.port);
		this.range(addressOffset, address.length, "accept");
		this.memory.set(address, addressOffset);
		socket.open = true;
		socket.acceptedMs = this.nowMs;
		socket.activeMs = this.nowMs;
		if (socket.role === "client") this.openClients++;
		else this.openUpstreams++;
		const fd = this.install(socket);
		this.witness?.accepted(socket);
		return fd;
	}

	readyForMs(fd: number): number {
		const socket = this.socketOf(fd, "TCP_INFO");
		if (socket.sent > 0) violated(`descriptor ${fd} was sent to before it was asked how long it waited`);
		return Math.floor(this.nowMs - socket.arrivedMs);
	}

	socket(family: number): number {
		let result = -this.exhaustion(1);
		if (result === 0) {
			const socket = this.others?.openUpstream();
			if (socket === undefined) violated("nobody opens upstreams");
			socket.unix = family === AF_UNIX;
			socket.connecting = true;
			socket.open = true;
			this.openUpstreams++;
			result = this.install(socket);
		}
		this.trace.note(SOCKET, -1, family, result);
		return result;
	}

	connect(fd: number, address: Uint8Array): number {
		const ofDatagrams = this.datagramSocketAt(fd);
		if (ofDatagrams !== undefined) return this.#connectDatagrams(ofDatagrams, address);
		const socket = this.socketOf(fd, "connect");
		const result = this.others?.connect(socket, address) ?? -ECONNREFUSED;
		socket.dialledMs = this.nowMs;
		if (result !== -EINPROGRESS) socket.connecting = false;
		this.trace.note(CONNECT, fd, familyAt(address, 0) === AF_UNIX ? AF_UNIX : AF_INET, result);
		return result;
	}

	#connectDatagrams(socket: SimulatedDatagramSocket, address: Uint8Array): number {
		const result = this.datagrams?.connect(socket, address) ?? violated("there is no network for datagrams");
		this.trace.note(CONNECT, socket.fd, familyAt(address, 0), result);
		return result;
	}

	localAddress(fd: number, addressOffset: number): number {
		const ofDatagrams = this.datagramSocketAt(fd);
		if (ofDatagrams !== undefined) {
			const own = this.datagrams?.localAddress(ofDatagrams) ?? NO_ADDRESS;
			this.memory.set(own, addressOffset);
			return own.length;
		}
		// Both ends of a connection are of one family.
		const { bytes } = this.socketOf(fd, "getsockname").address;
		const address = encodeInternet(
			bytes.map((byte, i) => (i === bytes.length - 1 ? 200 : byte)),
			443,
		);
		this.memory.set(address, addressOffset);
		return address.length;
	}

	setOption(fd: number, level: number, option: number, value: number): number {
		const ofDatagrams = this.datagramSocketAt(fd);
		if (ofDatagrams !== undefined) return this.datagrams?.setOption(ofDatagrams, level, option, value) ?? 0;
		const socket = this.socketOf(fd, "setsockopt");
		if (level === SOL_SOCKET && option === SO_RCVLOWAT) {
			socket.lowWater = Math.max(1, value);
			this.trace.note(SET_OPTION, fd, value, 0);
			// tcp_set_rcvlowat: signals at once when what is there suffices.
			if (socket.waiting >= socket.lowWater || socket.finished) this.readiness.changed(socket, EPOLLIN);
			return 0;
		}
		if (option === TCP_NODELAY && this.spoils("lost_nodelay")) return 0;
		noteOption(socket, level, option, value);
		this.trace.note(SET_OPTION, fd, option, value);
		return 0;
	}

	takeError(fd: number): number {
		const socket = this.datagramSocketAt(fd) ?? this.socketOf(fd, "SO_ERROR");
		const { error } = socket;
		socket.error = 0;
		this.trace.note(TAKE_ERROR, fd, 0, error);
		return error;
	}

	peek(fd: number, offset: number, length: number): number {
		const socket = this.#beneathNothing(fd, "peek");
		if (length === 1 && this.spoils("blind_pool")) return -EAGAIN;
		this.range(offset, length, "peek");
		const count = this.readable(socket, length);
		if (count > 0) {
			socket.incoming.copy(socket.taken, this.memory, offset, count);
			socket.seen = Math.max(socket.seen, socket.taken + count);
		}
		this.trace.note(PEEK, fd, length, count);
		return count;
	}

	receive(fd: number, offset: number, length: number): number {
		const socket = this.#beneathNothing(fd, "receive");
		this.range(offset, length, "receive");
		const count = this.readable(socket, length);
		if (count > 0) {
			socket.incoming.copy(socket.taken, this.memory, offset, count);
			this.take(socket, count);
		}
		this.trace.note(RECEIVE, fd, length, count);
		return count;
	}

	discard(fd: number, length: number): number {
		const socket = this.socketOf(fd, "discard");
		if (socket.isOpenTls) {
			// Nobody reads it through TLS any more.
			const thrown = this.fetch(socket, length);
			socket.throwAway();
			this.trace.note(DISCARD, fd, length, thrown);
			return thrown;
		}
		const count = this.readable(socket, length);
		const isHeader = socket.role === "upstream" && socket.taken + count === socket.ownLine?.visitFrom;
		if (isHeader && this.spoils("kept_header")) return count;
		if (count > 0) this.take(socket, count + this.#miscount(socket, count));
		this.trace.note(DISCARD, fd, length, count);
		return count;
	}

	#miscount(socket: SimulatedSocket, count: number): number {
		if (socket.available > count && this.spoils("greedy_discard")) return 1;
		return this.spoils("frugal_discard") ? -1 : 0;
	}

	/** A socket over which no TLS session reads and writes: what it would not notice spoils it. */
	#beneathNothing(fd: number, call: string): SimulatedSocket {
		const socket = this.socketOf(fd, call);
		if (socket.secured !== undefined && !socket.secured.freed && socket.fetched > 0)
			violated(`${call} on descriptor ${fd}, beneath its TLS session`);
		return socket;
	}

	send(fd: number, offset: number, length: number, more = false): number {
		const socket = this.#beneathNothing(fd, "send");
		this.range(offset, length, "send");
		this.witness?.trying(socket);
		const count = this.sendable(socket, length);
		if (count > 0) {
			this.#spoil(offset, count);
			this.witness?.sending(socket, this.memory, offset, count);
			this.sent(socket, count);
			// tcp_sendmsg pushes what it has when no room is left for the rest, whatever the flags say.
			if (count === length && (more || this.spoils("left_corked"))) socket.held += count;
			else socket.held = 0;
		}
		this.trace.note(more ? SEND_MORE : SEND, fd, length, count);
		return count;
	}

	#spoil(offset: number, count: number): void {
		if (this.spoils("changed_byte")) this.memory[offset] = u8(this.memory, offset) ^ 1;
		if (this.spoils("doubled_byte")) this.memory.copyWithin(offset + 1, offset, offset + count - 1);
		if (this.spoils("lost_byte")) this.memory.copyWithin(offset, offset + 1, offset + count);
	}

	undelivered(fd: number): number {
		return this.socketOf(fd, "SIOCOUTQ").queued;
	}

	socketMemory(fd: number): number {
		const ofDatagrams = this.datagramSocketAt(fd);
		if (ofDatagrams !== undefined) return ofDatagrams.queuedBytes;
		const socket = this.socketOf(fd, "SO_MEMINFO");
		this.witness?.measured(socket);
		return memoryOf(socket);
	}

	/** The same without what is in the buffers of a completion engine. */
	kernelMemory(fd: number): number {
		const socket = this.socketOf(fd, "SO_MEMINFO");
		return socket.queued + socket.waiting;
	}

	/** What the buffers of all open sockets hold. */
	get socketBytes(): number {
		let bytes = 0;
		for (const descriptor of this.table) {
			if (descriptor?.kind === "socket") bytes += memoryOf(descriptor);
			if (descriptor?.kind === "datagrams" && !descriptor.isListener) bytes += descriptor.queuedBytes;
		}
		return bytes;
	}

	shutdownWrite(fd: number): number {
		const socket = this.socketOf(fd, "shutdown");
		this.meanwhile(socket);
		if (this.spoils("lost_shutdown")) return 0;
		const result = socket.dead ? -ENOTCONN : 0;
		if (!socket.dead) this.witness?.shuttingDown(socket);
		socket.shut = true;
		socket.held = 0;
		this.trace.note(SHUTDOWN, fd, 0, result);
		// The state has changed, and that wakes everybody.
		this.readiness.changed(socket, 0);
		return result;
	}

	close(fd: number): number {
		if (this.spoils("leaked_close")) return 0;
		this.trace.note(CLOSE, fd, 0, 0);
		this.#close(fd, false);
		return 0;
	}

	reset(fd: number): number {
		this.trace.note(RESET, fd, 0, 0);
		const isSpoilt = this.socketAt(fd)?.ownLine !== undefined && this.spoils("ended_visitor");
		this.#close(fd, !isSpoilt && !this.spoils("reset_as_end"));
		return 0;
	}

	#close(fd: number, reset: boolean): void {
		const descriptor = this.table[fd];
		if (descriptor === undefined) violated(`descriptor ${fd} is closed, and was not open`);
		if (descriptor.kind === "pipe") this.openPipeEnds--;
		else if (descriptor.kind === "socket") {
			if (descriptor.role === "client") this.openClients--;
			else this.openUpstreams--;
			descriptor.open = false;
			this.witness?.closed(descriptor, reset);
		} else if (descriptor.kind === "datagrams") this.datagrams?.closed(descriptor);
		else violated(`the reactor closes descriptor ${fd}, a ${descriptor.kind}, which it does not own`);
		this.uninstall(fd);
	}

	openDatagrams(): Datagrams {
		return (
			this.datagrams?.openDatagrams() ?? violated("what moves datagrams is asked for, and there are none")
		);
	}

	wakeOther(): void {}

	clearWake(fd: number): void {
		const wake = this.table[fd];
		if (wake?.kind !== "wake") violated(`descriptor ${fd} is no wake-up`);
		wake.signalled = false;
		this.trace.note(CLEAR_WAKE, fd, 0, 0);
	}

	/** For the trace. */
	noteTurn(turn: number): void {
		this.trace.note(TURN, -1, turn, this.nowMs);
	}
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
const CLEAR_WAKE = operation("clear wake");
