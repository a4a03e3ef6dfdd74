/**
 * The connections of a guard, and when each of them is looked at next: one wheel and one timer for all. The wheel's columns grow, so that
 * a server of ten connections pays for ten.
 */
import { Wheel } from "../parts/wheel.js";
import { type Connection, nowInMs } from "./connection.js";

const FIRST = 64;
/** The wheel's own ticks are 32 ms: a timer is never set for less. */
const LOOK_MIN_MS = 32;

export class Schedule {
	readonly #look: (connection: Connection, nowMs: number) => void;
	readonly #columns = {
		due: new Uint32Array(FIRST),
		next: new Int32Array(FIRST),
		previous: new Int32Array(FIRST),
	};
	readonly #wheel = new Wheel(this.#columns, nowInMs());
	readonly #connections: (Connection | undefined)[] = [];
	readonly #free: number[] = [];
	#timer: NodeJS.Timeout | undefined;
	#timerAtMs = Number.POSITIVE_INFINITY;

	/** `look` ends the connection, or says when to look again. */
	constructor(look: (connection: Connection, nowMs: number) => void) {
		this.#look = look;
	}

	/** Takes in a connection, which is made for the place that it gets. */
	add(make: (place: number) => Connection): Connection {
		const place = this.#free.pop() ?? this.#connections.length;
		if (place >= this.#columns.due.length) this.#grow();
		const connection = make(place);
		this.#connections[place] = connection;
		return connection;
	}

	/** It has ended. The timer rests when it was the last one. */
	remove({ place }: Connection): void {
		this.#wheel.cancel(place);
		this.#connections[place] = undefined;
		this.#free.push(place);
		if (this.#free.length === this.#connections.length) this.#rest();
	}

	/** All that have not ended. */
	*all(): Generator<Connection> {
		for (const connection of this.#connections) if (connection !== undefined) yield connection;
	}

	/** Looks at it then; Infinity: not by itself. */
	lookAt({ place }: Connection, atMs: number): void {
		if (atMs === Number.POSITIVE_INFINITY) return;
		this.#wheel.arm(place, atMs);
		this.#wakeBy(atMs);
	}

	/** Looks at it no later than then. */
	lookBy(connection: Connection, atMs: number): void {
		const armedMs = this.#wheel.deadlineOf(connection.place);
		if (armedMs === 0 || armedMs > atMs) this.lookAt(connection, atMs);
	}

	#wakeBy(atMs: number): void {
		if (atMs >= this.#timerAtMs) return;
		clearTimeout(this.#timer);
		this.#timerAtMs = atMs;
		const delayMs = Math.max(LOOK_MIN_MS, Math.ceil(atMs - nowInMs()) + 1);
		// It keeps no process alive: its connections do.
		this.#timer = setTimeout(this.#onTime, delayMs).unref();
	}

	readonly #onTime = (): void => {
		this.#timerAtMs = Number.POSITIVE_INFINITY;
		const nowMs = nowInMs();
		this.#wheel.expire(nowMs, (place) => {
			const connection = this.#connections[place];
			if (connection !== undefined) this.#look(connection, nowMs);
		});
		const delayMs = this.#wheel.delay(nowMs);
		if (delayMs >= 0) this.#wakeBy(nowMs + Math.max(LOOK_MIN_MS, delayMs));
	};

	#rest(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		this.#timerAtMs = Number.POSITIVE_INFINITY;
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
