/** What datagram clients say, one after the other, and what they learn from answers. */
import { PROTOCOL_DTLS, PROTOCOL_OTHER, PROTOCOL_QUIC } from "../../../src/protocol/protocols.js";
import type { Random } from "../../../src/rig/random.js";
import { concat } from "../../protocol/samples.js";
import { type Asked, dtlsHello, type QuicHello, quicHello, randomAsked, randomBytes } from "./hellos.js";
import { longPacket } from "./plain-initials.js";

export interface Speech {
	/** What it is recognised as. */
	readonly protocol: number;
	/** Of hellos. */
	readonly asked: Asked | undefined;
	/** What is sent next, a datagram or a few. */
	next(): readonly Uint8Array[];
	/** An answer. */
	hears(bytes: Uint8Array): void;
	/**
	 * Whose packets it is known by when it comes from another address: the connection ID that stands in them, once it was shown
	 * in a long header. `undefined`: nobody could tell.
	 */
	readonly shown: Uint8Array | undefined;
}

/** RFC 9443: what neither QUIC's long headers nor DTLS begin with. */
const PLAIN_FIRST_BYTES = [0, 1, 3, 0x13, 0x17, 0x40, 0x45, 0x5f, 0x7f] as const;
/** Enough for no two to be alike. */
const SHORTEST_BYTES = 8;
/** The longest datagram over IPv4. */
const LONGEST_BYTES = 65_507;

/** Anything that has no name: DNS, WireGuard, games. */
export class PlainSpeech implements Speech {
	readonly protocol = PROTOCOL_OTHER;
	readonly asked = undefined;
	readonly shown = undefined;
	readonly #random: Random;
	readonly #bytes: number;
	readonly #saysNothing: boolean;

	/** `saysNothing`: now and then a datagram is empty. Of one client only, for nobody can tell whose it is. */
	constructor(random: Random, saysNothing: boolean) {
		this.#random = random;
		this.#saysNothing = saysNothing;
		this.#bytes = random.pick([40, 200, 1_200]);
	}

	next(): Uint8Array[] {
		const random = this.#random;
		// Of one length, as they come that are put together.
		if (random.chance(0.2)) {
			const length = random.between(SHORTEST_BYTES, this.#bytes);
			return Array.from({ length: random.between(2, 8) }, () => this.#datagram(length));
		}
		if (this.#saysNothing && random.chance(0.1)) return [new Uint8Array(0)];
		if (random.chance(0.005)) return [this.#datagram(LONGEST_BYTES - random.below(3))];
		return [this.#datagram(SHORTEST_BYTES + random.magnitude(this.#bytes))];
	}

	#datagram(length: number): Uint8Array {
		const bytes = randomBytes(this.#random, Math.min(length, 2_000));
		bytes[0] = this.#random.pick(PLAIN_FIRST_BYTES);
		if (length === bytes.length) return bytes;
		const long = new Uint8Array(length);
		for (let at = 0; at < length; at += bytes.length) long.set(bytes.subarray(0, length - at), at);
		return long;
	}

	hears(): void {}
}

/** A hello, again and again until it is answered; then packets with a short header, to the ID that the server has shown. */
export class QuicSpeech implements Speech {
	readonly protocol = PROTOCOL_QUIC;
	readonly asked: Asked;
	shown: Uint8Array | undefined;
	readonly #random: Random;
	/** It goes over to an ID that came encrypted, and shows that in its long headers only. */
	readonly #isSecretive: boolean;
	#hello: QuicHello;
	/** The server's ID. */
	#peer: Uint8Array | undefined;
	/** Long headers that are still to be sent before short ones. */
	#longLeft: number;
	#hasRetried = false;

	constructor(random: Random) {
		this.#random = random;
		this.asked = randomAsked(random);
		this.#hello = quicHello(random, this.asked);
		this.#isSecretive = random.chance(0.3);
		this.#longLeft = random.between(1, 3);
	}

	next(): readonly Uint8Array[] {
		const random = this.#random;
		const { version, source, destination, datagrams } = this.#hello;
		if (this.#peer === undefined) {
			if (!random.chance(0.2)) return datagrams;
			const early = longPacket(1, version, destination, source, randomBytes(random, random.between(20, 300)));
			return random.chance(0.5) ? [...datagrams, early] : [early, ...datagrams];
		}
		const payload = randomBytes(random, random.between(20, 1_100));
		if (this.#longLeft > 0) {
			this.#longLeft--;
			this.shown = this.#peer;
			return [longPacket(2, version, this.#peer, source, payload)];
		}
		// RFC 9287: the fixed bit need not be there.
		const first = random.below(128);
		const short = () => concat(Uint8Array.of(first), this.#peer ?? new Uint8Array(0), payload);
		if (!random.chance(0.2)) return [short()];
		return Array.from({ length: random.between(2, 6) }, () => {
			payload[0] = random.below(256);
			payload[1] = random.below(256);
			return short();
		});
	}

	hears(bytes: Uint8Array): void {
		const random = this.#random;
		if (this.#peer !== undefined || bytes.length < 7 || ((bytes[0] ?? 0) & 0x80) === 0) return;
		const destinationBytes = bytes[5] ?? 0;
		const sourceAt = 7 + destinationBytes;
		const id = bytes.slice(sourceAt, sourceAt + (bytes[6 + destinationBytes] ?? 0));
		if (isRetry(bytes, this.#hello.version)) {
			if (this.#hasRetried) return;
			this.#hasRetried = true;
			this.#hello = quicHello(random, this.asked, id, randomBytes(random, 16));
			return;
		}
		this.#peer = this.#isSecretive ? randomBytes(random, id.length) : id;
	}
}

/** The type in the first byte, of version 1 and of version 2. */
function isRetry(bytes: Uint8Array, version: number): boolean {
	return (((bytes[0] ?? 0) >> 4) & 3) === (version === 1 ? 3 : 0);
}

/** A hello until it is answered, then records. */
export class DtlsSpeech implements Speech {
	readonly protocol = PROTOCOL_DTLS;
	readonly asked: Asked;
	readonly shown = undefined;
	readonly #random: Random;
	readonly #hello: readonly Uint8Array[];
	#isAnswered = false;

	constructor(random: Random) {
		this.#random = random;
		this.asked = randomAsked(random);
		this.#hello = dtlsHello(random, this.asked);
	}

	next(): readonly Uint8Array[] {
		if (!this.#isAnswered) return this.#hello;
		return [concat(Uint8Array.of(23, 0xfe, 0xfd), randomBytes(this.#random, this.#random.between(20, 900)))];
	}

	hears(): void {
		this.#isAnswered = true;
	}
}

/** What no client of a service says: forged beginnings, other versions, packets of nobody's connection, noise. */
export function stray(random: Random): Uint8Array {
	const asked = randomAsked(random);
	switch (random.below(7)) {
		case 0:
		case 1: {
			const { datagrams } = quicHello(random, asked);
			return random.pick(datagrams);
		}
		case 2:
			return random.pick(dtlsHello(random, asked));
		case 3: {
			const bytes = random.pick(quicHello(random, asked).datagrams).slice();
			bytes[random.below(bytes.length)] = random.below(256);
			return bytes.subarray(0, random.chance(0.5) ? bytes.length : random.below(bytes.length));
		}
		case 4:
			return longPacket(
				random.below(4),
				random.pick([0, 1, 0x0a1a2a3a]),
				randomBytes(random, random.below(24)),
				randomBytes(random, random.below(21)),
				randomBytes(random, random.pick([4, 40, 1_200])),
			);
		case 5:
			// A stateless reset, or a packet of a connection that is over.
			return concat(Uint8Array.of(0x40 | random.below(64)), randomBytes(random, random.between(20, 60)));
		default:
			return randomBytes(random, random.magnitude(1_400));
	}
}
