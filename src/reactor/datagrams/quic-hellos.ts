/**
 * Hellos in QUIC's Initials: packets are opened, their CRYPTO frames put together, and the message read when it is whole.
 *
 * A packet that does not open is dropped, as servers do, and takes nothing from what has come before. What is in one that does
 * open was written by whoever holds the other end, so a fault in it ends the hello. And whatever a server might read
 * otherwise is such a fault: two versions of a byte, a number used twice, a number that can be taken for another one.
 */
import { u8 } from "../../parts/at.js";
import { NONE } from "../../parts/none.js";
import { QUIC_DATAGRAM_MIN_BYTES } from "../../protocol/datagram.js";
import { type ClientHello, failHello } from "../../protocol/hello.js";
import { MESSAGE_HEADER_BYTES, parseHelloMessage } from "../../protocol/hello-message.js";
import { PIECE_NEW, type Pieces } from "../../protocol/pieces.js";
import { FRAME_CRYPTO, FRAMES_END, FRAMES_MALFORMED, Frames } from "../../protocol/quic/frames.js";
import {
	CONNECTION_ID_MAX_BYTES,
	LongPacket,
	PACKET_0RTT,
	PACKET_INITIAL,
	parseLongPacket,
} from "../../protocol/quic/long-packet.js";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "../../protocol/verdict.js";
import type { HalfHellos, HelloKey } from "./half-hellos.js";
import type { Arrival } from "./peer.js";
import { pieceFault } from "./piece-fault.js";
import type { DatagramRecognition } from "./recognition.js";
import { NUMBER_SEEN, NUMBERS_FULL, SeenNumbers } from "./seen-numbers.js";

/** What opens packets: kernel/openssl/quic-initials.ts. Positions are of the memory that it was made with. */
export interface InitialOpener {
	readonly plain: Uint8Array;
	readonly packetNumber: number;
	readonly packetNumberBytes: number;
	readonly firstByte: number;
	deriveKeys(version: number, id: number, idBytes: number, keys: Uint8Array, keysAt: number): void;
	/** The bytes of `plain`, or less than 0. */
	open(start: number, number: number, end: number, keys: Uint8Array, keysAt: number): number;
}

/** Makes one for packets in that memory. */
export type OpenInitials = (memory: Uint8Array) => InitialOpener;

/** As `INITIAL_KEYS_BYTES`. */
const KEYS_BYTES = 44;

/** RFC 9000, section 7.2: what a client makes up. One that it was given, with a token, may be shorter. */
const FIRST_ID_MIN_BYTES = 8;

/** RFC 9000, section 17.2: always 0 under the cover. */
const RESERVED_BITS = 0x0c;

/** Initials that are opened of one datagram: clients put one into it. A thousand would fit. */
const INITIALS_MAX = 4;

export class QuicHellos {
	readonly #memory: Uint8Array;
	readonly #opener: InitialOpener;
	readonly #halves: HalfHellos;
	readonly #pieces: Pieces;
	readonly #numbers: SeenNumbers;
	readonly #keys: Uint8Array;
	readonly #sourceIds: Uint8Array;
	readonly #frames = new Frames();
	readonly #next = new LongPacket();
	readonly #key: { -readonly [Field in keyof HelloKey]: HelloKey[Field] };
	/** Of the datagram that is being read: packets that opened, whether one brought something new, and whether 0-RTT is beside. */
	#opened = 0;
	#isNews = false;
	#hasEarlyData = false;

	constructor(memory: Uint8Array, opener: InitialOpener, halves: HalfHellos) {
		this.#memory = memory;
		this.#opener = opener;
		this.#halves = halves;
		this.#pieces = halves.pieces;
		this.#numbers = new SeenNumbers(halves.places);
		this.#keys = new Uint8Array(halves.places * KEYS_BYTES);
		this.#sourceIds = new Uint8Array(halves.places * (1 + CONNECTION_ID_MAX_BYTES));
		this.#key = { version: 0, bytes: memory, idAt: 0, idLength: 0 };
	}

	/** Reads a datagram whose first packet is `first`, an Initial or 0-RTT. */
	read(arrival: Arrival, first: LongPacket, out: DatagramRecognition): Verdict {
		this.#key.version = first.version;
		this.#key.idAt = first.destinationAt;
		this.#key.idLength = first.destinationBytes;
		const known = this.#halves.find(arrival.peer, this.#key);
		// Early data that comes before its hello is not waited with: clients send it again.
		if (known === NONE && first.kind !== PACKET_INITIAL) return NEED_MORE;
		const fault = this.#beginFault(first, arrival.end - arrival.start);
		if (fault !== "") return out.malformed(fault);
		const place = known === NONE ? this.#begin(first) : known;
		const cause = this.#readPackets(place, first, arrival);
		if (cause !== "") return this.#giveUp(place, cause, out);
		if (this.#opened === 0 && first.kind === PACKET_INITIAL) return out.malformed("not_authentic");
		return this.#answer(place, arrival, out);
	}

	#beginFault(first: LongPacket, datagramBytes: number): string {
		if (first.kind !== PACKET_INITIAL) return "";
		if (datagramBytes < QUIC_DATAGRAM_MIN_BYTES) return "datagram_too_short";
		if (first.tokenBytes > 0) return "";
		// RFC 9287, section 3.1: only who was told so, and shows it by a token, may clear it.
		if (!first.hasFixedBit) return "fixed_bit";
		return first.destinationBytes < FIRST_ID_MIN_BYTES ? "connection_id_length" : "";
	}

	#begin(first: LongPacket): number {
		const place = this.#halves.draft();
		this.#numbers.clear(place);
		const { version, destinationAt, destinationBytes } = first;
		this.#opener.deriveKeys(version, destinationAt, destinationBytes, this.#keys, place * KEYS_BYTES);
		const at = place * (1 + CONNECTION_ID_MAX_BYTES);
		this.#sourceIds[at] = first.sourceBytes;
		for (let i = 0; i < first.sourceBytes; i++)
			this.#sourceIds[at + 1 + i] = u8(this.#memory, first.sourceAt + i);
		return place;
	}

	/** Goes through the packets of a datagram (RFC 9000, section 12.2). What is none, or another connection's, ends it. */
	#readPackets(place: number, first: LongPacket, { start, end }: Arrival): string {
		this.#opened = 0;
		this.#isNews = false;
		this.#hasEarlyData = false;
		let packet = first;
		let position = start;
		for (let initials = 0; initials < INITIALS_MAX; ) {
			if (packet.kind === PACKET_0RTT) this.#hasEarlyData = true;
			// In a datagram that is too short, servers drop it, wherever it stands.
			if (packet.kind === PACKET_INITIAL && end - start >= QUIC_DATAGRAM_MIN_BYTES) {
				initials++;
				const cause = this.#readInitial(place, packet, position);
				if (cause !== "") return cause;
			}
			position = packet.end;
			packet = this.#next;
			if (parseLongPacket(this.#memory, position, end, packet) !== COMPLETE || !this.#isSameId(packet))
				return "";
		}
		return "too_many_packets";
	}

	#isSameId(packet: LongPacket): boolean {
		const { version, idAt, idLength } = this.#key;
		if (packet.version !== version || packet.destinationBytes !== idLength) return false;
		for (let i = 0; i < idLength; i++)
			if (u8(this.#memory, idAt + i) !== u8(this.#memory, packet.destinationAt + i)) return false;
		return true;
	}

	#readInitial(place: number, packet: LongPacket, start: number): string {
		const opener = this.#opener;
		const length = opener.open(start, packet.numberAt, packet.end, this.#keys, place * KEYS_BYTES);
		if (length < 0) return "";
		this.#opened++;
		if ((opener.firstByte & RESERVED_BITS) !== 0) return "reserved_bits";
		// RFC 9000, section 7.2: servers drop packets of another one.
		if (!this.#isSameSource(place, packet)) return "source_connection_id";
		const number = opener.packetNumber;
		// RFC 9000, appendix A.3: beside a number so far ahead this one, cut short, would be taken for a later one.
		const window = 2 ** (8 * opener.packetNumberBytes - 1);
		if (this.#numbers.highest(place) - number >= window - 1) return "packet_number";
		const seen = this.#numbers.add(place, number);
		if (seen === NUMBERS_FULL) return "too_many_packets";
		const wasNews = this.#isNews;
		this.#isNews = false;
		const cause = this.#readFrames(place, length);
		if (cause === "" && this.#isNews && seen === NUMBER_SEEN) return "packet_number_reused";
		this.#isNews ||= wasNews;
		return cause;
	}

	#isSameSource(place: number, packet: LongPacket): boolean {
		const at = place * (1 + CONNECTION_ID_MAX_BYTES);
		if (u8(this.#sourceIds, at) !== packet.sourceBytes) return false;
		for (let i = 0; i < packet.sourceBytes; i++)
			if (u8(this.#sourceIds, at + 1 + i) !== u8(this.#memory, packet.sourceAt + i)) return false;
		return true;
	}

	#readFrames(place: number, length: number): string {
		const frames = this.#frames;
		const { plain } = this.#opener;
		frames.begin(plain, 0, length);
		for (;;) {
			const kind = frames.next();
			if (kind === FRAMES_END) return "";
			if (kind === FRAMES_MALFORMED) return frames.cause;
			if (kind !== FRAME_CRYPTO) return "closed_by_client";
			const added = this.#pieces.add(place, frames.offset, plain, frames.dataAt, frames.dataEnd);
			if (added === PIECE_NEW) this.#isNews = true;
			const cause = pieceFault(added);
			if (cause !== "") return cause;
		}
	}

	#answer(place: number, { peer, start, end, ecn, nowMs }: Arrival, out: DatagramRecognition): Verdict {
		const halves = this.#halves;
		const verdict = this.#readMessage(place, out.hello);
		if (verdict === MALFORMED) return this.#giveUp(place, out.hello.cause, out);
		if (verdict === COMPLETE) {
			out.hasHello = true;
			if (halves.isKept(place)) out.half = place;
			return COMPLETE;
		}
		if (this.#isNews) {
			if (!halves.hold(place, this.#memory, start, end, ecn))
				return this.#giveUp(place, "hello_too_long", out);
			out.isHeld = true;
			if (!halves.isKept(place)) halves.keep(place, peer, this.#key, nowMs);
		} else if (this.#hasEarlyData && halves.isKept(place)) {
			// As far as there is room for it: what is lost of it comes again.
			out.isHeld = halves.hold(place, this.#memory, start, end, ecn);
		}
		return NEED_MORE;
	}

	/** Of what has come from the beginning on, without a gap. */
	#readMessage(place: number, hello: ClientHello): Verdict {
		const pieces = this.#pieces;
		const base = place * pieces.bytesEach;
		const prefix = pieces.prefix(place);
		const verdict = parseHelloMessage(pieces.memory, base, base + prefix, hello);
		if (verdict === MALFORMED || pieces.reach(place) === prefix || prefix < MESSAGE_HEADER_BYTES)
			return verdict;
		// There are bytes behind a gap. A whole message has none behind it, nor does one whose length is known.
		const isBeyond = verdict === COMPLETE || pieces.reach(place) > hello.needBytes;
		return isBeyond ? failHello(hello, "data_after_hello") : verdict;
	}

	#giveUp(place: number, cause: string, out: DatagramRecognition): Verdict {
		if (this.#halves.isKept(place)) this.#halves.giveUp(place);
		return out.malformed(cause);
	}
}
