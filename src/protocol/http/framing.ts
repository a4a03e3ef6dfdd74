/** How the end of a message is known (RFC 9112, 6.3). */

/** There is no body. */
export const FRAMING_NONE = 0;
/** `contentLength` bytes follow. */
export const FRAMING_LENGTH = 1;
/** Chunks follow; see `ChunkedScanner`. */
export const FRAMING_CHUNKED = 2;
/** Responses only: everything up to the end of the connection. */
export const FRAMING_CLOSE = 3;
