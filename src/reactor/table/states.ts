/** Where a connection is on the road. It is in one of these at a time; a client's passes through them downwards. */

export const FREE = 0;
/** Peeking at first bytes until the route is known. */
export const SNIFF = 1;
/** Client: its upstream is being dialled. */
export const DIAL = 2;
/** Upstream: connect() has been called. */
export const CONNECTING = 3;
/** Both: bytes pass. */
export const RELAY = 4;
/** Client: it was told why it ends, and may finish what it was saying. */
export const LINGER = 5;
/** Client: between requests, or one is being read. */
export const REQUEST = 6;
/** Both: a request is sent and answered. */
export const EXCHANGE = 7;
/** Upstream: idle in the pool, of no session. */
export const POOLED = 8;
/** Either: its TLS handshake is under way; a client's session is sniffed once more behind it. */
export const SECURE = 9;
/** Client: nothing is heard from it any more; it ends when it has taken what waits for it. */
export const FLUSH = 10;
/** Upstream, of no session: it came from an agent, and has not proved yet what it is for (`lines/prove.ts`). */
export const PROVING = 11;
/** Upstream, of no session: an agent has opened it as a line to its gateway, and no visitor has taken it (`own-lines/`). */
export const OWN_LINE = 12;
