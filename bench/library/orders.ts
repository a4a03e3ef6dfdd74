/** A process of the library's bench on Node's event loop: orders come in as lines of JSON, and news goes out as such. */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";

/** Ends with its parent. Whoever sends the orders builds them from the same type. */
export function obey<Order>(hear: (order: Order) => void): void {
	createInterface({ input: process.stdin })
		.on("line", (line) => hear(JSON.parse(line) as Order))
		.once("close", () => process.exit(0));
}

export function tell(news: unknown): void {
	writeSync(1, `${JSON.stringify(news)}\n`);
}
