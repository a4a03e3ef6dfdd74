/** The places of a guard's connections in its wheel: columns that grow, so that a server of ten connections pays for ten. */
import { Wheel, type WheelColumns } from "../parts/wheel.js";
import type { Connection } from "./connection.js";

const FIRST = 64;

export class Places {
	readonly wheel: Wheel;
	readonly #columns: { due: Uint32Array; next: Int32Array; previous: Int32Array } & WheelColumns;
	readonly #connections: (Connection | undefined)[] = [];
	readonly #free: number[] = [];

	constructor(nowMs: number) {
		this.#columns = {
			due: new Uint32Array(FIRST),
			next: new Int32Array(FIRST),
			previous: new Int32Array(FIRST),
		};
		this.wheel = new Wheel(this.#columns, nowMs);
	}

	/** A place that is free. */
	take(): number {
		const place = this.#free.pop() ?? this.#connections.length;
		if (place >= this.#columns.due.length) this.#grow();
		this.#connections[place] = undefined;
		return place;
	}

	put(connection: Connection): void {
		this.#connections[connection.place] = connection;
	}

	at(place: number): Connection | undefined {
		return this.#connections[place];
	}

	give(place: number): void {
		this.wheel.cancel(place);
		this.#connections[place] = undefined;
		this.#free.push(place);
	}

	*all(): Generator<Connection> {
		for (const connection of this.#connections) if (connection !== undefined) yield connection;
	}

	#grow(): void {
		const { due, next, previous } = this.#columns;
		const length = 2 * due.length;
		this.#columns.due = new Uint32Array(length);
		this.#columns.due.set(due);
		this.#columns.next = new Int32Array(length);
		this.#columns.next.set(next);
		this.#columns.previous = new Int32Array(length);
		this.#columns.previous.set(previous);
	}
}
