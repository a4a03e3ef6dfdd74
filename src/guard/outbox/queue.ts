/** The bounded queue in front of one socket. */
import type { Reason } from "../../parts/reasons.js";
import { Waiters } from "../../parts/waiters.js";
import { type Entry, Lane, type Tally } from "./lane.js";
import { Message, type MessageData } from "./message.js";
import { type Amount, type OutboxOptions, type OutboxPriority, resolve, type Settings } from "./options.js";
import { type OutboxSocket, type Sink, type SinkEvents, sinkOf } from "./sink.js";
import { unwatch, type Waiting, watch } from "./stall.js";

/**
 * What became of a message: with the socket, waiting, lost for want of room, refused because it is larger than the bound, or lost
 * because the outbox is closed.
 */
export type SendResult = "sent" | "queued" | "dropped" | "too_large" | "closed";

/**
 * Why messages were dropped: `evicted` waited and made room, `refused` found none, `conflated` were replaced by a newer one of their
 * key, `too_large` exceeded `bytesMax`, `closed` waited when the outbox was closed.
 */
export type DropCause = "evicted" | "refused" | "conflated" | "too_large" | "closed";

/** All that was dropped. */
export interface Dropped extends Amount {
	/** By cause; all of them are there. */
	readonly by: Readonly<Record<DropCause, Amount>>;
}

/** How one message is sent. */
export interface SendOptions {
	/** Default: `low` */
	readonly priority?: OutboxPriority;
}

/** How to wait for an empty outbox. */
export interface FlushedOptions {
	/** Ends the wait; `flushed` rejects with its reason. */
	readonly signal?: AbortSignal;
}

/** The outbox was closed before all was sent. */
export class OutboxClosed extends Error {
	/** `OutboxClosed` */
	override readonly name = "OutboxClosed";
	/** `SLUICE_OUTBOX_CLOSED` */
	readonly code = "SLUICE_OUTBOX_CLOSED";
	/** Why it was closed. */
	readonly reason: string;

	constructor(reason: string) {
		super(`the outbox is closed: ${reason}`);
		this.reason = reason;
	}
}

/** Reasons of the closed list. */
const STALLED: Reason = "stall_timeout";
const CLOSED: Reason = "client_closed";
const RESET: Reason = "client_reset";
const FULL: Reason = "outbox_full";

/** Stands for a line in which nothing ever stood. Empty, and never written to. */
const UNUSED = new Lane();

interface CloseListener {
	readonly call: (reason: string) => void;
}

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
	#dropped: Partial<Record<DropCause, Tally>> | undefined;
	#waiters: Waiters | undefined;
	/** A set of them only where there is more than one. */
	#closeListeners: CloseListener | Set<CloseListener> | undefined;

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
		const of = (cause: DropCause): Amount => ({ messages: 0, bytes: 0, ...this.#dropped?.[cause] });
		const by = {
			evicted: of("evicted"),
			refused: of("refused"),
			conflated: of("conflated"),
			too_large: of("too_large"),
			closed: of("closed"),
		};
		let messages = 0;
		let bytes = 0;
		for (const amount of Object.values(by)) {
			messages += amount.messages;
			bytes += amount.bytes;
		}
		return { messages, bytes, by };
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
		// One that is passed twice is called twice, and cancelled one by one.
		const listener: CloseListener = { call };
		const others = this.#closeListeners;
		if (others === undefined) this.#closeListeners = listener;
		else if (others instanceof Set) others.add(listener);
		else this.#closeListeners = new Set([others, listener]);
		return () => this.#forget(listener);
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

	#forget(listener: CloseListener): void {
		const listeners = this.#closeListeners;
		if (listeners instanceof Set) listeners.delete(listener);
		else if (listeners === listener) this.#closeListeners = undefined;
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
		let overBytes = this.bytes + bytes - (old?.message.bytes ?? 0) - this.#settings.bytesMax;
		let overMessages = this.size + (old === undefined ? 1 : 0) - this.#settings.messagesMax;
		if (overBytes <= 0 && overMessages <= 0) return true;

		const lanes = this.#evictable(lane);
		let freeBytes = 0;
		let freeMessages = 0;
		for (const { bytes, size } of lanes) {
			freeBytes += bytes;
			freeMessages += size;
		}
		if (old !== undefined && lanes.includes(old.lane)) {
			freeBytes -= old.message.bytes;
			freeMessages--;
		}
		// Nobody is evicted for one that does not fit even so.
		if (freeBytes < overBytes || freeMessages < overMessages) return false;

		for (const from of lanes)
			while (overBytes > 0 || overMessages > 0) {
				const entry = this.#nextToGo(from, old);
				if (entry === undefined) break;
				overBytes -= entry.message.bytes;
				overMessages--;
				this.#evict(entry);
			}
		return true;
	}

	/** What may make room for a message of this lane, first those that go first. */
	#evictable(lane: Lane): readonly Lane[] {
		if (this.#settings.policy === "disconnect") return [];
		const isHigh = lane === this.#high;
		if (this.#settings.policy === "drop-newest") return isHigh ? [this.#low] : [];
		return isHigh ? [this.#low, this.#high] : [this.#low];
	}

	#nextToGo(lane: Lane, old: Entry | undefined): Entry | undefined {
		if (this.#settings.policy === "drop-newest") return lane.last;
		return lane.first === old ? old?.next : lane.first;
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
		this.#dropped ??= {};
		this.#dropped[cause] ??= { messages: 0, bytes: 0 };
		const dropped = this.#dropped[cause];
		dropped.messages++;
		dropped.bytes += message.bytes;
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
		const errors: unknown[] = [];
		for (const listener of listeners instanceof Set ? listeners : [listeners]) {
			try {
				listener?.call(reason);
			} catch (error) {
				// The others must hear of it all the same.
				errors.push(error);
			}
		}
		if (errors.length > 0) throw errors[0];
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
