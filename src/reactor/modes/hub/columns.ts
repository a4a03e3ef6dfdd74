/** What the hub's mode knows of each session, beside its row of the table: columns that only its subscribers touch. */
import { u8 } from "../../../parts/at.js";
import { Columns, SESSION } from "../../../parts/columns.js";
import type { Session } from "../../table/numbers.js";

/** It has asked, and the main thread has not said yet what becomes of it. */
export const ASKING = 255;

/** Messages of one client that wait for an answer: as long as there are so many, nothing more is read of it. */
export const ASKED_MAX = 8;

export class HubColumns extends Columns {
	/** What it speaks, of `channels/protocols.ts`, plus one; ASKING; 0: it is no subscriber. */
	readonly speaks = this.u8(SESSION);
	/** Messages of its own that the main thread has not answered yet. */
	readonly asked = this.u8(SESSION);
	/** Its first subscription. */
	readonly first = this.references(SESSION);
	/** When something came from it last, a stamp (`times.ts`). */
	readonly heard = this.u32(SESSION);
	/** When it may be sent the next message of a channel that paces them; 0: it waits for none. */
	readonly paceDueMs = this.f64(SESSION);

	/** One of `channels/protocols.ts`. */
	protocolOf(session: Session): number {
		return u8(this.speaks, session) - 1;
	}
}
