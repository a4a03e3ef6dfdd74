/**
 * How many lines a tunnel has, and how many more its agent is asked for.
 *
 *     asked ──► proving ──► parked ⇄ used ──► ended
 *                             ⇅       ▲
 *                          retiring ──┴► ended
 *
 * The depth is what is to be parked. It doubles when visitors take lines faster than they come, so that a crowd waits for a few
 * round trips and not for one after the other; and it shrinks by an eighth every ten seconds in which half of it was not needed.
 */
import { Bucket } from "../../parts/token-bucket.js";

export interface DepthLimits {
	readonly lines: number;
	readonly linesMax: number;
	/** So many that are parked are not for every visitor. Absent: none. */
	readonly reserved?: number;
}

/** A crowd comes back within seconds or not at all. */
const SHRINK_EVERY_MS = 10_000;

/** As many are asked for together as an eighth of the depth is; with the default of eight, each at once. */
const TOGETHER = 8;

/** Lines that fail are asked for again so often in a second, for each line of the least depth. What visitors took comes on top. */
const REPEATS_PER_SECOND = 1;

export class Depth {
	asked = 0;
	proving = 0;
	parked = 0;
	used = 0;
	retiring = 0;
	/** Since the tunnel was opened. */
	failed = 0;
	/** Visitors that wait for a line. */
	waiting = 0;
	#limits: DepthLimits;
	#target: number;
	/**
	 * What may be asked for. An agent that cannot open lines, or whose lines die at once, would be asked again and again otherwise, as
	 * fast as messages travel.
	 */
	#allowance: Bucket;
	/** Asked for beyond it, because a visitor has taken one. */
	#credit = 0;
	/** Fewest that were parked since the depth was looked at last. */
	#low = 0;
	#lookedMs: number;

	constructor(limits: DepthLimits, nowMs: number) {
		this.#limits = limits;
		this.#target = limits.lines;
		this.#allowance = allowanceOf(limits, nowMs);
		this.#lookedMs = nowMs;
	}

	/** What is to be parked. */
	get target(): number {
		return this.#target;
	}

	/** Lines that the tunnel has, wherever they are. */
	get lines(): number {
		return this.proving + this.parked + this.used + this.retiring;
	}

	configure(limits: DepthLimits, nowMs: number): void {
		this.#limits = limits;
		this.#allowance = allowanceOf(limits, nowMs);
		this.#target = Math.min(Math.max(this.#target, limits.lines), limits.linesMax);
	}

	/** How many to ask for now; they count as asked from here on. `isTime`: also where a few more could be waited for. */
	ask(nowMs: number, isTime = false): number {
		const coming = this.asked + this.proving;
		// Some of those who wait may have only what is parked beyond the reserved ones.
		const { reserved = 0, linesMax } = this.#limits;
		const least = this.waiting > 0 ? Math.max(this.#target, reserved) : this.#target;
		const wanted = Math.min(least + this.waiting, linesMax) - this.parked - coming;
		if (!isTime && this.#canWait(wanted)) return 0;
		const credit = Math.min(this.#credit, Math.max(0, wanted));
		const repeats = Math.min(Math.max(0, wanted) - credit, Math.floor(this.#allowance.at(nowMs)));
		this.#allowance.take(repeats, nowMs);
		this.#credit -= credit;
		this.asked += credit + repeats;
		return credit + repeats;
	}

	/** A ticket will bring no line: it could not be opened, was not used in time, or its proof was wrong. */
	lost(): void {
		this.asked--;
		this.failed++;
	}

	proved(): void {
		this.asked--;
		this.proving++;
	}

	isParked(): void {
		if (this.proving === 0) return;
		this.proving--;
		this.parked++;
		this.#low = Math.min(this.#low, this.parked);
	}

	taken(was: "parked" | "retiring" = "parked"): void {
		if (this[was] === 0) return;
		if (was === "retiring") {
			// Its successor is on its way.
			this.retiring--;
			this.used++;
			return;
		}
		this.parked--;
		this.used++;
		this.#credit = Math.min(this.#credit + 1, this.#limits.linesMax);
		this.#low = Math.min(this.#low, this.parked);
		if (this.parked === 0) this.#grow();
	}

	returned(): void {
		if (this.used === 0) return;
		this.used--;
		this.parked++;
		// Its successor was asked for when it was taken.
		this.#credit = Math.max(0, this.#credit - 1);
	}

	wait(visitors: number): void {
		if (visitors > this.waiting) this.#grow();
		this.waiting = visitors;
	}

	retire(was: "parked" | "used"): void {
		if (this[was] === 0) return;
		this[was]--;
		this.retiring++;
		// It was good until now, so another in its place is no repetition.
		if (was === "parked") this.#credit = Math.min(this.#credit + 1, this.#limits.linesMax);
	}

	/** False: there is no such line, and somebody has miscounted. */
	ended(was: "proving" | "parked" | "used" | "retiring"): boolean {
		if (this[was] === 0) return false;
		this[was]--;
		return true;
	}

	/** Now and then: fewer, when fewer were enough. */
	shrink(nowMs: number): void {
		if (nowMs - this.#lookedMs < SHRINK_EVERY_MS) return;
		const excess = this.#target - this.#limits.lines;
		if (excess > 0 && this.waiting === 0 && this.#low * 2 >= this.#target)
			this.#target -= Math.max(1, Math.floor(excess / 8));
		this.#lookedMs = nowMs;
		this.#low = this.parked;
	}

	/**
	 * Nobody waits, half of the depth is there, and few are missing: more will be soon, and all of them together cost both ends fewer
	 * messages and wake-ups than one after the other.
	 */
	#canWait(wanted: number): boolean {
		return this.waiting === 0 && this.parked * 2 >= this.#target && wanted * TOGETHER < this.#target;
	}

	#grow(): void {
		this.#target = Math.min(this.#limits.linesMax, this.#target * 2);
	}
}

function allowanceOf({ lines, linesMax }: DepthLimits, nowMs: number): Bucket {
	// At first, all of them at once, and once again: a NAT that forgot them took nobody's fault.
	return new Bucket(lines * REPEATS_PER_SECOND, linesMax * 2, nowMs);
}
