/** What the patterns are measured with: one ruler for the leaking version and for ours. */
import { readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { descriptorsOf } from "../support/descriptors.js";

/** A collection may free what only the next one finds unreachable: finalizers, and what they held. */
const COLLECTIONS = 3;

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;

/** The end of this turn of the event loop. */
export function turn(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}

/** Frees what nobody can reach. */
export async function collect(): Promise<void> {
	for (let i = 0; i < COLLECTIONS; i++) {
		// A WeakRef that was looked at holds its object until the turn is over.
		await turn();
		gc();
	}
}

/** Bytes of buffers that are reachable, after a collection. */
export async function bufferBytes(): Promise<number> {
	await collect();
	return process.memoryUsage().arrayBuffers;
}

/** The descriptors of this process that are sockets. */
export function socketsOf(): string[] {
	return descriptorsOf(process.pid).filter((link) => link.startsWith("socket:"));
}

/** How many they are. */
export function sockets(): number {
	return socketsOf().length;
}

/** Timers that keep this process alive. */
export function timers(): number {
	return process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
}

/** Calls of `write` and its like that this thread has made, to whatever (proc_pid_io(5)). */
export function writeCalls(): number {
	return Number(/^syscw: (\d+)$/m.exec(readFileSync("/proc/thread-self/io", "utf8"))?.[1]);
}

/** Counts which of its objects are reachable still, and keeps none of them alive. */
export class Census {
	readonly #known: WeakRef<object>[] = [];

	add(object: object): void {
		this.#known.push(new WeakRef(object));
	}

	async alive(): Promise<number> {
		await collect();
		return this.#known.filter((known) => known.deref() !== undefined).length;
	}
}

/** Counts handlers that were started and have not come to their end. */
export class Running {
	now = 0;
	most = 0;

	/** What the handler fails with is of no interest here. */
	async track(handler: Promise<unknown>): Promise<void> {
		this.now++;
		this.most = Math.max(this.most, this.now);
		await handler.catch(() => {});
		this.now--;
	}
}

/** Prints figures with the test, for the guide and for whoever wants to reproduce it. */
export function tell(context: TestContext, figures: Readonly<Record<string, number | string>>): void {
	const words = Object.entries(figures).map(([name, figure]) => {
		return `${name} ${typeof figure === "number" ? figure.toLocaleString("en") : figure}`;
	});
	context.diagnostic(`${context.name}: ${words.join("; ")}`);
}

/** For `tell`. */
export function kib(bytes: number): string {
	return `${Math.round(bytes / 1024).toLocaleString("en")} KiB`;
}
