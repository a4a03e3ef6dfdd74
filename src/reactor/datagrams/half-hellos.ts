/**
 * Hellos of which a part has come: at most so many, each for so long and of so many bytes, in memory that is taken once.
 *
 *     key      address and port, version, connection ID      who goes on with it
 *     pieces   what of the message is there                  ../../protocol/pieces.ts
 *     held     datagrams as they came, each behind its size  what an upstream is to be sent when it is known
 *
 * Sources of datagrams can be forged, so a flood of halves can do one thing only, which is to displace other halves: the oldest of
 * whoever has most of them, and the oldest of all where nobody has more than a few. A source that has its share displaces its own. One place more than there may be halves is
 * always empty: a new hello is read there (`draft`), and becomes a half only when it is not whole (`keep`). So whoever says all
 * in one datagram, as most do, displaces nobody.
 */
import { assert } from "../../parts/assert.js";
import { f64, i32, u8, u16 } from "../../parts/at.js";
import { NONE } from "../../parts/none.js";
import { Queues } from "../../parts/queues.js";
import { CLIENT_HELLO_LIMIT_BYTES } from "../../protocol/hello.js";
import { Pieces } from "../../protocol/pieces.js";
import { finish, mixBytes, newSeed } from "./mix.js";
import { addressBytes, type Peer } from "./peer.js";
import { HalfSources } from "./sources.js";

export interface HalfLimits {
	/** Halves at a time, of all and of one source. */
	readonly halves: number;
	readonly perSource: number;
	/** So many of one source are no sign of a flood: several clients may be behind one address. */
	readonly fewOfSource: number;
	/** Of the datagrams of one hello, and of the hello in them. */
	readonly bytesEach: number;
	/** For how long the rest is waited for. */
	readonly timeoutMs: number;
}

/** How a half is found again, beside its peer. */
export interface HelloKey {
	/** Of QUIC; 0 for DTLS. */
	readonly version: number;
	/** Connection ID, or what else tells hellos of one peer apart: `idLength` bytes at `idAt`, up to ID_BYTES. */
	readonly bytes: Uint8Array;
	readonly idAt: number;
	readonly idLength: number;
}

const ID_BYTES = 20;
const ADDRESS_BYTES = 16;
/** In front of each datagram that is held: its length in two bytes, and its bits of congestion notification. */
const SIZE_BYTES = 3;

/** The only list of all halves. */
const ALL = 0;

export class HalfHellos {
	readonly pieces: Pieces;
	/** Of each place, the datagrams that are held; `firstHeld` and `nextHeld` say where. */
	readonly held: Uint8Array;
	/** Halves that gave way to others, and that waited in vain. */
	displaced = 0;
	expired = 0;
	/** Datagrams of these, and of such whose rest proved malformed. */
	lost = 0;
	/** Halves now. */
	count = 0;
	readonly #limits: HalfLimits;
	readonly #seed = newSeed();
	readonly #mask: number;
	readonly #sources: HalfSources;
	/** By their key's hash; by age; those of a source by age. */
	readonly #chains: Queues;
	readonly #byAge: Queues;
	readonly #ofSource: Queues;
	readonly #free: Int32Array;
	readonly #sourceOf: Int32Array;
	readonly #chainOf: Int32Array;
	readonly #startedMs: Float64Array;
	readonly #heldBytes: Int32Array;
	readonly #heldCounts: Int32Array;
	// Keys.
	readonly #versions: Uint32Array;
	readonly #families: Uint8Array;
	readonly #addresses: Uint8Array;
	readonly #ports: Uint16Array;
	readonly #idLengths: Uint8Array;
	readonly #ids: Uint8Array;

	constructor(limits: HalfLimits) {
		checkLimits(limits);
		this.#limits = limits;
		const places = limits.halves + 1;
		const chains = 2 ** Math.ceil(Math.log2(2 * places));
		this.pieces = new Pieces(places, Math.min(limits.bytesEach, CLIENT_HELLO_LIMIT_BYTES));
		this.held = new Uint8Array(places * limits.bytesEach);
		this.#mask = chains - 1;
		this.#sources = new HalfSources(places);
		this.#chains = new Queues(chains, places);
		this.#byAge = new Queues(1, places);
		this.#ofSource = new Queues(places, places);
		this.#free = Int32Array.from({ length: places }, (_, i) => places - 1 - i);
		this.#sourceOf = new Int32Array(places).fill(NONE);
		this.#chainOf = new Int32Array(places);
		this.#startedMs = new Float64Array(places);
		this.#heldBytes = new Int32Array(places);
		this.#heldCounts = new Int32Array(places);
		this.#versions = new Uint32Array(places);
		this.#families = new Uint8Array(places);
		this.#addresses = new Uint8Array(places * ADDRESS_BYTES);
		this.#ports = new Uint16Array(places);
		this.#idLengths = new Uint8Array(places);
		this.#ids = new Uint8Array(places * ID_BYTES);
	}

	/** Places that columns beside these need: one more than halves. */
	get places(): number {
		return this.#free.length;
	}

	/** The half that a datagram goes on with, or NONE. */
	find(peer: Peer, key: HelloKey): number {
		for (
			let place = this.#chains.first(this.#chain(peer, key));
			place !== NONE;
			place = this.#chains.next(place)
		)
			if (this.#isOf(place, peer, key)) return place;
		return NONE;
	}

	/** The empty place, where the next hello is read. It stays empty until `keep`. */
	draft(): number {
		const place = i32(this.#free, this.places - this.count - 1);
		this.pieces.clear(place);
		this.#heldBytes[place] = 0;
		this.#heldCounts[place] = 0;
		return place;
	}

	/** Whether a place is a half, and not the draft. */
	isKept(place: number): boolean {
		return i32(this.#sourceOf, place) !== NONE;
	}

	/** Makes the draft a half of its own, for which another one may have to go. */
	keep(place: number, peer: Peer, key: HelloKey, nowMs: number): void {
		assert(place === i32(this.#free, this.places - this.count - 1), "only the draft is kept");
		assert(key.idLength <= ID_BYTES, "connection IDs have their greatest length");
		this.#write(place, peer, key);
		const source = this.#sources.add(peer);
		this.count++;
		this.#sourceOf[place] = source;
		this.#startedMs[place] = nowMs;
		const chain = this.#chain(peer, key);
		this.#chainOf[place] = chain;
		this.#chains.push(chain, place);
		this.#byAge.push(ALL, place);
		this.#ofSource.push(source, place);
		if (this.#sources.countOf(source) > this.#limits.perSource)
			this.#displace(this.#ofSource.first(source), place);
		else if (this.count > this.#limits.halves) this.#displace(this.#leastWorth(), place);
	}

	/**
	 * Which one goes when there is no room. Where each forged half has another source, who has two of them is no attacker but
	 * two clients behind one address, and would be the largest source each time.
	 */
	#leastWorth(): number {
		if (this.#sources.most <= this.#limits.fewOfSource) return this.#byAge.first(ALL);
		return this.#ofSource.first(this.#sources.largest());
	}

	#displace(place: number, newest: number): void {
		assert(place !== newest, "a half displaces another one");
		this.giveUp(place);
		this.displaced++;
	}

	/** Takes the datagram bytes[start, end) to those that are held. False: there is no room left for it. */
	hold(place: number, bytes: Uint8Array, start: number, end: number, ecn: number): boolean {
		const length = end - start;
		const used = i32(this.#heldBytes, place);
		if (used + SIZE_BYTES + length > this.#limits.bytesEach) return false;
		const at = place * this.#limits.bytesEach + used;
		this.held[at] = length >> 8;
		this.held[at + 1] = length & 0xff;
		this.held[at + 2] = ecn;
		for (let i = 0; i < length; i++) this.held[at + SIZE_BYTES + i] = u8(bytes, start + i);
		this.#heldBytes[place] = used + SIZE_BYTES + length;
		this.#heldCounts[place] = i32(this.#heldCounts, place) + 1;
		return true;
	}

	/** Where in `held` the first datagram of a half begins, or NONE: `heldLength` says how long it is. */
	firstHeld(place: number): number {
		return i32(this.#heldBytes, place) === 0 ? NONE : place * this.#limits.bytesEach + SIZE_BYTES;
	}

	/** The one behind it, or NONE. */
	nextHeld(place: number, at: number): number {
		const next = at + this.heldLength(at);
		const end = place * this.#limits.bytesEach + i32(this.#heldBytes, place);
		return next === end ? NONE : next + SIZE_BYTES;
	}

	heldLength(at: number): number {
		return (u8(this.held, at - SIZE_BYTES) << 8) | u8(this.held, at - SIZE_BYTES + 1);
	}

	heldEcn(at: number): number {
		return u8(this.held, at - 1);
	}

	/** Datagrams that are held of a half. */
	heldCount(place: number): number {
		return i32(this.#heldCounts, place);
	}

	/** Datagrams that are held of all. */
	get allHeld(): number {
		let count = 0;
		for (let place = this.#byAge.first(ALL); place !== NONE; place = this.#byAge.next(place))
			count += this.heldCount(place);
		return count;
	}

	/** It leads to no session: what is held of it is lost. */
	giveUp(place: number): void {
		this.lost += this.heldCount(place);
		this.release(place);
	}

	/** What was held of it is the caller's: its place is free. */
	release(place: number): void {
		const source = i32(this.#sourceOf, place);
		assert(source !== NONE, "a half that is released is there");
		this.#sourceOf[place] = NONE;
		this.#chains.remove(i32(this.#chainOf, place), place);
		this.#byAge.remove(ALL, place);
		this.#ofSource.remove(source, place);
		this.#sources.drop(source);
		this.count--;
		this.#free[this.places - this.count - 1] = place;
	}

	/** When the oldest half has waited long enough; Infinity: there is none. */
	nextDeadlineMs(): number {
		const oldest = this.#byAge.first(ALL);
		return oldest === NONE ? Number.POSITIVE_INFINITY : f64(this.#startedMs, oldest) + this.#limits.timeoutMs;
	}

	/** How many have given way since this was asked last; and how many have waited in vain. */
	takeDisplaced(): number {
		const count = this.displaced;
		this.displaced = 0;
		return count;
	}

	takeExpired(): number {
		const count = this.expired;
		this.expired = 0;
		return count;
	}

	/** Datagrams that have been lost with halves since this was asked last. */
	takeLost(): number {
		const count = this.lost;
		this.lost = 0;
		return count;
	}

	/** Releases all whose time is over. */
	expire(nowMs: number): void {
		while (this.nextDeadlineMs() <= nowMs) {
			this.giveUp(this.#byAge.first(ALL));
			this.expired++;
		}
	}

	#write(place: number, peer: Peer, key: HelloKey): void {
		this.#versions[place] = key.version;
		this.#families[place] = peer.family;
		this.#ports[place] = peer.port;
		this.#idLengths[place] = key.idLength;
		for (let i = 0; i < addressBytes(peer.family); i++)
			this.#addresses[place * ADDRESS_BYTES + i] = u8(peer.bytes, peer.offset + i);
		for (let i = 0; i < key.idLength; i++) this.#ids[place * ID_BYTES + i] = u8(key.bytes, key.idAt + i);
	}

	#isOf(place: number, peer: Peer, key: HelloKey): boolean {
		if (this.#versions[place] !== key.version || u8(this.#families, place) !== peer.family) return false;
		if (u16(this.#ports, place) !== peer.port || u8(this.#idLengths, place) !== key.idLength) return false;
		for (let i = 0; i < key.idLength; i++)
			if (u8(this.#ids, place * ID_BYTES + i) !== u8(key.bytes, key.idAt + i)) return false;
		for (let i = 0; i < addressBytes(peer.family); i++)
			if (u8(this.#addresses, place * ADDRESS_BYTES + i) !== u8(peer.bytes, peer.offset + i)) return false;
		return true;
	}

	#chain(peer: Peer, key: HelloKey): number {
		const start = this.#seed ^ (peer.port << 8) ^ key.idLength ^ key.version;
		const address = mixBytes(start, peer.bytes, peer.offset, addressBytes(peer.family));
		return finish(mixBytes(address, key.bytes, key.idAt, key.idLength)) & this.#mask;
	}
}

function checkLimits({ halves, perSource, fewOfSource, bytesEach }: HalfLimits): void {
	if (!Number.isSafeInteger(halves) || halves < 1)
		throw new RangeError(`${halves} half-seen hellos; at least one is needed`);
	if (!Number.isSafeInteger(perSource) || perSource < 1)
		throw new RangeError(`${perSource} half-seen hellos of one source; at least one is needed`);
	if (!Number.isSafeInteger(fewOfSource) || fewOfSource < 1)
		throw new RangeError(`${fewOfSource} half-seen hellos of one source are few; one at least is`);
	if (!Number.isSafeInteger(bytesEach) || bytesEach < 2048 || bytesEach > 0xffff)
		throw new RangeError(`${bytesEach} bytes for a half-seen hello; it takes 2048 to 65535`);
}
