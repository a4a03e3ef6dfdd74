/**
 * Names of upstreams to addresses, on the main thread: reactors only see results. A name is asked for
 * again at its interval; when that fails, the last good answer stays.
 */
import { lookup } from "node:dns/promises";
import type { Endpoint } from "../config/config.js";

/** An address that can be dialled. */
export type Target =
	| { readonly kind: "ip"; readonly address: string; readonly family: 4 | 6; readonly port: number }
	| { readonly kind: "unix"; readonly path: string };

export type Lookup = (host: string) => Promise<readonly { address: string; family: number }[]>;

/** Addresses of one name that are used: a session tries no more either. */
const ADDRESSES_PER_NAME_MAX = 32;

/** The system's resolver, /etc/hosts included. */
export const systemLookup: Lookup = (host) => lookup(host, { all: true, order: "verbatim" });

export interface ResolverEvents {
	/** The set of addresses of this name changed. */
	changed(host: string): void;
	/** A name could not be resolved; `kept` says whether an earlier answer stays in use. Said once per failure streak. */
	failed(host: string, error: Error, kept: boolean): void;
	recovered(host: string): void;
}

interface Name {
	addresses: readonly { address: string; family: 4 | 6 }[];
	intervalMs: number;
	timer: NodeJS.Timeout | undefined;
	failing: boolean;
}

export class Resolver {
	readonly #names = new Map<string, Name>();
	readonly #lookup: Lookup;
	readonly #events: ResolverEvents;
	#closed = false;

	constructor(events: ResolverEvents, lookupName: Lookup = systemLookup) {
		this.#events = events;
		this.#lookup = lookupName;
	}

	/** Follows exactly these names, each at its interval. Resolves when every new one has been asked for once. */
	async follow(names: ReadonlyMap<string, number>): Promise<void> {
		for (const [host, name] of this.#names) {
			if (names.has(host)) continue;
			clearTimeout(name.timer);
			this.#names.delete(host);
		}
		const first: Promise<void>[] = [];
		for (const [host, intervalMs] of names) {
			const known = this.#names.get(host);
			if (known !== undefined) {
				known.intervalMs = intervalMs;
				continue;
			}
			const name: Name = { addresses: [], intervalMs, timer: undefined, failing: false };
			this.#names.set(host, name);
			first.push(this.#ask(host, name));
		}
		await Promise.all(first);
	}

	/** The endpoint's addresses as known now: none while its name has never been resolved. */
	targets(endpoint: Endpoint): Target[] {
		if (endpoint.kind !== "name") return [endpoint];
		const addresses = this.#names.get(endpoint.host)?.addresses ?? [];
		return addresses.map(({ address, family }) => ({ kind: "ip", address, family, port: endpoint.port }));
	}

	close(): void {
		this.#closed = true;
		for (const name of this.#names.values()) clearTimeout(name.timer);
		this.#names.clear();
	}

	async #ask(host: string, name: Name): Promise<void> {
		try {
			const answer = await this.#lookup(host);
			// A name that was dropped meanwhile, or a closed resolver, has nobody to tell.
			if (this.#closed || this.#names.get(host) !== name) return;
			const addresses = answer
				.map(({ address, family }) => ({ address, family: family === 6 ? (6 as const) : (4 as const) }))
				// Resolvers rotate their answers; the order must not look like a change.
				.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0))
				.filter((entry, index, all) => entry.address !== all[index - 1]?.address)
				.slice(0, ADDRESSES_PER_NAME_MAX);
			if (name.failing) this.#events.recovered(host);
			name.failing = false;
			const same = JSON.stringify(addresses) === JSON.stringify(name.addresses);
			name.addresses = addresses;
			if (!same) this.#events.changed(host);
		} catch (error) {
			if (this.#closed || this.#names.get(host) !== name) return;
			if (!name.failing) this.#events.failed(host, error as Error, name.addresses.length > 0);
			name.failing = true;
		}
		name.timer = setTimeout(() => void this.#ask(host, name), name.intervalMs);
		name.timer.unref();
	}
}
