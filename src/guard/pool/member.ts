/** One resource of a pool, from its making to its end. */

/** What a resource that tells of its own end has: sockets, sessions, child processes. */
interface Emitter {
	on(event: string, listener: (...args: unknown[]) => void): unknown;
	removeListener(event: string, listener: (...args: unknown[]) => void): unknown;
	readonly destroyed?: unknown;
	readonly closed?: unknown;
	readonly readableEnded?: unknown;
	readonly writableEnded?: unknown;
}

/** What streams and sessions of Node have, true when they are at their end, or at that of one side. */
const ENDS = ["destroyed", "closed", "readableEnded", "writableEnded"] as const;

/** What a member tells its pool. */
export interface Watcher<T> {
	/** It has ended, failed, or been ended by the other side. */
	died(member: Member<T>, error: unknown): void;
}

/** Where it is. Only the pool moves it. */
export type Place = "arriving" | "checking" | "idle" | "leased" | "destroyed";

export class Member<T> {
	readonly resource: T;
	place: Place = "arriving";
	/** It has closed while it was lent: it must not be lent again. */
	dead = false;
	uses = 0;
	/** From when on it is too old. */
	readonly oldAtMs: number;
	readonly usesMax: number;
	idleSinceMs = 0;
	/** The present lease. */
	leaseNumber = 0;
	leasedMs = 0;
	askedAt: string | undefined;

	readonly #watcher: Watcher<T>;
	readonly #emitter: Emitter | undefined;
	readonly #onClose = (): void => this.#watcher.died(this, undefined);
	readonly #onEnd = (): void => this.#watcher.died(this, undefined);
	readonly #onError = (error: unknown): void => this.#watcher.died(this, error);

	constructor(resource: T, oldAtMs: number, usesMax: number, watcher: Watcher<T>) {
		this.resource = resource;
		this.oldAtMs = oldAtMs;
		this.usesMax = usesMax;
		this.#watcher = watcher;
		this.#emitter = isEmitter(resource) ? resource : undefined;
		this.#emitter?.on("close", this.#onClose);
	}

	/** Whether it cannot be used any more. Streams say so before they emit `close`. */
	get ended(): boolean {
		const emitter = this.#emitter;
		return this.dead || (emitter !== undefined && ENDS.some((end) => emitter[end] === true));
	}

	/** While it is in the pool's hands, nobody else hears an `error`, which would end the process. */
	guard(): void {
		this.#emitter?.on("error", this.#onError);
		this.#emitter?.on("end", this.#onEnd);
	}

	/** The borrower hears its events. */
	unguard(): void {
		this.#emitter?.removeListener("error", this.#onError);
		this.#emitter?.removeListener("end", this.#onEnd);
	}

	/** What it still emits while it ends is nobody's concern, but an `error` must be heard. */
	leave(): void {
		this.unguard();
		this.#emitter?.removeListener("close", this.#onClose);
		this.#emitter?.on("error", ignore);
	}
}

function ignore(): void {}

function isEmitter(value: unknown): value is Emitter {
	if (typeof value !== "object" || value === null) return false;
	return (
		"on" in value &&
		typeof value.on === "function" &&
		"removeListener" in value &&
		typeof value.removeListener === "function"
	);
}
