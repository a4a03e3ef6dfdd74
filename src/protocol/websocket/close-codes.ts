/** Codes of a close frame (RFC 6455, section 7.4; the registry of IANA). */
export const CLOSE_NORMAL = 1000;
export const CLOSE_GOING_AWAY = 1001;
export const CLOSE_PROTOCOL_ERROR = 1002;
/** The payload is no UTF-8. */
export const CLOSE_NOT_UTF8 = 1007;
export const CLOSE_POLICY = 1008;
export const CLOSE_TOO_LARGE = 1009;
/** There are too many at the moment. */
export const CLOSE_TRY_LATER = 1013;

/** What stands for a close frame without a code (RFC 6455, section 7.1.5). It is never sent. */
export const CLOSE_NONE = 1005;

/** Whether a peer may send it: those that stand for what did not come may not, nor may those that nobody has defined. */
export function mayBeSent(code: number): boolean {
	if (code >= 3000 && code <= 4999) return true;
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}
