/**
 * Datagrams, many with one call. They lie in *places*, one message each; a message is a datagram, or several of one sender that the
 * kernel has put together (UDP_GRO), of which all but the last are as long as `segmentOf` says.
 *
 *     place   0 … 31      with the sender, and the address that it was sent to: for sockets that anybody may send to
 *             32 … 95     without: for connected sockets
 *             96          empty: for what is written here
 *
 * What is in a place is good until something is received there again, and what `add` names must be good until `flush`.
 */
export interface Datagrams {
	/** Place p begins at p * DATAGRAM_PLACE_BYTES. */
	readonly memory: Uint8Array;
	/** A `sockaddr` at place * SENDER_BYTES. */
	readonly senders: Uint8Array;
	/** At place * LOCAL_BYTES: which address of ours it was sent to, where the socket says it; zeros elsewhere. */
	readonly locals: Uint8Array;

	/**
	 * Opens a socket of that address family, to be connected. `probesPath`: datagrams are never cut into fragments, because the two who
	 * speak find out themselves how long they may be, as those of QUIC do.
	 */
	open(family: number, probesPath: boolean): number;

	/**
	 * Opens a socket beside a listener's, on the same port, that hears nobody but the `sockaddr` at names[nameAt]: what that one sends to
	 * locals[localAt] (a negative `localAt`: to where the listener is bound) comes here from then on, whichever socket of the port it
	 * came to before. What others send to that port while it is opened may be lost, and none of it comes here. EOPNOTSUPP: with this
	 * kernel it would be in the others' way.
	 */
	openBeside(
		listener: number,
		names: Uint8Array,
		nameAt: number,
		locals: Uint8Array,
		localAt: number,
	): number;

	/** Receives up to `most` messages to places from `first` on. How many, or a negative errno; fewer: nothing more waits. */
	receive(fd: number, first: number, most: number): number;
	lengthOf(place: number): number;
	segmentOf(place: number): number;
	/** It was longer than a place; what is there is not all of it. */
	isCut(place: number): boolean;
	/** Two bits of congestion notification (RFC 3168). */
	ecnOf(place: number): number;
	/** Datagrams that this socket's buffer had no room for since it was opened, modulo 2^32; -1: not said. */
	droppedOf(place: number): number;

	/** Sends one datagram on a connected socket: its length, or a negative errno. */
	send(fd: number, at: number, length: number): number;

	/** The kernel can cut a message into datagrams (UDP_SEGMENT, Linux 4.18), so that messages may be joined. */
	readonly cuts: boolean;

	/** Messages that have been added. */
	readonly added: number;
	/** One more message for the next `flush`, for a connected socket. `segment` below `length`: several datagrams of that length. */
	add(at: number, length: number, segment: number, ecn: number): void;
	/** The same for a socket that is not: to the `sockaddr` at names[nameAt], from our address locals[localAt], LOCAL_BYTES; a negative `localAt`: from any. */
	addTo(
		at: number,
		length: number,
		segment: number,
		ecn: number,
		names: Uint8Array,
		nameAt: number,
		locals: Uint8Array,
		localAt: number,
	): void;
	/**
	 * The message that was added last goes on with memory[at, at + length), and is cut into datagrams of `segment` bytes, which is how long
	 * those are that it has. Nothing can go on behind one that is shorter, and of a message there are DATAGRAMS_JOINED_MAX at most, with
	 * JOINED_BYTES_MAX at most.
	 */
	join(at: number, length: number, segment: number): void;
	/** Of an added message only the datagram memory[at, at + length) is left. */
	narrow(index: number, at: number, length: number): void;
	/**
	 * Sends `count` added messages from `first` on: how many, or a negative errno that is the first one's. Nothing is forgotten before
	 * `clear`.
	 */
	flush(fd: number, first: number, count: number): number;
	clear(): void;
}

/** Messages that `add` takes before `clear`. */
export const DATAGRAMS_ADDED_MAX = 64;
/** Of which these are made, those that are joined included: as many as there are places. */
export const DATAGRAM_PIECES_MAX = 97;
/** UDP_MAX_SEGMENTS of older kernels; newer ones take 128. */
export const DATAGRAMS_JOINED_MAX = 64;
/** With the headers of IPv6 a packet, which is 65,535 bytes at most. */
export const JOINED_BYTES_MAX = 65_487;
/** The longest message there is, and its place: 65,507 bytes over IPv4, 65,527 over IPv6. */
export const DATAGRAM_PLACE_BYTES = 65_536;
export const SENDER_PLACES = 32;
export const CONNECTED_PLACES = 64;
export const EMPTY_PLACE = SENDER_PLACES + CONNECTED_PLACES;
/** A `sockaddr_in6`. */
export const SENDER_BYTES = 28;
/** An address of 16 bytes, IPv4 mapped into IPv6, and the number of the interface. */
export const LOCAL_BYTES = 20;
