/** Client addresses that an operator has shut out for a time. Mostly there are none, and then nothing is looked at. */

import { contains } from "../../route/router.js";
import type { Ban } from "../plan/plan.js";

/** Each connection is compared with all of them. */
export const BANS_MAX = 1_024;

export class Bans {
	#bans: readonly Ban[] = [];

	/** These, and no others, from now on. */
	use(bans: readonly Ban[]): void {
		this.#bans = bans;
	}

	/** Whether the address at `bytes[offset]` is shut out. */
	forbid(family: number, bytes: Uint8Array, offset: number, nowMs: number): boolean {
		for (const { block, untilMs } of this.#bans)
			if (untilMs > nowMs && contains(block, family, bytes, offset)) return true;
		return false;
	}
}
