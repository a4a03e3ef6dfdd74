/** A token that is not taken. */

/** A WebSocket's close frame has room for so many bytes of reason (RFC 6455, 5.5.1): each sentence fits in one. */
export const REASON_MAX_BYTES = 123;

/** `reason` is a sentence for the client. It holds nothing of the token, and neither does anything else of this error. */
export class TokenError extends Error {
	override readonly name = "TokenError";
	readonly reason: string;

	constructor(reason: string) {
		super(reason);
		this.reason = reason;
	}
}
