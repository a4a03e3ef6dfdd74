/**
 * Viewers who are told of changes as they happen, by server-sent events. What changes often is told ten times a second at the most,
 * and each viewer has an outbox of its own: one that stops reading is dropped, and comes back by itself if it can.
 */
import type { ServerResponse } from "node:http";
import { Broadcast, Outbox } from "../../guard/outbox.js";
import type { Exchange } from "./exchange.js";
import type { Exchanges, Watcher } from "./exchanges.js";
import { summaryOf } from "./view.js";

const VIEWERS_MAX = 16;

const TELL_MS = 100;

/** A thousand exchanges at once are some 600 KiB, and all viewers have the same bytes. */
const OUTBOX_MAX_BYTES = 4 * 1_048_576;

/** A viewer that has gone without a word is found by it. */
const ALIVE_MS = 15_000;

export class Live implements Watcher {
	readonly #exchanges: Exchanges;
	readonly #viewers = new Broadcast();
	readonly #changed = new Set<number>();
	#telling: NodeJS.Timeout | undefined;
	#alive: NodeJS.Timeout | undefined;
	#unwatch: (() => void) | undefined;

	constructor(exchanges: Exchanges) {
		this.#exchanges = exchanges;
	}

	get viewers(): number {
		return this.#viewers.size;
	}

	get hasRoom(): boolean {
		return this.viewers < VIEWERS_MAX;
	}

	/** Its head has been written. */
	add(response: ServerResponse): void {
		const outbox = new Outbox(response, { policy: "disconnect", bytesMax: OUTBOX_MAX_BYTES, write: "10s" });
		// It has gone already.
		if (!this.#viewers.add(outbox)) return;
		outbox.onClose(() => this.#leave());
		this.#unwatch ??= this.#exchanges.watch(this);
		this.#alive ??= setInterval(() => this.#viewers.send(": alive\n\n"), ALIVE_MS);
		outbox.send("retry: 1000\n\n");
	}

	/** Without viewers nothing is done. */
	#leave(): void {
		if (this.viewers > 0) return;
		this.#unwatch?.();
		this.#unwatch = undefined;
		clearInterval(this.#alive);
		this.#alive = undefined;
		clearTimeout(this.#telling);
		this.#telling = undefined;
		this.#changed.clear();
	}

	changed({ id }: Exchange): void {
		this.#changed.add(id);
		this.#telling ??= setTimeout(() => this.#tell(), TELL_MS);
	}

	cleared(): void {
		this.#changed.clear();
		this.#viewers.send("event: cleared\ndata: {}\n\n");
	}

	#tell(): void {
		this.#telling = undefined;
		let events = "";
		for (const id of this.#changed) {
			const exchange = this.#exchanges.get(id);
			// The newest may have pushed it out.
			if (exchange !== undefined)
				events += `event: exchange\ndata: ${JSON.stringify(summaryOf(exchange))}\n\n`;
		}
		this.#changed.clear();
		if (events !== "") this.#viewers.send(events);
	}
}
