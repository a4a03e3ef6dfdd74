/** What is known of sessions that have a rate, beside their rows of the table: columns that no other session touches. */
import { Columns, SESSION } from "../../parts/columns.js";

export class Paces extends Columns {
	/** Bytes that it may still move, less those that it moved beyond. */
	readonly allowed = this.i32(SESSION);
	/** Bytes that it has taken from its rates, and waits for; and until when. 0: it waits for none. */
	readonly taken = this.i32(SESSION);
	readonly heldMs = this.f64(SESSION);
	/** When it was held last. */
	readonly lastHeldMs = this.f64(SESSION);
	/** Until when its own rate is paid for (`parts/pace.ts`). */
	readonly paidMs = this.f64(SESSION);
}
