/** The bounded queue in front of one socket. */
import type { Reason } from "../../parts/reasons.js";
import { Waiters } from "../../parts/waiters.js";
import {
	type CloseListener,
	type CloseListeners,
	tellListeners,
	withListener,
	withoutListener,
} from "./close-listeners.js";
import { type DropCause, type Dropped, type Drops, drop, sumUp } from "./drops.js";
import { OutboxClosed } from "./errors.js";
import { type Entry, Lane } from "./lane.js";
import { Message, type MessageData } from "./message.js";
import {
	type FlushedOptions,
	type OutboxOptions,
	type OutboxPriority,
	resolve,
	type SendOptions,
	type SendResult,
	type Settings,
} from "./options.js";
import { evictable, evictFor } from "./room.js";
import { type OutboxSocket, type Sink, type SinkEvents, sinkOf } from "./sink.js";
import { unwatch, type Waiting, watch } from "./stall.js";

/** Reasons of the closed list. */
const STALLED: Reason = "stall_timeout";
const CLOSED: Reason = "client_closed";
const RESET: Reason = "client_reset";
const FULL: Reason = "outbox_full";

/** Stands for a line in which nothing ever stood. Empty, and never written to. */
const UNUSED = new Lane();

/**
 * Messages on their way to one peer, of which no more than `bytesMax` and `messagesMax` are retained, whatever the peer does.
 *
 *     const outbox = new Outbox(socket, { policy: "conflate", key: (message) => message.key, write: "10s" });
 *     if (outbox.send(text) === "closed") unsubscribe();
 *     await outbox.flushed({ signal });
 *     socket.end();
 *
 * While it is there, errors of the socket end the outbox and not the program.
 */
export class Outbox implements Disposable {
	/** What the socket and the timer call, of which nobody else need know: one small object instead of five functions. */
	static readonly #Ear = class implements SinkEvents, Waiting {
		readonly #outbox: Outbox;

		constructor(outbox: Outbox) {
			this.#outbox = outbox;
		}

		written(): void {
			this.#outbox.#written();
		}

		opened(): void {
			this.#outbox.#pump();
		}

		closed(isReset: boolean): void {
			this.#outbox.#end(isReset ? RESET : CLOSED);
		}

		dueMs(nowMs: number): number {
			return this.#outbox.#dueMs(nowMs);
		}

		expire(): void {
			this.#outbox.close(STALLED);
		}
	};

	readonly #ear: SinkEvents & Waiting;
	readonly #sink: Sink;
	readonly #settings: Settings;

	// Made when they are used: most of ten thousand outboxes are idle, have nothing to send, drop nothing and are not waited for.
	#high: Lane = UNUSED;
	#low: Lane = UNUSED;
	/** With the socket, which has not said yet that the kernel has it. */
	#handed: Lane = UNUSED;
	#byKey: Map<unknown, Entry> | undefined;
	#drops: Drops | undefined;
	#waiters: Waiters | undefined;
	#closeListeners: CloseListeners;

	/** Written, and with the kernel already, before the socket has called back for them. */
	#owedCalls = 0;
	#isPumping = false;
	#isWatched = false;
	/** When the peer took something last, or something began to wait. */
	#movedMs = 0;
	#taken = 0;
	#reason: string | undefined;

	/** Over a socket that nobody else writes to. Throws OptionError. */
	constructor(socket: OutboxSocket, options: OutboxOptions = {}) {
		this.#settings = resolve(options);
		this.#ear = new Outbox.#Ear(this);
		this.#sink = sinkOf(socket, this.#ear);
		if (this.#sink.isOver) this.#reason = CLOSED;
	}

	/** Messages that are retained: waiting, or with the socket and not with the kernel yet. */
	get size(): number {
		return this.#high.size + this.#low.size + this.#handed.size;
	}

	/** Their bytes: never more than `bytesMax`. */
	get bytes(): number {
		return this.#high.bytes + this.#low.bytes + this.#handed.bytes;
	}

	/** As it was passed. */
	get bytesMax(): number {
		return this.#settings.bytesMax;
	}

	/** What was dropped so far. What was with the socket when it closed may have arrived or not, and is not counted. */
	get dropped(): Dropped {
		return sumUp(this.#drops);
	}

	/** Why it is closed: what `close` was called with, `stall_timeout`, `outbox_full`, `client_closed` or `client_reset`. */
	get reason(): string | undefined {
		return this.#reason;
	}

	/** Whether it is closed. */
	get isClosed(): boolean {
		return this.#reason !== undefined;
	}

	/** Sends a message, or keeps it until the peer takes it. Never throws for want of room: the result says what became of it. */
	send(data: Message | MessageData, { priority = "low" }: SendOptions = {}): SendResult {
		if (this.#reason !== undefined) return "closed";
		if (this.#sink.isOver) {
			this.#end(CLOSED);
			return "closed";
		}
		const message = Message.from(data);
		const lane = this.#laneOf(priority);
		const { policy, key: keyOf } = this.#settings;
		// Where nothing may be missing, there is no room for one that is too large either.
		if (message.bytes > this.#settings.bytesMax && policy !== "disconnect") {
			this.#lose(message, lane, "too_large");
			return "too_large";
		}
		const key = policy === "conflate" ? keyOf(message) : undefined;
		if (this.isClosed) return "closed";
		const old = key === undefined ? undefined : this.#byKey?.get(key);
		if (!this.#makeRoom(message.bytes, lane, old)) {
			if (policy === "disconnect") {
				this.close(FULL);
				return "closed";
			}
			this.#lose(message, lane, "refused");
			return "dropped";
		}
		message.hold();
		if (old !== undefined && (old.lane === lane || lane === this.#low)) {
			this.#count(old.message, "conflated");
			old.message.letGo();
			old.lane.replace(old, message);
			return "queued";
		}
		if (old !== undefined) this.#promote(old);
		const entry = lane.push(message, key);
		if (key !== undefined) {
			this.#byKey ??= new Map();
			this.#byKey.set(key, entry);
		}
		this.#pump();
		return entry.result;
	}

	/**
	 * Resolves when all that was sent is with the kernel. Rejects with the signal's reason, or with OutboxClosed when it is closed
	 * before.
	 */
	async flushed({ signal }: FlushedOptions = {}): Promise<void> {
		signal?.throwIfAborted();
		if (this.#reason !== undefined) throw new OutboxClosed(this.#reason);
		if (this.size === 0) return;
		this.#waiters ??= new Waiters();
		await this.#waiters.wait(signal);
	}

	/** Calls when it is closed, for whatever reason, or at once if it is. Returns what cancels it. */
	onClose(call: (reason: string) => void): () => void {
		if (this.#reason !== undefined) {
			call(this.#reason);
			return () => {};
		}
		const listener: CloseListener = { call };
		this.#closeListeners = withListener(this.#closeListeners, listener);
		return () => {
			this.#closeListeners = withoutListener(this.#closeListeners, listener);
		};
	}

	/** Closes it and destroys the socket: nothing is retained any more. Wait for `flushed` before, and nothing is lost. */
	close(reason = "drained"): void {
		if (this.#reason !== undefined) return;
		this.#end(reason, true);
	}

	/** The same as `close()`, for `using`. */
	[Symbol.dispose](): void {
		this.close();
	}

	#laneOf(priority: OutboxPriority): Lane {
		if (priority === "high") {
			if (this.#high === UNUSED) this.#high = new Lane();
			return this.#high;
		}
		if (this.#low === UNUSED) this.#low = new Lane();
		return this.#low;
	}

	/** Whether there is room for one more message, or in the place of `old`; whoever must make room for it has done so. */
	#makeRoom(bytes: number, lane: Lane, old: Entry | undefined): boolean {
		const overBytes = this.bytes + bytes - (old?.message.bytes ?? 0) - this.#settings.bytesMax;
		const overMessages = this.size + (old === undefined ? 1 : 0) - this.#settings.messagesMax;
		if (overBytes <= 0 && overMessages <= 0) return true;
		const { policy } = this.#settings;
		const lanes = evictable(policy, lane === this.#high, this.#high, this.#low);
		return evictFor({ overBytes, overMessages, old }, lanes, policy, (entry) => this.#evict(entry));
	}

	#evict(entry: Entry): void {
		const { lane, next, lost, message } = entry;
		this.#unqueue(entry);
		entry.result = "dropped";
		if (lost !== undefined) lane.lose(lost, next);
		this.#lose(message, lane, "evicted", next);
		message.letGo();
	}

	/** A waiting one leaves its line for a newer one of its key that is more urgent. */
	#promote(old: Entry): void {
		const { lane, next, lost, message } = old;
		this.#unqueue(old);
		if (lost !== undefined) lane.lose(lost, next);
		this.#count(message, "conflated");
		message.letGo();
	}

	#unqueue(entry: Entry): void {
		entry.lane.remove(entry);
		if (entry.key !== undefined) this.#byKey?.delete(entry.key);
	}

	#lose(message: Message, lane: Lane, cause: DropCause, before?: Entry): void {
		this.#count(message, cause);
		lane.lose({ messages: 1, bytes: message.bytes }, before);
	}

	#count(message: Message, cause: DropCause): void {
		this.#drops ??= {};
		drop(this.#drops, cause, message.bytes);
	}

	/** Hands over what the socket may have. Whatever is called from here may call anything of this outbox. */
	#pump(): void {
		if (this.#isPumping || !this.#sink.isOpen) {
			this.#watch();
			return;
		}
		this.#isPumping = true;
		try {
			// What the kernel took at once makes room for the next at once.
			while (this.#sink.isOpen && this.#next() !== undefined) {
				this.#handAll();
				this.#settle();
			}
		} finally {
			this.#isPumping = false;
			this.#watch();
		}
	}

	/** Gives the socket as much as it may have, in one write where it can do that. */
	#handAll(): void {
		const corked = this.#high.size + this.#low.size > 1;
		if (corked) this.#sink.cork();
		try {
			for (let entry = this.#next(); entry !== undefined; entry = this.#next()) this.#hand(entry);
		} finally {
			if (corked) this.#sink.uncork();
		}
	}

	/**
	 * Nothing waits in the socket: the kernel has all that was written. The socket says so a turn later only, and what a burst sends in
	 * one turn would be retained until then for every peer, however fast it reads.
	 */
	#settle(): void {
		if (this.#sink.waiting > 0) return;
		this.#owedCalls += this.#handed.size;
		for (let entry = this.#handed.first; entry !== undefined; entry = this.#handed.first)
			this.#release(entry);
	}

	/** The kernel has it. */
	#release(entry: Entry): void {
		this.#handed.remove(entry);
		entry.message.letGo();
		this.#movedMs = performance.now();
	}

	/** The next one, if the socket may have it now. */
	#next(): Entry | undefined {
		const entry = this.#high.first ?? this.#low.first;
		if (entry === undefined || this.#handed.size === 0) return entry;
		return this.#handed.bytes + entry.message.bytes <= this.#settings.handedMax ? entry : undefined;
	}

	#hand(entry: Entry): void {
		const { lost } = entry;
		const priority = entry.lane === this.#high ? "high" : "low";
		// Before anything is called: nothing that happens there can evict it any more.
		this.#unqueue(entry);
		if (this.#handed === UNUSED) this.#handed = new Lane();
		this.#handed.append(entry);
		entry.lost = undefined;
		entry.result = "sent";
		try {
			if (lost !== undefined) this.#settings.onGap?.({ ...lost, priority });
		} finally {
			if (this.#reason === undefined) this.#sink.write(entry.message);
			// The callback has closed the outbox: of this one it is certain that the peer does not get it.
			else this.#count(entry.message, "closed");
		}
	}

	#written(): void {
		if (this.#owedCalls > 0) this.#owedCalls--;
		else {
			const entry = this.#handed.first;
			// Sockets call back after their end as well.
			if (entry === undefined) return;
			this.#release(entry);
			this.#pump();
		}
		if (this.size === 0) this.#waiters?.resolve();
	}

	/** The deadline holds while something waits. */
	#watch(): void {
		const waits = this.#reason === undefined && this.size > 0;
		if (waits === this.#isWatched) return;
		this.#isWatched = waits;
		if (!waits) {
			unwatch(this.#ear);
			return;
		}
		this.#movedMs = performance.now();
		this.#taken = this.#sink.taken;
		watch(this.#ear, this.#movedMs);
	}

	#dueMs(nowMs: number): number {
		const { taken } = this.#sink;
		// A long message is with the kernel in parts.
		if (taken > this.#taken) this.#movedMs = nowMs;
		this.#taken = taken;
		return this.#movedMs + this.#settings.writeMs;
	}

	#end(reason: string, destroys = false): void {
		if (this.#reason !== undefined) return;
		this.#reason = reason;
		for (const lane of [this.#high, this.#low]) this.#empty(lane, "closed");
		this.#empty(this.#handed);
		this.#byKey = undefined;
		this.#watch();
		if (destroys) this.#sink.destroy();
		this.#waiters?.reject(new OutboxClosed(reason));
		const listeners = this.#closeListeners;
		this.#closeListeners = undefined;
		tellListeners(listeners, reason);
	}

	#empty(lane: Lane, cause?: DropCause): void {
		for (let entry = lane.first; entry !== undefined; entry = lane.first) {
			lane.remove(entry);
			entry.result = "closed";
			if (cause !== undefined) this.#count(entry.message, cause);
			entry.message.letGo();
		}
	}
}
