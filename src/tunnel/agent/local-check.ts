/** Whether the local service of a tunnel is there: it accepts, or it also answers a request. By connections of its own, as a visitor's would be. */
import type { HealthConfig } from "../../config/config.js";
import { formatDuration } from "../../config/units.js";
import type { Verdict } from "../../parts/http-check.js";
import { OneCheck } from "../../parts/one-check.js";
import { isOurOwn, Standing } from "../../parts/standing.js";
import { dialLocal } from "./local.js";
import type { TunnelSettings } from "./settings.js";
import { reset, type Wire } from "./wire.js";

/** What its requests say, for the service's log. */
const PROGRAM = "sluice-local-check";

/** Each pause is up to a tenth shorter or longer, so that tunnels of one file are not checked all at once for ever. */
const SPREAD = 0.1;

/** Visitors have a service looked at no sooner after the last check: one that has too much to do needs no storm of them. */
const EARLIEST_MS = 500;

/** What is checked, and where: a check is another one when something of it changes. */
export type Checked = Pick<TunnelSettings, "local" | "hostHeader"> & { readonly localCheck: HealthConfig };

export interface LocalCheckEvents {
	/** The first verdict, and then each that differs from the one before. `why`: what is wrong; nothing: it is up. */
	found(why: string | undefined): void;
	/** A check is over, whether or not it changes anything. */
	checked(isGood: boolean): void;
}

/** Checks one service until it is stopped. The first check decides at once; from then on `fall` and `rise` do. */
export class LocalCheck {
	readonly checked: Checked;
	readonly #events: LocalCheckEvents;
	readonly #random: () => number;
	#standing: Standing | undefined;
	#why: string | undefined;
	#timer: NodeJS.Timeout | undefined;
	#cancel: () => void = () => {};
	#isRunning = false;
	#isHurried = false;
	#beganAt = 0;
	#isOver = false;

	constructor(checked: Checked, events: LocalCheckEvents, random: () => number) {
		this.checked = checked;
		this.#events = events;
		this.#random = random;
		this.#run();
	}

	/** The first check is over. */
	get isKnown(): boolean {
		return this.#standing !== undefined;
	}

	/** What is wrong with the service; nothing while it is up, or not known. */
	get whyDown(): string | undefined {
		return this.#why;
	}

	/** A visitor could not reach the service: the next check is brought forward. */
	hurry(): void {
		// The pauses of some are shorter than that.
		const isSoon = this.checked.localCheck.intervalMs * (1 - SPREAD) <= EARLIEST_MS;
		if (this.#isOver || this.#isRunning || this.#isHurried || isSoon) return;
		this.#isHurried = true;
		clearTimeout(this.#timer);
		const sinceMs = performance.now() - this.#beganAt;
		this.#timer = setTimeout(() => this.#run(), Math.max(0, EARLIEST_MS - sinceMs));
	}

	stop(): void {
		this.#isOver = true;
		clearTimeout(this.#timer);
		this.#cancel();
	}

	#run(): void {
		const { intervalMs } = this.checked.localCheck;
		this.#isRunning = true;
		this.#isHurried = false;
		this.#beganAt = performance.now();
		this.#cancel = probeLocal(this.checked, (error) => {
			this.#isRunning = false;
			if (!isOurOwn(error)) this.#take(error);
			// What was told may have ended it.
			if (this.#isOver) return;
			const pauseMs = intervalMs * (1 - SPREAD + 2 * SPREAD * this.#random());
			this.#timer = setTimeout(() => this.#run(), pauseMs);
		});
	}

	#take(error: Error | undefined): void {
		const isGood = error === undefined;
		this.#events.checked(isGood);
		const isFirst = this.#standing === undefined;
		this.#standing ??= new Standing(!isGood);
		if (!isFirst && !this.#standing.take(isGood, this.checked.localCheck)) return;
		this.#why = error?.message;
		this.#events.found(this.#why);
	}
}

/** Begins a check that ends within its `timeout`. Returns how to end it sooner, without a verdict. */
export function probeLocal(checked: Checked, verdict: Verdict): () => void {
	const { localCheck } = checked;
	const given = new AbortController();
	let wire: Wire | undefined;
	const check = new OneCheck(localCheck, {
		program: PROGRAM,
		late: `no answer within ${formatDuration(localCheck.timeoutMs)}`,
		verdict,
		close: () => {
			given.abort();
			// The service sees at once that nothing follows, and no TIME_WAIT piles up.
			if (wire !== undefined) reset(wire);
		},
	});
	const failed = (error: Error): void => check.failed(error);
	dialLocal(checked, given.signal).then((dialled) => {
		wire = dialled;
		if (check.isOver) {
			reset(dialled);
			return;
		}
		dialled.stream.on("error", failed);
		check.reached(dialled.stream);
	}, failed);
	return () => check.stop();
}
