/**
 * The last sessions that ended, and why: for the question that comes after. A ring of columns, filled from the reactors' journals as
 * the log is, so that one that ends costs two dozen stores and no object.
 */
import {
	ENDED_MAX,
	type EndedFilter,
	type EndedListing,
	type EndedPage,
	type EndedSession,
} from "../../admin/session-view.js";
import { f64, i32, u8 } from "../../parts/at.js";
import { REASONS } from "../../parts/reasons.js";
import { PROTOCOL_NAMES } from "../../protocol/index.js";
import {
	ADDRESS,
	ID,
	integerOf,
	type Journal,
	LISTENER,
	ROUTE,
	SESSION_ACCEPTED,
	SESSION_CLOSED,
	SESSION_CONNECTED,
	SESSION_FROM_CLIENT,
	SESSION_KINDS,
	SESSION_LENGTHS,
	SESSION_PORT,
	SESSION_RECOGNIZED,
	SESSION_SECURED,
	SESSION_TO_CLIENT,
	sessionTextOf,
	sourceOf,
	UPSTREAM,
} from "../../reactor/records/journal.js";
import { hasName } from "../../route/explain.js";
import { contains } from "../../route/router.js";
import type { Names } from "../log-lines.js";
import { WallClock } from "./clock.js";
import { NameFilter, nameText, shownName, sourceText } from "./names.js";

/** What is kept of a name. */
const NAME_BYTES = 64;

const DOUBLES = [
	...[ID, SESSION_ACCEPTED, SESSION_RECOGNIZED, SESSION_CONNECTED, SESSION_CLOSED],
	...[SESSION_FROM_CLIENT, SESSION_TO_CLIENT, SESSION_SECURED],
] as const;
const INTEGERS = [LISTENER, ROUTE, UPSTREAM, ADDRESS, SESSION_KINDS, SESSION_PORT] as const;
const [NUMBER, ACCEPTED, RECOGNIZED, CONNECTED, CLOSED, FROM_CLIENT, TO_CLIENT, SECURED] = [
	0, 1, 2, 3, 4, 5, 6, 7,
] as const;
const [OF_LISTENER, OF_ROUTE, OF_UPSTREAM, OF_ADDRESS, KINDS, PORT] = [0, 1, 2, 3, 4, 5] as const;

export class EndedSessions {
	readonly #names: Names;
	readonly #doubles = new Float64Array(ENDED_MAX * DOUBLES.length);
	readonly #integers = new Int32Array(ENDED_MAX * INTEGERS.length);
	readonly #sources = new Uint8Array(ENDED_MAX * 16);
	readonly #nameBytes = new Uint8Array(ENDED_MAX * NAME_BYTES);
	readonly #nameLengths = new Uint8Array(ENDED_MAX);
	/** All that have ended since the start; the ring holds the last of them. */
	#count = 0;

	constructor(names: Names) {
		this.#names = names;
	}

	/** One more, of a record that is being read. */
	readonly take = (journal: Journal, record: number): void => {
		const place = this.#count++ % ENDED_MAX;
		for (let index = 0; index < DOUBLES.length; index++)
			this.#doubles[place * DOUBLES.length + index] = f64(journal.words, record + (DOUBLES[index] as number)); // within
		for (let index = 0; index < INTEGERS.length; index++)
			this.#integers[place * INTEGERS.length + index] = integerOf(journal, record, INTEGERS[index] as number); // within
		const source = sourceOf(record);
		for (let index = 0; index < 16; index++)
			this.#sources[place * 16 + index] = u8(journal.bytes, source + index);
		const length = integerOf(journal, record, SESSION_LENGTHS) & 0xff;
		this.#nameLengths[place] = length;
		const text = sessionTextOf(record);
		for (let index = 0; index < length && index < NAME_BYTES; index++)
			this.#nameBytes[place * NAME_BYTES + index] = u8(journal.bytes, text + index);
	};

	/** Those that fit, the last one first, from `offset` on. */
	list(filter: EndedFilter, { offset, limit }: EndedPage): EndedListing {
		const clock = new WallClock();
		const sessions: EndedSession[] = [];
		const named = new NameFilter(filter, this.#names);
		const oldest = Math.max(0, this.#count - ENDED_MAX);
		let matched = 0;
		for (let index = this.#count - 1; index >= oldest; index--) {
			const place = index % ENDED_MAX;
			if (!this.#fits(filter, named, place)) continue;
			if (matched >= offset && sessions.length < limit) sessions.push(this.#describe(place, clock));
			matched++;
		}
		return { matched, sessions };
	}

	#fits(filter: EndedFilter, named: NameFilter, place: number): boolean {
		const { id, source, reason, protocol, name } = filter;
		if (id !== undefined && this.#double(place, NUMBER) !== id) return false;
		const kinds = this.#integer(place, KINDS);
		if (reason !== undefined && REASONS[kinds & 0xff] !== reason) return false;
		if (protocol !== undefined && PROTOCOL_NAMES[(kinds >> 8) & 0xff] !== protocol) return false;
		if (source !== undefined && !contains(source, (kinds >> 16) & 0xff, this.#sources, place * 16))
			return false;
		if (name !== undefined && !hasName(name, this.#nameOf(place))) return false;
		return named.fits(
			this.#integer(place, OF_LISTENER),
			this.#integer(place, OF_ROUTE),
			this.#integer(place, OF_UPSTREAM),
			this.#integer(place, OF_ADDRESS),
		);
	}

	#describe(place: number, clock: WallClock): EndedSession {
		const { listener, route, upstream, address } = this.#names;
		const kinds = this.#integer(place, KINDS);
		return {
			id: this.#double(place, NUMBER),
			listener: listener.of(this.#integer(place, OF_LISTENER)),
			route: shownName(route, this.#integer(place, OF_ROUTE)),
			protocol: PROTOCOL_NAMES[(kinds >> 8) & 0xff] ?? "unknown",
			name: this.#nameOf(place),
			source: sourceText((kinds >> 16) & 0xff, this.#sources, place * 16, this.#integer(place, PORT)),
			upstream: shownName(upstream, this.#integer(place, OF_UPSTREAM)),
			address: shownName(address, this.#integer(place, OF_ADDRESS)),
			accepted: clock.at(this.#double(place, ACCEPTED)),
			secured: clock.atOrNull(this.#double(place, SECURED)),
			recognized: clock.atOrNull(this.#double(place, RECOGNIZED)),
			connected: clock.atOrNull(this.#double(place, CONNECTED)),
			closed: clock.at(this.#double(place, CLOSED)),
			bytes_from_client: this.#double(place, FROM_CLIENT),
			bytes_to_client: this.#double(place, TO_CLIENT),
			reason: REASONS[kinds & 0xff] ?? "internal",
		};
	}

	#nameOf(place: number): string | null {
		return nameText(this.#nameBytes, place * NAME_BYTES, u8(this.#nameLengths, place), NAME_BYTES);
	}

	#double(place: number, index: number): number {
		return f64(this.#doubles, place * DOUBLES.length + index);
	}

	#integer(place: number, index: number): number {
		return i32(this.#integers, place * INTEGERS.length + index);
	}
}
