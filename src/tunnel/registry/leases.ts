/** Which agent has which name: an interface, and the one store that there is, in memory. Several gateways may share another one later. */
import type { TunnelKind } from "../../protocol/tunnel/index.js";

/** Who asks for a name. */
export interface Claim {
	readonly name: string;
	readonly kind: TunnelKind;
	readonly identity: string;
	readonly epoch: number;
	/** Others of the same identity may have it at the same time. */
	readonly shared: boolean;
}

/** Why a name is not given; the codes of `refused_tunnel`. */
export interface LeaseRefusal {
	readonly code: "taken" | "name" | "superseded";
	readonly message: string;
	readonly final: boolean;
}

/**
 * A name belongs to one identity, in one or more epochs, and has one kind.
 *
 * - The same identity takes over at once, with a higher epoch: what the older one still has is no longer a lease.
 * - Another identity is refused until the last holder has released it, and for as long as that one asked for then.
 */
export interface Leases {
	/** For a new login: higher than all that this identity had before, also before this process. */
	nextEpoch(identity: string): Promise<number>;
	/** `undefined`: the name is the claimant's, until it releases it. */
	acquire(claim: Claim): Promise<LeaseRefusal | undefined>;
	/** `keepMs`: for so long nobody but the same identity can have it. Unknown leases, and those that were taken over, are passed over. */
	release(name: string, identity: string, epoch: number, keepMs: number): Promise<void>;
}

interface Held {
	readonly identity: string;
	kind: TunnelKind;
	/** Empty: it is kept for the identity until then. */
	readonly epochs: Set<number>;
	keptUntilMs: number;
}

/** Names that are kept for agents which are gone, before the oldest are given up. */
const KEPT_MAX = 4_096;

export class MemoryLeases implements Leases {
	readonly #now: () => number;
	readonly #wallMs: () => number;
	readonly #held = new Map<string, Held>();
	/** The highest of each identity. */
	readonly #epochs = new Map<string, number>();
	#kept = 0;

	/** `now` counts also while the machine sleeps; `wallMs` is the time of day, which makes epochs grow over restarts. */
	constructor(now: () => number, wallMs: () => number = Date.now) {
		this.#now = now;
		this.#wallMs = wallMs;
	}

	/** Names that somebody has or that are kept for somebody. */
	get size(): number {
		return this.#held.size;
	}

	nextEpoch(identity: string): Promise<number> {
		const epoch = Math.max((this.#epochs.get(identity) ?? 0) + 1, Math.floor(this.#wallMs()));
		this.#epochs.set(identity, epoch);
		return Promise.resolve(epoch);
	}

	acquire(claim: Claim): Promise<LeaseRefusal | undefined> {
		return Promise.resolve(this.#acquire(claim));
	}

	#acquire({ name, kind, identity, epoch, shared }: Claim): LeaseRefusal | undefined {
		const held = this.#held.get(name);
		if (held === undefined || this.#isOver(held)) {
			if (held !== undefined) this.#kept--;
			this.#held.set(name, { identity, kind, epochs: new Set([epoch]), keptUntilMs: 0 });
			return undefined;
		}
		if (held.identity !== identity)
			return { code: "taken", message: `"${name}" is another agent's`, final: false };
		if (held.epochs.has(epoch))
			return { code: "taken", message: `"${name}" is open on this connection already`, final: false };
		const newest = Math.max(0, ...held.epochs);
		if (!shared && newest > epoch)
			return { code: "superseded", message: `a later login of this agent has "${name}"`, final: true };
		if (shared && held.epochs.size > 0 && held.kind !== kind)
			return {
				code: "name",
				message: `"${name}" is shared, and the others have opened it as ${held.kind}`,
				final: true,
			};
		if (held.epochs.size === 0) this.#kept--;
		if (!shared) held.epochs.clear();
		held.epochs.add(epoch);
		held.kind = kind;
		return undefined;
	}

	release(name: string, identity: string, epoch: number, keepMs: number): Promise<void> {
		const held = this.#held.get(name);
		if (held?.identity !== identity || !held.epochs.delete(epoch) || held.epochs.size > 0)
			return Promise.resolve();
		this.#held.delete(name);
		if (keepMs > 0) {
			held.keptUntilMs = this.#now() + keepMs;
			// Behind all others: the oldest are given up first.
			this.#held.set(name, held);
			this.#kept++;
			if (this.#kept > KEPT_MAX) this.#giveUpOldest();
		}
		return Promise.resolve();
	}

	#isOver({ epochs, keptUntilMs }: Held): boolean {
		return epochs.size === 0 && this.#now() >= keptUntilMs;
	}

	/** Those that are over, and at least one. */
	#giveUpOldest(): void {
		let some = false;
		for (const [name, held] of this.#held) {
			if (held.epochs.size > 0 || (some && !this.#isOver(held))) continue;
			this.#held.delete(name);
			this.#kept--;
			some = true;
		}
	}
}
