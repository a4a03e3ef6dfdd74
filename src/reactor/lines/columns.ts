/** What is known of a connection from an agent until its ticket is proved. By place. */
import { Columns, LINK } from "../../parts/columns.js";
import { NONCE_BYTES, TICKET_ID_BYTES } from "../../protocol/tunnel/index.js";

export class LineColumns extends Columns {
	/** Which step it is at (`prove.ts`). */
	readonly step = this.u8(LINK);
	readonly listener = this.u16(LINK);
	/** When a canary was sent on it that is not back. */
	readonly canaryMs = this.f64(LINK);
	readonly ticket = this.u8(LINK, TICKET_ID_BYTES);
	readonly nonce = this.u8(LINK, NONCE_BYTES);
}
