/** What each client address holds, and how fast it comes. IPv6 addresses count by their /64, which is what one customer gets (RFC 6177). */
import { Bucket, usualBurst } from "../parts/token-bucket.js";
import { formatAddress, isIpv4Mapped, parseIpv4, parseIpv6 } from "../protocol/address.js";

/** Addresses without connections that are remembered for their rate, before those with full buckets are forgotten. */
const FORGET_ABOVE = 1_024;

export type Refusal = "limit_ip" | "limit_rate";

interface Source {
	held: number;
	/** Of what may come per second; `undefined`: any number. */
	readonly rate: Bucket | undefined;
}

export class Sources {
	readonly #sources = new Map<string, Source>();
	readonly #heldMost: number;
	readonly #perSecond: number;
	#forgetAbove = FORGET_ABOVE;

	constructor(heldMost: number, perSecond: number) {
		this.#heldMost = heldMost;
		this.#perSecond = perSecond;
	}

	/** There is something to count for. */
	get isOn(): boolean {
		return this.#heldMost !== Number.POSITIVE_INFINITY || this.#perSecond !== Number.POSITIVE_INFINITY;
	}

	get size(): number {
		return this.#sources.size;
	}

	/** One more; `undefined`: it may come, and must `leave`. */
	enter(key: string, nowMs: number): Refusal | undefined {
		const source = this.#sources.get(key) ?? this.#add(key, nowMs);
		if (source.held >= this.#heldMost) return "limit_ip";
		if (source.rate?.take(1, nowMs) === false) return "limit_rate";
		source.held++;
		return undefined;
	}

	leave(key: string): void {
		const source = this.#sources.get(key);
		if (source === undefined) return;
		source.held--;
		if (source.held === 0 && source.rate === undefined) this.#sources.delete(key);
	}

	#add(key: string, nowMs: number): Source {
		if (this.#sources.size >= this.#forgetAbove) this.#forget(nowMs);
		const source = { held: 0, rate: rateOf(this.#perSecond, nowMs) };
		this.#sources.set(key, source);
		return source;
	}

	/** Whoever holds nothing and has a full bucket is as a stranger. */
	#forget(nowMs: number): void {
		for (const [key, { held, rate }] of this.#sources)
			if (held === 0 && (rate === undefined || rate.at(nowMs) >= rate.burst)) this.#sources.delete(key);
		this.#forgetAbove = Math.max(FORGET_ABOVE, 2 * this.#sources.size);
	}
}

/** What an address is counted as: itself, or its /64, whatever its zone. What is no address counts as itself. */
export function sourceOf(address: string): string {
	if (parseIpv4(address) !== undefined) return address;
	const zone = address.indexOf("%");
	const bytes = parseIpv6(zone < 0 ? address : address.slice(0, zone));
	if (bytes === undefined) return address;
	if (isIpv4Mapped(bytes, 0)) return formatAddress(bytes, 0, 6);
	bytes.fill(0, 8);
	return `${formatAddress(bytes, 0, 6)}/64`;
}

/** A bucket that holds one second's worth; `undefined`: any number may come. */
export function rateOf(perSecond: number, nowMs: number): Bucket | undefined {
	return perSecond === Number.POSITIVE_INFINITY
		? undefined
		: new Bucket(perSecond, usualBurst(perSecond), nowMs);
}
