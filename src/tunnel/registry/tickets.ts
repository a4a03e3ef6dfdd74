/** Tickets of lines: each is good once, for one tunnel of one epoch, for a while. */
import { takeRandom } from "../../parts/random-pool.js";
import { isLineProof, TICKET_ID_BYTES, TICKET_KEY_BYTES, type Ticket } from "../../protocol/tunnel/index.js";

/** `ticket_ms` of the wire: an agent opens its line at once, and a bad link takes seconds for that. */
export const TICKET_MS = 30_000;

/** Whose it is. */
export interface TicketOwner {
	readonly tunnel: number;
	readonly epoch: number;
}

interface Issued extends TicketOwner {
	readonly key: Uint8Array;
	readonly untilMs: number;
}

export class Tickets {
	readonly #now: () => number;
	readonly #random: (bytes: number) => Uint8Array;
	/** By id. In the order in which they end, because all are good for the same time. */
	readonly #issued = new Map<string, Issued>();

	constructor(now: () => number, random: (bytes: number) => Uint8Array = takeRandom) {
		this.#now = now;
		this.#random = random;
	}

	/** Those that are out. */
	get size(): number {
		return this.#issued.size;
	}

	issue({ tunnel, epoch }: TicketOwner): Ticket {
		const bytes = this.#random(TICKET_ID_BYTES + TICKET_KEY_BYTES);
		const ticket = { id: bytes.subarray(0, TICKET_ID_BYTES), key: bytes.subarray(TICKET_ID_BYTES) };
		this.#issued.set(keyOf(ticket.id), { tunnel, epoch, key: ticket.key, untilMs: this.#now() + TICKET_MS });
		return ticket;
	}

	/**
	 * A proof has come. The ticket is used, right or wrong, and `owner` is told in any case, so that another is issued; `isGood` says
	 * whether the line is his. `undefined`: there is no such ticket, or it was used before.
	 */
	use(
		id: Uint8Array,
		nonce: Uint8Array,
		proof: Uint8Array,
	): { readonly owner: TicketOwner; readonly isGood: boolean } | undefined {
		const issued = this.#take(id);
		if (issued === undefined) return undefined;
		const { tunnel, epoch, key, untilMs } = issued;
		const isGood = isLineProof(proof, key, id, nonce) && this.#now() < untilMs;
		return { owner: { tunnel, epoch }, isGood };
	}

	/** It will not be used: the agent could not open its line. Whose it was, if it was out and is this one's. */
	giveUp(id: Uint8Array, epoch: number): TicketOwner | undefined {
		const issued = this.#issued.get(keyOf(id));
		if (issued?.epoch !== epoch) return undefined;
		return this.#take(id);
	}

	/** Takes back those whose time is over; calls back for each. */
	expire(each: (owner: TicketOwner) => void): void {
		const now = this.#now();
		for (const [key, issued] of this.#issued) {
			if (issued.untilMs > now) return;
			this.#issued.delete(key);
			each(issued);
		}
	}

	/** Those of a tunnel that is gone. */
	forget(tunnel: number): void {
		for (const [key, issued] of this.#issued) if (issued.tunnel === tunnel) this.#issued.delete(key);
	}

	#take(id: Uint8Array): Issued | undefined {
		const key = keyOf(id);
		const issued = this.#issued.get(key);
		this.#issued.delete(key);
		return issued;
	}
}

function keyOf(id: Uint8Array): string {
	return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString("latin1");
}
