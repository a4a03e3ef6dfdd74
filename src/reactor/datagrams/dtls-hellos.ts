/** Hellos of DTLS: fragments are put together, and the message read when it is whole. */
import { NONE } from "../../parts/none.js";
import { FRAGMENTS_END, FRAGMENTS_MALFORMED, Fragments } from "../../protocol/dtls.js";
import { readDtlsHello } from "../../protocol/hello-message.js";
import { PIECE_NEW } from "../../protocol/pieces.js";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "../../protocol/verdict.js";
import type { HalfHellos, HelloKey } from "./half-hellos.js";
import type { Arrival } from "./peer.js";
import { pieceFault } from "./piece-fault.js";
import type { DatagramRecognition } from "./recognition.js";
import { NUMBER_SEEN, NUMBERS_FULL, SeenNumbers } from "./seen-numbers.js";

/** A hello is told apart from one with a cookie, behind a HelloVerifyRequest, by the number of the message. */
const MESSAGE_NUMBER_BYTES = 2;

export class DtlsHellos {
	readonly #memory: Uint8Array;
	readonly #halves: HalfHellos;
	readonly #numbers: SeenNumbers;
	/** How long the messages are that halves are of. */
	readonly #lengths: Int32Array;
	readonly #fragments = new Fragments();
	readonly #id = new Uint8Array(MESSAGE_NUMBER_BYTES);
	readonly #key: HelloKey = { version: 0, bytes: this.#id, idAt: 0, idLength: MESSAGE_NUMBER_BYTES };
	#isNews = false;

	constructor(memory: Uint8Array, halves: HalfHellos) {
		this.#memory = memory;
		this.#halves = halves;
		this.#numbers = new SeenNumbers(halves.places);
		this.#lengths = new Int32Array(halves.places);
	}

	read({ peer, start, end, ecn, nowMs }: Arrival, out: DatagramRecognition): Verdict {
		const fragments = this.#fragments;
		const halves = this.#halves;
		fragments.begin(this.#memory, start, end);
		if (fragments.next() === FRAGMENTS_MALFORMED) return out.malformed(fragments.cause);
		this.#id[0] = fragments.messageNumber >> 8;
		this.#id[1] = fragments.messageNumber & 0xff;
		const known = halves.find(peer, this.#key);
		const place = known === NONE ? this.#begin(fragments.messageBytes) : known;
		const cause = this.#readFragments(place);
		if (cause !== "") return this.#giveUp(place, cause, out);
		const length = this.#lengths[place] as number;
		if (halves.pieces.prefix(place) === length) {
			const base = place * halves.pieces.bytesEach;
			const verdict = readDtlsHello(halves.pieces.memory, base, base + length, out.hello);
			if (verdict === MALFORMED) return this.#giveUp(place, out.hello.cause, out);
			out.hasHello = true;
			if (halves.isKept(place)) out.half = place;
			return COMPLETE;
		}
		if (!this.#isNews) return NEED_MORE;
		if (!halves.hold(place, this.#memory, start, end, ecn)) return this.#giveUp(place, "hello_too_long", out);
		out.isHeld = true;
		if (!halves.isKept(place)) halves.keep(place, peer, this.#key, nowMs);
		return NEED_MORE;
	}

	#begin(messageBytes: number): number {
		const place = this.#halves.draft();
		this.#numbers.clear(place);
		this.#lengths[place] = messageBytes;
		return place;
	}

	/** From the fragment on that was read already. */
	#readFragments(place: number): string {
		const fragments = this.#fragments;
		const number = (this.#id[0] as number) * 256 + (this.#id[1] as number);
		this.#isNews = false;
		let record = -1;
		let isSeen = false;
		for (;;) {
			if (fragments.messageNumber !== number) return "message_number";
			if (fragments.messageBytes !== this.#lengths[place]) return "message_length";
			if (fragments.messageBytes > this.#halves.pieces.bytesEach) return "hello_too_long";
			if (fragments.recordNumber !== record) {
				record = fragments.recordNumber;
				const seen = this.#numbers.add(place, record);
				if (seen === NUMBERS_FULL) return "too_many_records";
				isSeen = seen === NUMBER_SEEN;
			}
			const { offset, dataAt, dataEnd } = fragments;
			const added = this.#halves.pieces.add(place, offset, this.#memory, dataAt, dataEnd);
			const cause = pieceFault(added);
			if (cause !== "") return cause;
			if (added === PIECE_NEW) {
				if (isSeen) return "record_number_reused";
				this.#isNews = true;
			}
			const next = fragments.next();
			if (next === FRAGMENTS_MALFORMED) return fragments.cause;
			if (next === FRAGMENTS_END) return "";
		}
	}

	#giveUp(place: number, cause: string, out: DatagramRecognition): Verdict {
		if (this.#halves.isKept(place)) this.#halves.giveUp(place);
		return out.malformed(cause);
	}
}
