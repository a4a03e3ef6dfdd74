/** What is beneath the calls of a simulated kernel: its descriptors, and what the other ends of its connections do to them. */
import { ECONNRESET, EPIPE, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP } from "../../src/kernel/constants.js";
import type { Random } from "../../src/rig/random.js";
import type { DatagramKernel } from "./datagrams/datagram-kernel.js";
import type { SimulatedDatagramSocket } from "./datagrams/datagram-socket.js";
import type { Descriptor, SimulatedListener, SimulatedSocket, SimulatedWake } from "./descriptors.js";
import type { Faults, Mutant } from "./faults.js";
import { SimulatedReadiness } from "./simulated-readiness.js";
import type { Stream } from "./stream.js";
import type { Trace } from "./trace.js";
import { operation, violated } from "./trace.js";

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

export class SimulatedNetwork {
	readonly memory: Uint8Array;
	readonly readiness: SimulatedReadiness;

	nowMs: number;
	mutant: Mutant = "none";
	others: OtherEnds | undefined;
	witness: Witness | undefined;
	/** In runs with sockets of UDP. */
	datagrams: DatagramKernel | undefined;
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

	protected faults: Faults;
	protected readonly random: Random;
	protected readonly trace: Trace;
	protected readonly table: (Descriptor | undefined)[] = [];
	#lowestFree = 0;

	constructor(random: Random, faults: Faults, trace: Trace, arenaBytes: number, startMs: number) {
		// As in production: a slice of a Buffer would be no copy.
		this.memory = new Uint8Array(arenaBytes);
		this.nowMs = startMs;
		this.random = random;
		this.faults = faults;
		this.trace = trace;
		this.readiness = new SimulatedReadiness(random, faults, trace, (fd, call) => {
			const descriptor = this.table[fd];
			if (descriptor === undefined || descriptor.kind === "pipe") violated(`${call} of descriptor ${fd}`);
			return descriptor;
		});
	}

	setFaults(faults: Faults): void {
		this.faults = faults;
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
		while (this.table[fd] !== undefined) fd++;
		this.table[fd] = descriptor;
		this.#lowestFree = fd + 1;
		if (descriptor.kind !== "pipe") descriptor.fd = fd;
		this.openCount++;
		return fd;
	}

	uninstall(fd: number): void {
		const descriptor = this.table[fd];
		if (descriptor === undefined) violated(`descriptor ${fd} is closed twice`);
		if (descriptor.kind !== "pipe") {
			this.readiness.forget(descriptor);
			descriptor.fd = -1;
		}
		this.table[fd] = undefined;
		this.#lowestFree = Math.min(this.#lowestFree, fd);
		this.openCount--;
	}

	socketAt(fd: number): SimulatedSocket | undefined {
		const descriptor = this.table[fd];
		return descriptor?.kind === "socket" ? descriptor : undefined;
	}

	datagramSocketAt(fd: number): SimulatedDatagramSocket | undefined {
		const descriptor = this.table[fd];
		return descriptor?.kind === "datagrams" ? descriptor : undefined;
	}

	// What the world does to the kernel.

	wake(wake: SimulatedWake): void {
		wake.signalled = true;
		this.readiness.changed(wake, EPOLLIN);
	}

	/** A client's connection is established. */
	arrive(listener: SimulatedListener, socket: SimulatedSocket): void {
		socket.arrivedMs = this.nowMs;
		listener.queue.push(socket);
		this.readiness.changed(listener, EPOLLIN);
	}

	/** Bytes arrive. */
	deliver(socket: SimulatedSocket, count: number): void {
		const { incoming } = socket;
		incoming.arrived += count;
		this.trace.note(PEER_WRITES, socket.fd, count, incoming.arrived);
		// What is scripted may come in a record whose end comes later.
		socket.wroteRecords(count, this.random, incoming.arrived < incoming.scripted && this.random.chance(0.5));
		if (socket.waiting >= socket.lowWater) this.readiness.changed(socket, EPOLLIN);
	}

	/** The rest of a record arrives, if there is one. */
	endRecord(socket: SimulatedSocket): void {
		if (socket.endRecord()) this.readiness.changed(socket, EPOLLIN);
	}

	/** Bytes arrive; through TLS they are one record. */
	deliverWhole(socket: SimulatedSocket, count: number): void {
		const { incoming } = socket;
		incoming.arrived += count;
		this.trace.note(PEER_WRITES, socket.fd, count, incoming.arrived);
		socket.endRecord();
		if (socket.waiting >= socket.lowWater) this.readiness.changed(socket, EPOLLIN);
	}

	/** Somebody else in the process closes what the reactor has given away. */
	closeOutside(fd: number): void {
		const socket = this.socketAt(fd);
		if (socket === undefined || socket.registered)
			violated(`descriptor ${fd} is closed, and is still the reactor's`);
		socket.open = false;
		this.openUpstreams--;
		this.uninstall(fd);
	}

	/** Bytes arrive, with urgent data among them. */
	deliverUrgent(socket: SimulatedSocket, count: number): void {
		socket.urgentAt = socket.incoming.arrived + this.random.below(count);
		socket.incoming.arrived += count;
		this.trace.note(PEER_URGES, socket.fd, count, socket.urgentAt);
		this.readiness.changed(socket, EPOLLIN | EPOLLPRI);
	}

	/** The peer's FIN arrives. */
	finish(socket: SimulatedSocket): void {
		if (socket.finished || socket.dead) return;
		socket.endRecord();
		socket.finished = true;
		this.trace.note(PEER_ENDS, socket.fd, 0, 0);
		this.readiness.changed(socket, EPOLLIN | EPOLLRDHUP);
	}

	/** The peer has said all that it wants to, and takes nothing more where it closes the whole connection. */
	leave(socket: SimulatedSocket): void {
		this.finish(socket);
		socket.peerGone = socket.temper.closesWhole;
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
		this.trace.note(PEER_RESETS, socket.fd, errno, 0);
		this.readiness.changed(socket, 0);
	}

	/** A connect succeeds. */
	establish(socket: SimulatedSocket): void {
		socket.connecting = false;
		this.trace.note(PEER_ANSWERS, socket.fd, 0, 0);
		this.readiness.changed(socket, 0);
	}

	/** The peer acknowledges bytes, of those that have gone to it. */
	acknowledge(socket: SimulatedSocket, wanted: number): void {
		const count = Math.min(wanted, socket.queued - socket.held);
		if (count <= 0) return;
		socket.queued -= count;
		if (socket.acknowledgedMs !== this.nowMs) socket.acknowledgedBeforeMs = socket.acknowledgedMs;
		socket.acknowledgedMs = this.nowMs;
		this.trace.note(PEER_READS, socket.fd, count, socket.queued);
		this.#offerRoom(socket);
	}

	/** The kernel takes bytes again. */
	unthrottle(socket: SimulatedSocket): void {
		if (!socket.throttled) return;
		socket.throttled = false;
		this.trace.note(ROOM, socket.fd, 0, 0);
		this.#offerRoom(socket);
	}

	/** sk_stream_write_space: an edge is given once there is room enough, to whoever found none. */
	#offerRoom(socket: SimulatedSocket): void {
		if (!socket.wantsRoom || !socket.writable) return;
		socket.wantsRoom = false;
		this.readiness.changed(socket, EPOLLOUT);
	}

	protected meanwhile(socket: SimulatedSocket): void {
		if (this.random.chance(this.faults.meanwhile)) this.others?.meanwhile(socket);
	}
}

const PEER_WRITES = operation("peer writes");
const PEER_URGES = operation("peer urges");
const PEER_READS = operation("peer reads");
const PEER_ENDS = operation("peer ends");
const PEER_RESETS = operation("peer resets");
const PEER_ANSWERS = operation("peer answers connect");
const ROOM = operation("room again");
