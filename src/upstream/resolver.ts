/**
 * Names of upstreams to addresses, on the main thread: reactors only see results. A name is asked for again at its
 * interval, and none waits for another; when that fails, the last good answer stays.
 */
import type { Endpoint } from "../config/config.js";
import type { Address, Answer } from "./addresses.js";
import type { Lookup } from "./system-names.js";

/** Where sessions of an upstream go. */
export type Target =
	| { readonly kind: "ip"; readonly address: string; readonly family: 4 | 6; readonly port: number }
	| { readonly kind: "unix"; readonly path: string }
	/** An agent of a tunnel, which is not dialled. */
	| { readonly kind: "agent"; readonly label: string; readonly tunnel: number };

/** One that can be dialled. */
export type DialledTarget = Exclude<Target, { readonly kind: "agent" }>;

/** Addresses of one name that are used: a session tries no more either. */
const ADDRESSES_PER_NAME_MAX = 32;

/** A name that failed is asked for soon, then ever more seldom: twice as long after each failure, up to the last. */
const RETRY_FIRST_MS = 1_000;
const RETRY_LAST_MS = 30_000;

/** Names that are asked for in one turn of the event loop: answers are read between them, or the kernel drops them. */
const ASKED_AT_ONCE = 64;

export interface ResolverEvents {
	/** The set of addresses of this name changed. */
	changed(host: string): void;
	/** A name could not be resolved; `kept` says whether an earlier answer stays in use. Said once per failure streak. */
	failed(host: string, error: Error, kept: boolean): void;
	recovered(host: string): void;
}

interface Name {
	addresses: readonly Address[];
	intervalMs: number;
	timer: NodeJS.Timeout | undefined;
	/** In a row. */
	failures: number;
}

export class Resolver {
	readonly #names = new Map<string, Name>();
	readonly #lookup: Lookup;
	readonly #events: ResolverEvents;
	/** Counts what is to be followed, which may change while names are being asked for. */
	#revision = 0;
	#closed = false;

	constructor(events: ResolverEvents, lookup: Lookup) {
		this.#events = events;
		this.#lookup = lookup;
	}

	/** Follows exactly these names, each at its interval. Resolves when every new one has been asked for once. */
	async follow(names: ReadonlyMap<string, number>): Promise<void> {
		for (const [host, name] of this.#names) {
			if (names.has(host)) continue;
			clearTimeout(name.timer);
			this.#names.delete(host);
		}
		const revision = ++this.#revision;
		const first: Promise<void>[] = [];
		for (const [host, intervalMs] of names) {
			if (this.#revision !== revision) break;
			const known = this.#names.get(host);
			if (known !== undefined) {
				known.intervalMs = intervalMs;
				continue;
			}
			const name: Name = { addresses: [], intervalMs, timer: undefined, failures: 0 };
			this.#names.set(host, name);
			first.push(this.#ask(host, name));
			if (first.length % ASKED_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
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
		this.#revision++;
		for (const name of this.#names.values()) clearTimeout(name.timer);
		this.#names.clear();
		this.#lookup.close();
	}

	async #ask(host: string, name: Name): Promise<void> {
		try {
			const answer = await this.#lookup.lookUp(host);
			// A name that was dropped meanwhile, or a closed resolver, has nobody to tell.
			if (this.#closed || this.#names.get(host) !== name) return;
			const addresses = usedOf(answer, name.addresses);
			if (name.failures > 0) this.#events.recovered(host);
			name.failures = 0;
			const same = JSON.stringify(addresses) === JSON.stringify(name.addresses);
			name.addresses = addresses;
			if (!same) this.#events.changed(host);
		} catch (error) {
			if (this.#closed || this.#names.get(host) !== name) return;
			if (name.failures === 0) this.#events.failed(host, error as Error, name.addresses.length > 0);
			name.failures++;
		}
		name.timer = setTimeout(() => void this.#ask(host, name), delayOf(name));
		name.timer.unref();
	}
}

function usedOf({ addresses, unanswered }: Answer, before: readonly Address[]): Address[] {
	return (
		[...addresses, ...before.filter(({ family }) => family === unanswered)]
			// Resolvers rotate their answers; the order must not look like a change.
			.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0))
			.filter((entry, index, all) => entry.address !== all[index - 1]?.address)
			.slice(0, ADDRESSES_PER_NAME_MAX)
	);
}

function delayOf({ failures, intervalMs }: Name): number {
	return failures === 0 ? intervalMs : Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** (failures - 1));
}
