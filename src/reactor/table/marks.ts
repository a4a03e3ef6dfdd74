/** What may be true of a connection beside its state: one bit each, and any of them together. */

/** News came that has not been read to its end yet. */
export const READABLE = 1;
/** The peer's end of the stream has been read. */
export const ENDED = 1 << 1;
/** We have ended our direction. */
export const SHUT = 1 << 2;
/** The end (or an error) of the stream waits behind the bytes that are readable now. */
export const ENDING = 1 << 3;
/** The kernel took less than we had: nothing is read for this connection until it is writable again. */
export const BLOCKED = 1 << 4;
/** What comes from this connection proved to be bulk: it is spliced. */
export const BULK = 1 << 5;
/** It waits in the reactor's queue for another turn, because it had more than its share of this one. */
export const QUEUED = 1 << 6;
/** Readiness reports when it can be written. Asked for when it blocks first, and then kept. */
export const WATCHES_OUT = 1 << 7;
/** SO_RCVLOWAT is above 1, because a hello is known to be longer than what has come. */
export const LOW_WATER = 1 << 8;
/** Urgent data came once: a short read no longer means that nothing more waits, and splicing would stop there. */
export const URGENT = 1 << 9;
/** A PROXY header must come first: its listener said so when it was accepted. */
export const PROXY_REQUIRED = 1 << 10;
/** Upstream: it has been given the options of a session that lasts. */
export const LASTING = 1 << 11;
/** Client, by the same bit: it came by a line that this process, an agent, has opened. */
export const BY_LINE = LASTING;
/** Client: its requests are read, one by one. */
export const EXCHANGES = 1 << 12;
/** Client: its request has no body, and may be sent once more. */
export const REPEATABLE = 1 << 13;
/** Client: its request met a stale connection of the pool, and gets a new one. */
export const ONLY_NEW = 1 << 23;
/** Client that is subscribed to the hub, by the same bit: nothing is sent to an upstream for it. */
export const SUBSCRIBES = ONLY_NEW;
/** Client: whether its session's bytes are acknowledged is looked at again and again, because some were sent. */
export const LOOKED_AFTER = 1 << 14;
/** Client: requests of it were read, although its bytes may be relayed by now. */
export const HAD_REQUESTS = 1 << 15;
/** Its bytes come and go through TLS (`secures.ts`). */
export const SECURED = 1 << 16;
/** Its end of the TLS stream is still to be said, once the kernel has room. */
export const LEAVING = 1 << 17;
/** Bytes of it were read ahead, or put back, and come before those in the kernel (`inboxes.ts`). */
export const AHEAD = 1 << 18;
/** Client: its last request's head was whole when it was first looked at. */
export const WHOLE_HEADS = 1 << 19;
/** Client: its PROXY header has come, and names it. */
export const PROXY_READ = 1 << 20;
/** Client: it has said something, and so far nothing that tells what it speaks. */
export const UNDECIDED = 1 << 21;
/** Client of QUIC, by the same bit: nothing shows yet that it hears what its upstream says, so it may be anybody's forgery. */
export const UNPROVED = UNDECIDED;
/** Client: it is a connection of our own to an upstream that leads back here. */
export const OURS = 1 << 22;
/** The peer has ended its direction, and not by a reset: behind the bytes that are readable now is the end, whatever else follows. */
export const END_NEXT = 1 << 24;
/** Upstream: Nagle's algorithm is still on, which would hold back a second send; it is turned off before that. */
export const NAGLED = 1 << 25;
/** Client, and while bytes are relayed its upstream: it has a rate (`pace.ts`). */
export const PACED = 1 << 31;
/** Client: who it is stands before its first datagram, and has not been said yet; by the bit of a connection's header. */
export const HEADER_DUE = PROXY_REQUIRED;
/** Upstream: a Unix socket. A read of it stops before descriptors that were passed, whatever bytes lie behind. */
export const LOCAL = 1 << 30;
/** Client: its datagrams go by a line, which it has or waits for; by the bit that is LOCAL of an upstream. */
export const BY_FRAMES = LOCAL;
