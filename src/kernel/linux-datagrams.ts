/**
 * Datagrams by recvmmsg and sendmmsg. All that the kernel is passed lies in memory that is taken once: what is sent is named where it
 * was received, so no byte of it is copied here.
 */

import { isLinkLocal, openForClient, openForUpstream } from "./connected-datagram-sockets.js";
import { connectedLeaveGroups } from "./connected-groups.js";
import {
	AF_INET,
	EOPNOTSUPP,
	IP_PKTINFO,
	IP_TOS,
	IPPROTO_IP,
	IPPROTO_IPV6,
	IPPROTO_UDP,
	IPV6_PKTINFO,
	IPV6_TCLASS,
	MSG_DONTWAIT,
	MSG_NOSIGNAL,
	MSG_TRUNC,
	SO_RXQ_OVFL,
	SOCK_CLOEXEC,
	SOCK_DGRAM,
	SOL_SOCKET,
	UDP_GRO,
	UDP_SEGMENT,
} from "./constants.js";
import {
	CONNECTED_PLACES,
	DATAGRAM_PIECES_MAX,
	DATAGRAM_PLACE_BYTES,
	DATAGRAMS_ADDED_MAX,
	type Datagrams,
	EMPTY_PLACE,
	LOCAL_BYTES,
	SENDER_BYTES,
	SENDER_PLACES,
} from "./datagrams.js";
import * as libc from "./libc.js";

const PLACES = SENDER_PLACES + CONNECTED_PLACES;

// struct mmsghdr, in words of 4 bytes: a struct msghdr, and how long the message is.
const HEADER_WORDS = 16;
const NAME = 0;
const NAME_LENGTH = 2;
const VECTOR = 4;
const VECTOR_COUNT = 6;
const CONTROL = 8;
const CONTROL_LENGTH = 10;
const FLAGS = 12;
const LENGTH = 14;
const HEADER_BYTES = 4 * HEADER_WORDS;

/** struct iovec: an address and a length, 8 bytes each. */
const VECTOR_WORDS = 4;

/** Ancillary data of a message: all that is asked for, or said, has room. */
const CONTROL_BYTES = 128;
const CONTROL_WORDS = CONTROL_BYTES / 4;

// struct cmsghdr, in words: its length in 8 bytes, level, type; then data, and the next one at a multiple of 8 bytes.
const LEVEL = 2;
const TYPE = 3;
const DATA = 4;
const CMSG_HEADER_BYTES = 16;

/** A name that is sent to, with room to spare. */
const NAME_BYTES = 32;

/** `::ffff:`, in words of the machine's order. */
const MAPPED_WORD = 0xffff0000 | 0;

export class LinuxDatagrams implements Datagrams {
	readonly memory = new Uint8Array(new ArrayBuffer((EMPTY_PLACE + 1) * DATAGRAM_PLACE_BYTES));
	readonly senders = new Uint8Array(new ArrayBuffer(SENDER_PLACES * SENDER_BYTES));
	readonly locals = new Uint8Array(new ArrayBuffer(PLACES * LOCAL_BYTES));
	readonly cuts = cutsMessages();
	readonly #hearsApart = connectedLeaveGroups();
	added = 0;
	readonly #localWords = new Int32Array(this.locals.buffer);
	readonly #memoryAt = libc.addressOf(this.memory);

	// What is received.
	readonly #headers = new Int32Array(new ArrayBuffer(PLACES * HEADER_BYTES));
	readonly #headersAt = libc.addressOf(this.#headers);
	readonly #vectors = new Int32Array(new ArrayBuffer(PLACES * 4 * VECTOR_WORDS));
	readonly #control = new Int32Array(new ArrayBuffer(PLACES * CONTROL_BYTES));
	readonly #segments = new Int32Array(PLACES);
	readonly #ecn = new Uint8Array(PLACES);
	readonly #dropped = new Float64Array(PLACES);

	// What is sent.
	readonly #out = new Int32Array(new ArrayBuffer(DATAGRAMS_ADDED_MAX * HEADER_BYTES));
	readonly #outAt = libc.addressOf(this.#out);
	readonly #outVectors = new Int32Array(new ArrayBuffer(DATAGRAM_PIECES_MAX * 4 * VECTOR_WORDS));
	readonly #outVectorsAt = libc.addressOf(this.#outVectors);
	/** Vectors that are in use; each message's stand together. */
	#pieces = 0;
	readonly #firstPieces = new Int32Array(DATAGRAMS_ADDED_MAX);
	readonly #outControl = new Int32Array(new ArrayBuffer(DATAGRAMS_ADDED_MAX * CONTROL_BYTES));
	readonly #outControlAt = libc.addressOf(this.#outControl);
	/** Where in a message's ancillary data stands how it is cut. */
	readonly #segmentAt = new Int32Array(DATAGRAMS_ADDED_MAX);
	readonly #names = new Uint8Array(new ArrayBuffer(DATAGRAMS_ADDED_MAX * NAME_BYTES));
	readonly #namesAt = libc.addressOf(this.#names);

	constructor() {
		const vectorsAt = libc.addressOf(this.#vectors);
		const controlAt = libc.addressOf(this.#control);
		const sendersAt = libc.addressOf(this.senders);
		for (let place = 0; place < PLACES; place++) {
			const header = place * HEADER_WORDS;
			if (place < SENDER_PLACES) point(this.#headers, header + NAME, sendersAt + place * SENDER_BYTES);
			point(this.#headers, header + VECTOR, vectorsAt + place * 4 * VECTOR_WORDS);
			this.#headers[header + VECTOR_COUNT] = 1;
			point(this.#headers, header + CONTROL, controlAt + place * CONTROL_BYTES);
			point(this.#vectors, place * VECTOR_WORDS, this.#memoryAt + place * DATAGRAM_PLACE_BYTES);
			this.#vectors[place * VECTOR_WORDS + 2] = DATAGRAM_PLACE_BYTES;
		}
	}

	open(family: number, probesPath: boolean): number {
		return openForUpstream(family, probesPath);
	}

	openBeside(
		listener: number,
		names: Uint8Array,
		nameAt: number,
		locals: Uint8Array,
		localAt: number,
	): number {
		if (!this.#hearsApart) return -EOPNOTSUPP;
		return openForClient(listener, names, nameAt, locals, localAt);
	}

	receive(fd: number, first: number, most: number): number {
		const headers = this.#headers;
		for (let place = first; place < first + most; place++) {
			const header = place * HEADER_WORDS;
			headers[header + CONTROL_LENGTH] = CONTROL_BYTES;
			if (place < SENDER_PLACES) headers[header + NAME_LENGTH] = SENDER_BYTES;
		}
		const count = libc.recvmmsg(fd, this.#headersAt + first * HEADER_BYTES, most, MSG_DONTWAIT, 0);
		if (count < 0) return -libc.errno();
		for (let place = first; place < first + count; place++) this.#readControl(place);
		return count;
	}

	lengthOf(place: number): number {
		return this.#headers[place * HEADER_WORDS + LENGTH] as number;
	}

	segmentOf(place: number): number {
		return this.#segments[place] as number;
	}

	isCut(place: number): boolean {
		return ((this.#headers[place * HEADER_WORDS + FLAGS] as number) & MSG_TRUNC) !== 0;
	}

	ecnOf(place: number): number {
		return this.#ecn[place] as number;
	}

	droppedOf(place: number): number {
		return this.#dropped[place] as number;
	}

	#readControl(place: number): void {
		const words = this.#control;
		this.#segments[place] = this.lengthOf(place);
		this.#ecn[place] = 0;
		this.#dropped[place] = -1;
		const local = (place * LOCAL_BYTES) / 4;
		for (let i = 0; i < LOCAL_BYTES / 4; i++) this.#localWords[local + i] = 0;
		const start = place * CONTROL_WORDS;
		const length = this.#headers[place * HEADER_WORDS + CONTROL_LENGTH] as number;
		const end = start + (length >> 2);
		for (let at = start; at + DATA < end; ) {
			const bytes = words[at] as number;
			if (bytes < CMSG_HEADER_BYTES) return;
			this.#readOne(place, words[at + LEVEL] as number, words[at + TYPE] as number, at + DATA, local);
			at += ((bytes + 7) & ~7) >> 2;
		}
	}

	#readOne(place: number, level: number, type: number, data: number, local: number): void {
		const words = this.#control;
		const first = words[data] as number;
		if (level === IPPROTO_UDP && type === UDP_GRO) this.#segments[place] = first & 0xffff;
		else if (level === IPPROTO_IP && type === IP_TOS) this.#ecn[place] = first & 3;
		else if (level === IPPROTO_IPV6 && type === IPV6_TCLASS) this.#ecn[place] = first & 3;
		else if (level === SOL_SOCKET && type === SO_RXQ_OVFL) this.#dropped[place] = first >>> 0;
		else if (level === IPPROTO_IP && type === IP_PKTINFO) {
			// struct in_pktinfo: interface, the address to answer from, the one in the header.
			this.#localWords[local + 2] = MAPPED_WORD;
			this.#localWords[local + 3] = words[data + 1] as number;
			this.#localWords[local + 4] = first;
		} else if (level === IPPROTO_IPV6 && type === IPV6_PKTINFO)
			for (let i = 0; i < 5; i++) this.#localWords[local + i] = words[data + i] as number;
	}

	send(fd: number, at: number, length: number): number {
		const sent = libc.send(fd, this.#memoryAt + at, length, MSG_DONTWAIT | MSG_NOSIGNAL);
		return sent < 0 ? -libc.errno() : sent;
	}

	add(at: number, length: number, segment: number, ecn: number): void {
		const header = this.#begin(at, length);
		this.#out[header + NAME] = 0;
		this.#out[header + NAME + 1] = 0;
		this.#out[header + NAME_LENGTH] = 0;
		this.#endControl(this.added, this.#addControl(0, length, segment, ecn));
		this.added++;
	}

	addTo(
		at: number,
		length: number,
		segment: number,
		ecn: number,
		names: Uint8Array,
		nameAt: number,
		locals: Uint8Array,
		localAt: number,
	): void {
		const header = this.#begin(at, length);
		const family = (names[nameAt] as number) | ((names[nameAt + 1] as number) << 8);
		const nameBytes = family === AF_INET ? 16 : SENDER_BYTES;
		const own = this.added * NAME_BYTES;
		for (let i = 0; i < nameBytes; i++) this.#names[own + i] = names[nameAt + i] as number;
		point(this.#out, header + NAME, this.#namesAt + own);
		this.#out[header + NAME_LENGTH] = nameBytes;
		const used = this.#addLocal(family, locals, localAt);
		this.#endControl(this.added, this.#addControl(used, length, segment, ecn));
		this.added++;
	}

	#begin(at: number, length: number): number {
		const header = this.added * HEADER_WORDS;
		this.#firstPieces[this.added] = this.#pieces;
		point(this.#out, header + VECTOR, this.#outVectorsAt + this.#pieces * 4 * VECTOR_WORDS);
		this.#out[header + VECTOR_COUNT] = 1;
		this.#addPiece(at, length);
		return header;
	}

	#addPiece(at: number, length: number): void {
		this.#setPiece(this.#pieces++, at, length);
	}

	#setPiece(piece: number, at: number, length: number): void {
		const vector = piece * VECTOR_WORDS;
		point(this.#outVectors, vector, this.#memoryAt + at);
		this.#outVectors[vector + 2] = length;
	}

	/** Returns the bytes of ancillary data so far. */
	#addLocal(family: number, locals: Uint8Array, localAt: number): number {
		if (localAt < 0) return 0;
		const words = this.#outControl;
		const at = this.added * CONTROL_WORDS;
		if (family === AF_INET) {
			beginControl(words, at, CMSG_HEADER_BYTES + 12, IPPROTO_IP, IP_PKTINFO);
			words[at + DATA] = 0;
			words[at + DATA + 1] = wordAt(locals, localAt + 12);
			words[at + DATA + 2] = 0;
			return CMSG_HEADER_BYTES + 16;
		}
		beginControl(words, at, CMSG_HEADER_BYTES + 20, IPPROTO_IPV6, IPV6_PKTINFO);
		for (let i = 0; i < 4; i++) words[at + DATA + i] = wordAt(locals, localAt + 4 * i);
		// Only an address that every link has needs to say which one; all others leave by the way that routing has.
		words[at + DATA + 4] = isLinkLocal(locals, localAt) ? wordAt(locals, localAt + 16) : 0;
		return CMSG_HEADER_BYTES + 24;
	}

	/** Returns the bytes of ancillary data, those that were there included. */
	#addControl(used: number, length: number, segment: number, ecn: number): number {
		const words = this.#outControl;
		const start = this.added * CONTROL_WORDS;
		let bytes = used;
		// Of both families: a socket takes that of its own, and passes over the other.
		if (ecn !== 0)
			for (const [level, type] of ECN_OPTIONS) {
				const at = start + (bytes >> 2);
				beginControl(words, at, CMSG_HEADER_BYTES + 4, level, type);
				words[at + DATA] = ecn;
				bytes += CMSG_HEADER_BYTES + 8;
			}
		// Last, so that it can be left out.
		this.#segmentAt[this.added] = bytes;
		return segment < length ? this.#addSegment(this.added, segment) : bytes;
	}

	/** A message is cut. Returns the bytes of its ancillary data. */
	#addSegment(index: number, segment: number): number {
		const words = this.#outControl;
		const bytes = this.#segmentAt[index] as number;
		const at = index * CONTROL_WORDS + (bytes >> 2);
		beginControl(words, at, CMSG_HEADER_BYTES + 2, IPPROTO_UDP, UDP_SEGMENT);
		words[at + DATA] = segment;
		return bytes + CMSG_HEADER_BYTES + 8;
	}

	#endControl(index: number, bytes: number): void {
		const header = index * HEADER_WORDS;
		this.#out[header + CONTROL_LENGTH] = bytes;
		if (bytes === 0) {
			this.#out[header + CONTROL] = 0;
			this.#out[header + CONTROL + 1] = 0;
		} else point(this.#out, header + CONTROL, this.#outControlAt + index * CONTROL_BYTES);
	}

	join(at: number, length: number, segment: number): void {
		const index = this.added - 1;
		const vectors = index * HEADER_WORDS + VECTOR_COUNT;
		this.#addPiece(at, length);
		if (this.#out[vectors] === 1) this.#endControl(index, this.#addSegment(index, segment));
		this.#out[vectors] = (this.#out[vectors] as number) + 1;
	}

	narrow(index: number, at: number, length: number): void {
		const header = index * HEADER_WORDS;
		this.#setPiece(this.#firstPieces[index] as number, at, length);
		this.#out[header + VECTOR_COUNT] = 1;
		this.#out[header + CONTROL_LENGTH] = this.#segmentAt[index] as number;
	}

	flush(fd: number, first: number, count: number): number {
		const sent = libc.sendmmsg(fd, this.#outAt + first * HEADER_BYTES, count, MSG_DONTWAIT | MSG_NOSIGNAL);
		return sent < 0 ? -libc.errno() : sent;
	}

	clear(): void {
		this.added = 0;
		this.#pieces = 0;
	}
}

const ECN_OPTIONS = [
	[IPPROTO_IP, IP_TOS],
	[IPPROTO_IPV6, IPV6_TCLASS],
] as const;

/** Whether the kernel knows how to: others would send a joined message as one long datagram. */
function cutsMessages(): boolean {
	const fd = libc.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return false;
	const whole = new Int32Array(new ArrayBuffer(4));
	const known = libc.setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, libc.addressOf(whole), 4) === 0;
	libc.close(fd);
	return known;
}

/** Writes an address into two words. */
function point(words: Int32Array, at: number, address: number): void {
	words[at] = address | 0;
	words[at + 1] = Math.floor(address / 2 ** 32);
}

function beginControl(words: Int32Array, at: number, bytes: number, level: number, type: number): void {
	words[at] = bytes;
	words[at + 1] = 0;
	words[at + LEVEL] = level;
	words[at + TYPE] = type;
}

function wordAt(bytes: Uint8Array, at: number): number {
	return (
		(bytes[at] as number) |
		((bytes[at + 1] as number) << 8) |
		((bytes[at + 2] as number) << 16) |
		((bytes[at + 3] as number) << 24)
	);
}
