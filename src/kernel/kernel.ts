import type { Datagrams } from "./datagrams.js";

/**
 * What the reactor asks of an operating system. Production passes `LinuxKernel`; tests
 * may pass a simulated one, so nothing in `reactor/` may reach around this interface.
 *
 * Conventions: a result >= 0 is success, a negative one is `-errno`. Bytes move between
 * descriptors and `memory`, named by offset, so that no call allocates. All descriptors
 * are non-blocking.
 */
export interface Kernel extends KernelControl, KernelBytes {}

/** Time, memory, and how descriptors come into being, are set up and go. */
export interface KernelControl {
	/** The reactor's arena: scratch space and chunks. Offsets below point into it. */
	readonly memory: Uint8Array;

	/** Milliseconds on a clock that never goes back, the same in all threads. */
	now(): number;
	/** Milliseconds of processor time that this thread has had. Costs a system call. */
	threadCpu(): number;

	/** Takes one connection from a listener's queue, and writes its `sockaddr` at `addressOffset` (28 bytes at most). */
	accept(listener: number, addressOffset: number): number;
	/**
	 * How long a connection has been ready to be accepted, in milliseconds: as of now, and true only until something is sent to it.
	 * Linux counts in ticks of 1 to 10 ms. Negative where it does not know.
	 */
	readyForMs(fd: number): number;
	/** Opens a stream socket of that address family. */
	socket(family: number): number;
	/** Starts to connect. `-EINPROGRESS` is the usual answer. */
	connect(fd: number, address: Uint8Array): number;
	/** The local `sockaddr` of a connection, written at `addressOffset`. Returns its length. */
	localAddress(fd: number, addressOffset: number): number;
	setOption(fd: number, level: number, option: number, value: number): number;
	/** Gives the descriptor back; what is queued is still delivered. */
	close(fd: number): number;

	/** What moves datagrams, with memory of its own: it is asked for once, by who has a socket for them. */
	openDatagrams(): Datagrams;

	/** Opens a pipe: its reading end is returned, the writing end is `pipeWriteEnd`. */
	openPipe(): number;
	/** The writing end of the pipe that `openPipe` made last. */
	readonly pipeWriteEnd: number;

	/** Wakes who waits at another's wake-up descriptor. */
	wakeOther(fd: number): void;
	/** Empties the wake-up descriptor (an eventfd). */
	clearWake(fd: number): void;
}

/** News of descriptors, and the bytes of connections. The reactor has these by way of its engine (`reactor/wire/engine.ts`) only. */
export interface KernelBytes {
	readonly readiness: Readiness;

	/** Takes the pending error of a socket: 0 or a positive errno. */
	takeError(fd: number): number;

	/** Copies what waits, and leaves it in the kernel. */
	peek(fd: number, offset: number, length: number): number;
	/**
	 * Takes up to `length` bytes; 0 is the end of the stream. Contract: fewer than
	 * `length` means that nothing more waits now (true of Linux stream sockets, see
	 * epoll(7)); only the end of the stream or an error may still follow. Urgent data (EPOLLPRI) is the
	 * exception: a read stops before it, whatever lies behind.
	 */
	receive(fd: number, offset: number, length: number): number;
	/** Throws away `length` bytes that were peeked. */
	discard(fd: number, length: number): number;
	/**
	 * Sends up to `length` bytes; never raises SIGPIPE. `more`: a further send, a shutdown or a close follows at once. When all of
	 * them are taken, TCP may hold them until then, so that they travel together.
	 */
	send(fd: number, offset: number, length: number, more?: boolean): number;
	/** Bytes sent that the peer has not acknowledged yet, or a negative errno. */
	undelivered(fd: number): number;
	/** Bytes of kernel memory that a socket's buffers hold now, or a negative errno. */
	socketMemory(fd: number): number;
	/** Ends our direction of the connection. */
	shutdownWrite(fd: number): number;
	/** Gives the descriptor back with a reset; what is queued is dropped, and its memory freed at once. */
	reset(fd: number): number;
	/** Moves bytes between a socket and a pipe inside the kernel. */
	splice(from: number, to: number, length: number): number;
}

/**
 * Which descriptors have news. `epoll` today; narrow, so that a second source can be
 * added. Each descriptor carries a slot and a generation of the reactor's table, and
 * every event brings both back, so that news for an earlier owner is recognised.
 */
export interface Readiness {
	/** `interest`: EPOLL… bits. */
	add(fd: number, interest: number, slot: number, generation: number): number;
	modify(fd: number, interest: number, slot: number, generation: number): number;
	remove(fd: number): number;
	/** Waits up to `timeoutMs` (-1: for ever) and returns how many events there are. */
	wait(timeoutMs: number): number;
	/**
	 * The last wait may have left news unreported that was there: its batch was full, or a signal interrupted it.
	 * Otherwise whoever was not reported had no news when it returned.
	 */
	readonly mayHaveMore: boolean;
	flagsOf(event: number): number;
	slotOf(event: number): number;
	generationOf(event: number): number;
}
