/** Clients of whose hello a part was taken: each keeps a chunk until the rest comes, so there are few of them. */
import { i32, u8 } from "../../parts/at.js";
import { NONE } from "../../parts/none.js";
import type { MemoryContext } from "../memory/context.js";
import { AHEAD, SECURED } from "../table/marks.js";
import { SNIFF } from "../table/states.js";

/** Enough for hellos that come in two packets; a crowd that never ends its hellos has so many chunks, and no more. */
const KEPT_MAX = 4;

export class Unfinished {
	/** Their rows; whether one still is such a client, its row tells. */
	readonly #rows = new Int32Array(KEPT_MAX).fill(NONE);
	/** The place for the next one. */
	#place = 0;

	/** One more may be: then the bytes of a client may be taken before it is known whether they are whole. */
	mayKeep(core: MemoryContext): boolean {
		for (let looked = 0; looked < KEPT_MAX; looked++) {
			if (!keeps(core, i32(this.#rows, this.#place))) return true;
			this.#place = (this.#place + 1) % KEPT_MAX;
		}
		return false;
	}

	/** The bytes of this one were taken, and are not whole. */
	note(session: number): void {
		this.#rows[this.#place] = session;
	}
}

/** Its hello is still not whole. */
function keeps({ table }: MemoryContext, session: number): boolean {
	if (session === NONE || u8(table.state, session) !== SNIFF) return false;
	return (i32(table.flags, session) & (AHEAD | SECURED)) === AHEAD;
}
