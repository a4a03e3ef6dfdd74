/** Says once of each lease that it lasts too long. */
import type { Member } from "./member.js";

/** One timer for all leases, and none when it passes while nothing is lent. It keeps no process alive. */
export class OverdueWatch<T> {
	readonly #leaseMs: number;
	readonly #leased: ReadonlySet<Member<T>>;
	readonly #tell: (member: Member<T>, nowMs: number) => void;
	#timer: NodeJS.Timeout | undefined;
	/** Leases are numbered, and stand in `leased` in the order of their numbers. */
	#toldUpTo = 0;

	constructor(
		leaseMs: number,
		leased: ReadonlySet<Member<T>>,
		tell: (member: Member<T>, nowMs: number) => void,
	) {
		this.#leaseMs = leaseMs;
		this.#leased = leased;
		this.#tell = tell;
	}

	/** A lease has begun. The timer of an earlier one goes on from that to this. */
	lent(): void {
		if (this.#timer === undefined) this.#arm(this.#leaseMs);
	}

	/** Nothing is lent any more. */
	stop(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
	}

	#arm(inMs: number): void {
		this.#timer = setTimeout(() => this.#look(), Math.max(1, Math.ceil(inMs))).unref();
	}

	#look(): void {
		this.#timer = undefined;
		const nowMs = performance.now();
		for (const member of this.#leased) {
			const leftMs = member.leasedMs + this.#leaseMs - nowMs;
			if (leftMs > 0) {
				this.#arm(leftMs);
				return;
			}
			if (member.leaseNumber <= this.#toldUpTo) continue;
			this.#toldUpTo = member.leaseNumber;
			this.#tell(member, nowMs);
		}
	}
}
