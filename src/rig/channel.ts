/**
 * A helper's end of the pipes to whoever started it: orders come in as lines on standard input, which is watched beside
 * the sockets, and news goes out on standard output. When that process is gone, so is the helper.
 */
import { readSync, writeSync } from "node:fs";
import { EPOLLIN } from "../kernel/constants.js";
import { ignoreInspectorSignal } from "../kernel/inspector-signal.js";
import type { LinuxKernel } from "../kernel/linux.js";
import { LineSplitter } from "./lines.js";

/** The slot of standard input among the events. Sockets have slots from 0. */
export const ORDERS_SLOT = -1;

export class Channel<Order, News> {
	readonly #buffer = Buffer.alloc(64 * 1024);
	readonly #lines = new LineSplitter();

	readonly #obey: (order: Order) => void;

	constructor(kernel: LinuxKernel, obey: (order: Order) => void) {
		this.#obey = obey;
		ignoreInspectorSignal();
		kernel.readiness.add(0, EPOLLIN, ORDERS_SLOT, 0);
	}

	/** Reads what has come, and obeys it. Call it when ORDERS_SLOT has news, and only then: it would block. */
	take(): void {
		const count = readSync(0, this.#buffer);
		if (count === 0) process.exit(0);
		// The other end builds them from the same type.
		for (const line of this.#lines.take(this.#buffer.subarray(0, count)))
			this.#obey(JSON.parse(line) as Order);
	}

	tell(news: News): void {
		try {
			writeSync(1, `${JSON.stringify(news)}\n`);
		} catch {
			// Whoever started us has gone; standard input says so as well.
			process.exit(0);
		}
	}
}
