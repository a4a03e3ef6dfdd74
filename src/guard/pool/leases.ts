/** What is lent, and to whom. */
import { type Holder, Lease } from "./lease.js";
import type { Member } from "./member.js";
import type { DestroyReason, PoolOptions, Resolved } from "./options.js";
import { OverdueWatch } from "./overdue.js";

/** Called when a lease is over. `reason`: it must not be lent again. `error`: what was passed to `discard`. */
type Ended<T> = (member: Member<T>, reason: DestroyReason | undefined, error: unknown) => void;

/** All leases of a pool that are not returned. */
export class Leases<T> {
	/** In the order in which they were lent. */
	readonly #leased = new Set<Member<T>>();
	readonly #trace: boolean;
	readonly #options: PoolOptions<T>;
	readonly #ended: Ended<T>;
	/** Where nobody is to be told, there is no timer. */
	readonly #overdueWatch: OverdueWatch<T> | undefined;
	/** A lease that is collected has not been returned: `release` takes it off this list. */
	readonly #forgotten = new FinalizationRegistry<Member<T>>((member) => this.#collected(member));
	#begun = 0;

	constructor(options: PoolOptions<T>, { trace, leaseMs }: Resolved, ended: Ended<T>) {
		this.#trace = trace;
		this.#options = options;
		this.#ended = ended;
		if (options.onOverdue !== undefined)
			this.#overdueWatch = new OverdueWatch(leaseMs, this.#leased, (member, nowMs) => {
				const holder = holderOf(member, nowMs);
				queueMicrotask(() => options.onOverdue?.(holder));
			});
	}

	/** Lent at this moment. */
	get size(): number {
		return this.#leased.size;
	}

	/** Ever. */
	get begun(): number {
		return this.#begun;
	}

	lend(member: Member<T>, askedAt: string | undefined): Lease<T> {
		member.unguard();
		member.place = "leased";
		member.uses++;
		member.leasedMs = performance.now();
		member.leaseNumber = ++this.#begun;
		member.askedAt = askedAt;
		this.#leased.add(member);
		this.#overdueWatch?.lent();
		const lease = new Lease<T>({
			resource: member.resource,
			trace: this.#trace,
			giveBack: (lease, discard, error) => {
				this.#forgotten.unregister(lease);
				this.#ended(member, discard ? "discarded" : undefined, error);
			},
		});
		this.#forgotten.register(lease, member, lease);
		return lease;
	}

	/** False: it was over before. */
	end(member: Member<T>): boolean {
		if (!this.#leased.delete(member)) return false;
		member.askedAt = undefined;
		return true;
	}

	/** Ends them all, for the pool closes. What their borrowers return later is not waited for. */
	endAll(): Member<T>[] {
		const members = [...this.#leased];
		this.#leased.clear();
		this.#overdueWatch?.stop();
		return members;
	}

	/** Who has them, the oldest first. */
	holders(): Holder[] {
		const nowMs = performance.now();
		return [...this.#leased].map((member) => holderOf(member, nowMs));
	}

	/** Who has had one for the longest time. */
	oldest(): Holder | undefined {
		const [member] = this.#leased;
		return member === undefined ? undefined : holderOf(member, performance.now());
	}

	/** Nobody can return it any more, and somebody may still use the resource: it is not lent again. */
	#collected(member: Member<T>): void {
		if (!this.#leased.has(member)) return;
		const holder = holderOf(member, performance.now());
		this.#ended(member, "leaked", undefined);
		if (this.#options.onLeak !== undefined) this.#options.onLeak(holder);
		else {
			const where = holder.stack === undefined ? "" : `; it was asked for here:\n${holder.stack}`;
			process.emitWarning(
				`lease ${holder.lease} was garbage collected and never returned${where}`,
				"PoolLeak",
			);
		}
	}
}

function holderOf<T>({ leaseNumber, leasedMs, askedAt }: Member<T>, nowMs: number): Holder {
	return { lease: leaseNumber, heldMs: nowMs - leasedMs, stack: askedAt };
}
