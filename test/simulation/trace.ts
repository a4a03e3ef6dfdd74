/** The last calls and events of a run, kept as numbers so that keeping them costs next to nothing. */
import { f64 } from "../../src/parts/at.js";

const OPERATIONS = [
	"turn",
	"wait",
	"event",
	"accept",
	"socket",
	"connect",
	"set option",
	"take error",
	"peek",
	"receive",
	"discard",
	"send",
	"send, more follows",
	"undelivered",
	"shutdown",
	"close",
	"reset",
	"open pipe",
	"splice",
	"watch",
	"watch anew",
	"unwatch",
	"clear wake",
	"peer writes",
	"peer urges",
	"peer reads",
	"peer ends",
	"peer resets",
	"peer answers connect",
	"room again",
	"clock",
	"command",
	"tls open",
	"tls handshake",
	"tls peek",
	"tls read",
	"tls write",
	"tls shutdown",
	"submit receive",
	"submit send",
	"cancel",
	"received",
	"sent",
	"receive datagrams",
	"send datagrams",
	"datagram arrives",
	"datagram has no room",
	"datagram is lost",
	"datagram is refused",
] as const;

export type Operation = (typeof OPERATIONS)[number];

const INDEX = new Map<Operation, number>(OPERATIONS.map((name, index) => [name, index]));

const ENTRIES = 64;
const CELLS = 4;

export function operation(name: Operation): number {
	return INDEX.get(name) ?? 0;
}

export class Trace {
	readonly #cells = new Float64Array(ENTRIES * CELLS);
	#count = 0;

	/** What was done, to which descriptor, with what, and what came of it. */
	note(operation: number, descriptor: number, argument: number, result: number): void {
		const start = (this.#count++ % ENTRIES) * CELLS;
		this.#cells[start] = operation;
		this.#cells[start + 1] = descriptor;
		this.#cells[start + 2] = argument;
		this.#cells[start + 3] = result;
	}

	lines(): string[] {
		const lines: string[] = [];
		for (let entry = Math.max(0, this.#count - ENTRIES); entry < this.#count; entry++) {
			const start = (entry % ENTRIES) * CELLS;
			const name = OPERATIONS[f64(this.#cells, start)] ?? "?";
			const [descriptor, argument, result] = this.#cells.subarray(start + 1, start + 4);
			lines.push(`${name.padEnd(20)} fd ${descriptor}  ${argument} → ${result}`);
		}
		return lines;
	}
}

/** Something does not hold. */
export class Violation extends Error {}

export function violated(message: string): never {
	throw new Violation(message);
}
