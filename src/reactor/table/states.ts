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
/** Both: datagrams pass. The client has no descriptor of its own, and is one of many at its listener's socket. */
export const DATAGRAM = 13;
/** Either: a line, on which datagrams pass as frames. At a gateway it is its session's upstream, at an agent its client. */
export const FRAMES = 14;
/** Upstream, at an agent: the socket of a session's datagrams for the local service. Its client is a line. */
export const SERVICE = 15;
/** Upstream, of no session: an agent has opened it as a line to its gateway, and no visitor has taken it (`own-lines/`). */
export const OWN_LINE = 12;
/** Client: it has asked to be a subscriber of the hub, and the main thread has not answered yet. */
export const ASKED = 16;
/** Client: a subscriber of the hub, which messages go to (`modes/hub/`). */
export const HUB = 17;
