/** The end of a guarded server: who may still finish, who is cut, and the report of it. */
import type { Server } from "node:net";
import { type Connection, nowInMs, type Phase } from "./connection.js";
import type { Tally } from "./counts.js";
import { dismiss, reset } from "./endings.js";
import type { Schedule } from "./schedule.js";

/** A connection that `close` did not wait for. */
export interface Cut {
	/** Of the client. */
	readonly address: string;
	/** What it did: `request`, or `open` for a stream or an upgraded connection, such as a WebSocket. */
	readonly phase: Phase;
	/** Since it was accepted. */
	readonly ageMs: number;
}

/** What `close` came to. */
export interface CloseReport {
	/** Connections that ended by themselves, idle ones among them, which have nothing to lose. */
	readonly ended: number;
	/** Those that had to be cut when `drainMs` had passed. */
	readonly cut: readonly Cut[];
}

export class Drain {
	readonly #server: Server;
	readonly #schedule: Schedule;
	readonly #tally: Tally;
	#report: Promise<CloseReport> | undefined;
	readonly #cuts: Cut[] = [];
	#cutTimer: NodeJS.Timeout | undefined;
	#cutAtMs = Number.POSITIVE_INFINITY;
	#emptied: (() => void) | undefined;
	/** What comes later is not to be cut by a drain from before. */
	#reopenedMs = Number.POSITIVE_INFINITY;

	constructor(server: Server, schedule: Schedule, tally: Tally) {
		this.#server = server;
		this.#schedule = schedule;
		this.#tally = tally;
	}

	get isOn(): boolean {
		return this.#report !== undefined;
	}

	/** The server listens again. */
	reopen(): void {
		this.#reopenedMs = nowInMs();
		this.#report = undefined;
		this.#cutAtMs = Number.POSITIVE_INFINITY;
	}

	/** `tell`: called once, at its beginning. A second call may bring the cut forward. */
	begin(waitMs: number, tell: () => void): Promise<CloseReport> {
		if (this.#report === undefined) {
			this.#reopenedMs = Number.POSITIVE_INFINITY;
			// Known before anybody is told: who hears of the drain may call `close` again.
			let settle: (report: Promise<CloseReport>) => void = () => {};
			this.#report = new Promise((resolve) => {
				settle = resolve;
			});
			settle(this.#run(tell));
		}
		this.#cutWithin(waitMs);
		return this.#report;
	}

	/** One connection less. */
	ended(): void {
		if (this.#tally.open === 0) this.#emptied?.();
	}

	async #run(tell: () => void): Promise<CloseReport> {
		const { open } = this.#tally;
		// A listener that throws must not keep the server open.
		let failure: { readonly error: unknown } | undefined;
		try {
			tell();
		} catch (error) {
			failure = { error };
		}
		for (const connection of this.#schedule.all()) dismiss(connection, this.#schedule);
		const closed = new Promise<void>((resolve) => {
			this.#server.close(() => resolve());
		});
		if (this.#tally.open > 0)
			await new Promise<void>((resolve) => {
				this.#emptied = resolve;
			});
		clearTimeout(this.#cutTimer);
		await closed;
		const cut = this.#cuts.splice(0);
		if (failure !== undefined) throw failure.error;
		return { ended: open - cut.length, cut };
	}

	#cutWithin(ms: number): void {
		const atMs = nowInMs() + ms;
		if (atMs >= this.#cutAtMs || this.#tally.open === 0) return;
		this.#cutAtMs = atMs;
		clearTimeout(this.#cutTimer);
		// It keeps the process alive: somebody waits for the report.
		this.#cutTimer = setTimeout(() => this.#cutAll(), ms);
	}

	#cutAll(): void {
		const nowMs = nowInMs();
		for (const connection of this.#schedule.all()) {
			if (connection.acceptedMs >= this.#reopenedMs) continue;
			// What is being closed already has lost nothing.
			if (connection.reason === undefined) this.#cuts.push(cutOf(connection, nowMs));
			reset(connection, "drained");
		}
	}
}

function cutOf({ address, phase, acceptedMs }: Connection, nowMs: number): Cut {
	return { address, phase, ageMs: Math.round(nowMs - acceptedMs) };
}
