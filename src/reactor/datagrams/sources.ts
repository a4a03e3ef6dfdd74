/**
 * Who has half-seen hellos, and who has most of them. Sources are linked by how many they have, so the largest is known at once:
 *
 *     have 1     ──► source ──► source ──► source       who came to have so many first, stands first
 *     have 2     ──► source
 *     have 3
 *     have 4     ──► source                             most = 4
 */
import { i32, u8 } from "../../parts/at.js";
import { NONE } from "../../parts/none.js";
import { Queues } from "../../parts/queues.js";
import { finish, mixBytes, newSeed } from "./mix.js";
import { type Peer, sourceBytes } from "./peer.js";

const ADDRESS_BYTES = 8;

export class HalfSources {
	readonly #seed = newSeed();
	readonly #mask: number;
	/** Chains of places by the hash of their address. */
	readonly #chains: Queues;
	readonly #byCount: Queues;
	readonly #addresses: Uint8Array;
	readonly #families: Uint8Array;
	readonly #counts: Int32Array;
	readonly #chainOf: Int32Array;
	readonly #free: Int32Array;
	#freeCount: number;
	#most = 0;

	/** `places`: of halves, which may all be of different sources. */
	constructor(places: number) {
		const chains = 2 ** Math.ceil(Math.log2(2 * places));
		this.#mask = chains - 1;
		this.#chains = new Queues(chains, places);
		this.#byCount = new Queues(places + 1, places);
		this.#addresses = new Uint8Array(places * ADDRESS_BYTES);
		this.#families = new Uint8Array(places);
		this.#counts = new Int32Array(places);
		this.#chainOf = new Int32Array(places);
		this.#free = Int32Array.from({ length: places }, (_, i) => places - 1 - i);
		this.#freeCount = places;
	}

	/** The most that one source has. */
	get most(): number {
		return this.#most;
	}

	/** How many have any. */
	get count(): number {
		return this.#counts.length - this.#freeCount;
	}

	countOf(source: number): number {
		return i32(this.#counts, source);
	}

	/** Of those that have most, the one that has had so many for longest. NONE: nobody has any. */
	largest(): number {
		return this.#most === 0 ? NONE : this.#byCount.first(this.#most);
	}

	/** The place of a peer's source, or NONE: it has nothing. */
	find(peer: Peer): number {
		for (let place = this.#chains.first(this.#chain(peer)); place !== NONE; place = this.#chains.next(place))
			if (this.#isOf(place, peer)) return place;
		return NONE;
	}

	/** The peer's source has one more. Returns its place, for `drop`. */
	add(peer: Peer): number {
		let place = this.find(peer);
		if (place === NONE) place = this.#enter(peer);
		const count = i32(this.#counts, place);
		if (count > 0) this.#byCount.remove(count, place);
		this.#counts[place] = count + 1;
		this.#byCount.push(count + 1, place);
		if (count + 1 > this.#most) this.#most = count + 1;
		return place;
	}

	/** It has one less. */
	drop(place: number): void {
		const count = i32(this.#counts, place);
		this.#byCount.remove(count, place);
		this.#counts[place] = count - 1;
		if (count > 1) this.#byCount.push(count - 1, place);
		else this.#leave(place);
		// It was among the largest, and nobody else is: now it has one less, and is the largest still.
		if (count === this.#most && this.#byCount.first(count) === NONE) this.#most = count - 1;
	}

	#enter(peer: Peer): number {
		const place = i32(this.#free, --this.#freeCount);
		const length = sourceBytes(peer.family);
		for (let i = 0; i < length; i++)
			this.#addresses[place * ADDRESS_BYTES + i] = u8(peer.bytes, peer.offset + i);
		this.#families[place] = peer.family;
		const chain = this.#chain(peer);
		this.#chainOf[place] = chain;
		this.#chains.push(chain, place);
		return place;
	}

	#leave(place: number): void {
		this.#chains.remove(i32(this.#chainOf, place), place);
		this.#free[this.#freeCount++] = place;
	}

	#chain({ family, bytes, offset }: Peer): number {
		return finish(mixBytes(this.#seed ^ family, bytes, offset, sourceBytes(family))) & this.#mask;
	}

	#isOf(place: number, { family, bytes, offset }: Peer): boolean {
		if (u8(this.#families, place) !== family) return false;
		const length = sourceBytes(family);
		for (let i = 0; i < length; i++)
			if (u8(this.#addresses, place * ADDRESS_BYTES + i) !== u8(bytes, offset + i)) return false;
		return true;
	}
}
