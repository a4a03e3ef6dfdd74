/**
 * What moves the bytes of connections, beneath the wire. Everything else in the reactor asks the kernel for no byte of a
 * connection, and for no news: it has both from its engine, and so it does not matter which kind of engine that is.
 *
 * - A *readiness engine* leaves bytes in the kernel, is told when a call is worth it, and makes that call when it is asked.
 *   `EpollEngine` is one.
 * - A *completion engine* has operations under way: bytes have been received before anybody asks for them, and what was
 *   taken for sending is gone when its completion says so.
 *
 * A connection is named by its row. Results are counts, 0 at the end of a stream, or a negative errno, never EINTR.
 * `docs/architecture.md` says how each kind keeps what is promised here.
 *
 * **News.** What waits is told in the bits of epoll, as edges: once, and again when more has come. News may come without
 * cause, and late; it is never lost. For what was read or sent short, news follows by itself.
 *
 *     EPOLLIN      readable: a peek or a receive is worth it. It brings bytes, the end or an error
 *     EPOLLRDHUP   ended: with what can be peeked and received *now*, the stream is complete; behind it comes 0. Nobody waits
 *                  for more bytes after this, so it is told when none are under way any more, and not before
 *     EPOLLERR     failed: the connection is gone, and `takeError` says why. This overtakes bytes, also those of a connection
 *                  that is not read. What has come before can still be received; then comes the error, or the end
 *     EPOLLHUP     both directions are over: by ends, or by a failure
 *     EPOLLOUT     room: what was sent short may be sent on. Of `watchConnecting`: connected, or, with EPOLLERR, not
 *     EPOLLPRI     urgent data is among the bytes: a receive that is short does not tell that nothing more is there. An engine
 *                  whose receives tell so in spite of it does not say this
 *
 * **Who reads, and who does not.** A connection that is not read must not fill memory: its peer has to be slowed down. A
 * readiness engine holds nothing. A completion engine receives on only when all that it holds of a connection has been taken;
 * or when a peek has shown all of that, and asked for more; or when it is still less than `awaitBytes` has asked for. So it
 * holds as much as the longest peek and one buffer at most, out of a fixed number of buffers; a connection that has sent nothing
 * has none. When they are used up it behaves as a readiness engine: bytes stay in the kernel, and are fetched from there when
 * they are asked for. So nobody has to wait for a buffer that belongs to another connection, who may keep it for long.
 *
 * **Memory.** What `offset` and `length` name belongs to the caller again when a call returns, whichever engine it is: scratch
 * memory is written over at once. So an engine whose send is not over copies what it has taken, into a buffer of its own that
 * stays the kernel's until the completion; and as long as that, a buffer that is received into. A buffer is never given up
 * before, also not when the connection is closed, or its operation cancelled. An engine allocates its buffers once, and what they
 * hold is in `socketMemory` and `undelivered`, as if the kernel held it.
 */

import type { Readiness } from "../../kernel/kernel.js";
import type { Slot } from "../table/numbers.js";

export interface Engine {
	/** Listeners and the wake-up descriptor are watched here, and all news is heard here: that of rows with their generations. */
	readonly readiness: Readiness;

	/**
	 * Bytes that nobody has asked for are in the kernel, and what was sent is there too: others may use the descriptor beside the
	 * engine, as pipes (`fillPipe`, `drainPipe`) and the TLS library do. With an engine that says false, neither is possible.
	 */
	readonly sharesDescriptors: boolean;

	/** News of a connection is heard from now on. A negative errno: there is no memory for it, and the connection is not watched. */
	watch(slot: Slot): number;

	/** The same for one that is being made: EPOLLOUT says that it is connected, also when it was within the call. */
	watchConnecting(slot: Slot): number;

	/** Room is waited for. What is there is told, too, so nothing is lost in between. Asked once; from then on, each is told. */
	watchRoom(slot: Slot): void;

	/**
	 * News of bytes may wait until so many are there, or their end; 1: until there are any. A hint: the engine may tell earlier. A
	 * negative errno: it was refused.
	 */
	awaitBytes(slot: Slot, count: number): number;

	/** Copies up to `length` bytes of what has come, and leaves them where they are. */
	peek(slot: Slot, offset: number, length: number): number;

	/** Takes up to `length` bytes. Fewer mean that nothing more is there now; only an end or an error may still follow at once. */
	receive(slot: Slot, offset: number, length: number): number;

	/** Throws up to `length` bytes away. */
	discard(slot: Slot, length: number): number;

	/**
	 * Takes up to `length` bytes for sending; EAGAIN: none, for now. They are sent in order, and nobody has to ask for that. Whether
	 * their peer has them, `undelivered` says; that they could not be sent is told as EPOLLERR, and to whoever sends next. `more`: a
	 * further send, a shutdown or a close follows in this turn, and the bytes may wait for that. While a connection is being made, before it is
	 * watched too, an engine may take nothing.
	 */
	send(slot: Slot, offset: number, length: number, more: boolean): number;

	/** All that was taken for sending has gone to the kernel. False: EPOLLOUT is told when it has. */
	isFlushed(slot: Slot): boolean;

	/** Bytes taken for sending that the peer has not acknowledged yet, or a negative errno. */
	undelivered(slot: Slot): number;

	/** Bytes that the kernel and the engine hold for the connection, or a negative errno. */
	socketMemory(slot: Slot): number;

	/** The connection's pending error: 0 or a positive errno. */
	takeError(slot: Slot): number;

	/** Ends our direction. Asked only when `isFlushed`; otherwise the end would overtake bytes. */
	shutdownWrite(slot: Slot): number;

	/**
	 * The row's connection is over, and no news of it is heard any more, whether it was watched or not. What was taken for sending
	 * is still delivered: the engine may keep the descriptor until its operations are over, which it does not wait for (it cancels
	 * them), and it says by a reset when not all could be sent, because a stream that was cut must not look complete.
	 */
	close(slot: Slot): void;

	/** The same with a reset; what is under way is dropped. */
	reset(slot: Slot): void;

	/** Moves up to `length` bytes from a connection into a pipe, by its writing end. Only where descriptors are shared. */
	fillPipe(slot: Slot, writeEnd: number, length: number): number;

	/** Moves up to `length` bytes from a pipe, by its reading end, to a connection. Only where descriptors are shared. */
	drainPipe(slot: Slot, readEnd: number, length: number): number;
}

/** The rows that connections are named by: what an engine knows of the table. */
export interface EngineRows {
	/** The descriptor of each. */
	readonly fd: Int32Array;
	readonly generation: Int32Array;
}

export type OpenEngine = (rows: EngineRows) => Engine;
