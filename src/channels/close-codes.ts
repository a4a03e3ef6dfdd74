/** Codes of the hub's own that a connection ends with (`docs/hub-wire.md`): a close frame's, and those of an event `end`. */

/** The token is no good, or is good no more. */
export const CLOSE_BAD_TOKEN = 4401;
/** The token does not allow any of its channels any more. */
export const CLOSE_NOT_ALLOWED = 4403;
/** There is none of its channels any more. */
export const CLOSE_NO_CHANNEL = 4404;
/** Its outbox is full, and its channel's policy is `disconnect`. */
export const CLOSE_OUTBOX_FULL = 4409;
/** An operator has closed it, or has taken its only channel. */
export const CLOSE_OPERATOR = 4410;
