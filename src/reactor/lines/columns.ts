/** What is known of a connection from an agent until its ticket is proved. By place. */
import { Columns, LINK } from "../../parts/columns.js";

/** Of a ticket's id. */
export const TICKET_BYTES = 16;
export const NONCE_BYTES = 16;

export class LineColumns extends Columns {
	/** Which step it is at (`prove.ts`). */
	readonly step = this.u8(LINK);
	readonly listener = this.u16(LINK);
	/** When a canary was sent on it that is not back. */
	readonly canaryMs = this.f64(LINK);
	readonly ticket = this.u8(LINK, TICKET_BYTES);
	readonly nonce = this.u8(LINK, NONCE_BYTES);
}
