/** What waiting for an outbox can end with. */

/** The outbox was closed before all was sent. */
export class OutboxClosed extends Error {
	/** `OutboxClosed` */
	override readonly name = "OutboxClosed";
	/** `SLUICE_OUTBOX_CLOSED` */
	readonly code = "SLUICE_OUTBOX_CLOSED";
	/** Why it was closed. */
	readonly reason: string;

	constructor(reason: string) {
		super(`the outbox is closed: ${reason}`);
		this.reason = reason;
	}
}
