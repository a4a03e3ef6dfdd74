/** The clock and the timers of this process in a test's hand: a day passes as fast as what happens in it. Sockets are real. */

interface Timer {
	atMs: number;
	readonly everyMs: number | undefined;
	readonly run: () => void;
	/** Of those that are due at the same time the first that was set runs first. */
	readonly serial: number;
}

/** Node's, before they are taken over. */
const real = {
	...{ setTimeout, setInterval, clearTimeout, clearInterval, setImmediate },
	now: performance.now,
};

export class VirtualTime {
	#nowMs = performance.now();
	#serial = 0;
	readonly #timers = new Set<Timer>();

	constructor() {
		const set = (
			run: (...args: unknown[]) => void,
			ms: number,
			args: unknown[],
			everyMs?: number,
		): object => {
			const atMs = this.#nowMs + Math.max(1, Number.isFinite(ms) ? ms : 1);
			const timer = { atMs, everyMs, run: () => run(...args), serial: ++this.#serial };
			this.#timers.add(timer);
			// What callers of Node's do with one.
			return Object.assign(timer, { unref: () => timer, ref: () => timer, hasRef: () => true });
		};
		const clear = (timer: unknown): void => {
			this.#timers.delete(timer as Timer);
		};
		Object.assign(globalThis, {
			setTimeout: (run: () => void, ms = 1, ...args: unknown[]) => set(run, ms, args),
			setInterval: (run: () => void, ms = 1, ...args: unknown[]) => set(run, ms, args, Math.max(1, ms)),
			...{ clearTimeout: clear, clearInterval: clear },
		});
		performance.now = () => this.#nowMs;
	}

	get nowMs(): number {
		return this.#nowMs;
	}

	/** Those that are set. */
	get timers(): number {
		return this.#timers.size;
	}

	/** Lets so much time pass; what is due runs, and what comes of it is heard before the next is due. */
	async pass(ms: number): Promise<void> {
		const untilMs = this.#nowMs + ms;
		for (let due = this.#next(untilMs); due !== undefined; due = this.#next(untilMs)) {
			this.#nowMs = due.atMs;
			if (due.everyMs === undefined) this.#timers.delete(due);
			else due.atMs += due.everyMs;
			due.run();
			await turn();
		}
		this.#nowMs = untilMs;
		await turn();
	}

	/** Waits for real things, such as bytes of a socket, without time passing. */
	async until(holds: () => boolean, missing: () => string): Promise<void> {
		const giveUpMs = real.now.call(performance) + 20_000;
		while (!holds()) {
			if (real.now.call(performance) > giveUpMs) throw new Error(`it did not come: ${missing()}`);
			await turn();
		}
	}

	/** Gives Node its own back. */
	end(): void {
		const { setTimeout, setInterval, clearTimeout, clearInterval } = real;
		Object.assign(globalThis, { setTimeout, setInterval, clearTimeout, clearInterval });
		performance.now = real.now;
	}

	#next(untilMs: number): Timer | undefined {
		let next: Timer | undefined;
		for (const timer of this.#timers)
			if (timer.atMs <= untilMs && (next === undefined || isBefore(timer, next))) next = timer;
		return next;
	}
}

function isBefore(one: Timer, other: Timer): boolean {
	return one.atMs < other.atMs || (one.atMs === other.atMs && one.serial < other.serial);
}

/** The end of a turn of the event loop, in which sockets have been looked at. */
export function turn(): Promise<void> {
	return new Promise((resolve) => real.setImmediate(resolve));
}
