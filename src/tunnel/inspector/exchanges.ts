/** The last exchanges, as many as there is room for: the oldest go first. */
import { Exchange } from "./exchange.js";
import type { Room } from "./kept.js";

export interface Bounds {
	/** Exchanges. */
	readonly most: number;
	/** Of one body. */
	readonly bodyMax: number;
	/** Of all heads and bodies together, those that are under way included. */
	readonly bytesMax: number;
}

/** What is told to who looks on. */
export interface Watcher {
	changed(exchange: Exchange): void;
	cleared(): void;
}

export class Exchanges implements Room {
	readonly bounds: Bounds;
	/** From the oldest to the newest. */
	readonly #held = new Map<number, Exchange>();
	readonly #watchers = new Set<Watcher>();
	#nextId = 1;
	#bytes = 0;

	constructor(bounds: Bounds) {
		this.bounds = bounds;
	}

	/** Kept now. */
	get bytes(): number {
		return this.#bytes;
	}

	get bodyMax(): number {
		return this.bounds.bodyMax;
	}

	/** `beganAt`: when its first byte came. */
	begin(tunnel: string, beganAt: number, replayOf?: number): Exchange {
		const exchange = new Exchange({ id: this.#nextId++, tunnel, replayOf }, beganAt, this, (changed) =>
			this.#tell(changed),
		);
		while (this.#held.size >= this.bounds.most) this.#dropOldest();
		this.#held.set(exchange.id, exchange);
		return exchange;
	}

	get(id: number): Exchange | undefined {
		return this.#held.get(id);
	}

	/** The newest first. */
	list(): Exchange[] {
		return [...this.#held.values()].reverse();
	}

	clear(): void {
		while (this.#held.size > 0) this.#dropOldest();
		for (const watcher of this.#watchers) watcher.cleared();
	}

	/** Returns what ends it. */
	watch(watcher: Watcher): () => void {
		this.#watchers.add(watcher);
		return () => {
			this.#watchers.delete(watcher);
		};
	}

	#tell(exchange: Exchange): void {
		if (this.#held.get(exchange.id) !== exchange) return;
		for (const watcher of this.#watchers) watcher.changed(exchange);
	}

	/** What is under way goes on, and nothing of it is kept. */
	#dropOldest(): void {
		const [oldest] = this.#held.values();
		if (oldest === undefined) return;
		this.#held.delete(oldest.id);
		oldest.forget();
	}

	reserve(bytes: number): boolean {
		while (this.#bytes + bytes > this.bounds.bytesMax && this.#held.size > 0) this.#dropOldest();
		if (this.#bytes + bytes > this.bounds.bytesMax) return false;
		this.#bytes += bytes;
		return true;
	}

	release(bytes: number): void {
		this.#bytes -= bytes;
	}
}
