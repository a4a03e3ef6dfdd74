/**
 * Sessions that live, read out of the reactors' tables, which lie in memory that this thread shares: reactors are not asked, and do
 * not notice. A row may be given back, or to another session, while it is read: it counts if it has the same session before and
 * after.
 */
import type {
	Listing,
	LiveSession,
	Page,
	SessionFilter,
	SessionState,
	Sort,
} from "../../admin/session-view.js";
import { f64, i32, ref, u8, u16 } from "../../parts/at.js";
import { NONE } from "../../parts/none.js";
import { PROTOCOL_NAMES } from "../../protocol/index.js";
import type { ReactorRows } from "../../reactor/rows.js";
import type { Session } from "../../reactor/table/numbers.js";
import {
	ASKED,
	DATAGRAM,
	DIAL,
	EXCHANGE,
	FLUSH,
	FRAMES,
	FREE,
	HUB,
	LINGER,
	RELAY,
	REQUEST,
	SECURE,
	SNIFF,
} from "../../reactor/table/states.js";
import { hasName } from "../../route/explain.js";
import { contains } from "../../route/router.js";
import type { Names } from "../log-lines.js";
import { WallClock } from "./clock.js";
import { NameFilter, nameText, shownName, sourceText } from "./names.js";

/** Those of rows that are sessions. */
export const STATES: ReadonlyMap<number, SessionState> = new Map([
	[SNIFF, "recognizing"],
	[SECURE, "securing"],
	[DIAL, "dialling"],
	[RELAY, "relaying"],
	[DATAGRAM, "relaying"],
	[ASKED, "asking"],
	[HUB, "subscribed"],
	[FRAMES, "relaying"],
	[REQUEST, "waiting"],
	[EXCHANGE, "exchanging"],
	[LINGER, "ending"],
	[FLUSH, "ending"],
]);

/** Where a session is. */
export interface Place {
	readonly reactor: number;
	readonly row: Session;
	readonly number: number;
}

/** A row that fits, and what it is sorted by. */
interface Found extends Place {
	readonly key: number | string;
}

export class LiveSessions {
	readonly #rows: () => readonly ReactorRows[];
	readonly #names: Names;

	constructor(rows: () => readonly ReactorRows[], names: Names) {
		this.#rows = rows;
		this.#names = names;
	}

	/** Those that fit, in order, from `offset` on. */
	list(filter: SessionFilter, { sort, isDescending, offset, limit }: Page): Listing {
		const clock = new WallClock();
		const { total, found } = this.#find(filter, clock.nowMs, sort);
		const direction = isDescending ? -1 : 1;
		found.sort((a, b) => (a.key < b.key ? -direction : a.key > b.key ? direction : a.number - b.number));
		const sessions: LiveSession[] = [];
		for (let index = offset; index < found.length && sessions.length < limit; index++) {
			const session = this.describe(found[index] as Found, clock); // within the list
			if (session !== undefined) sessions.push(session);
		}
		return { total, matched: found.length, sessions };
	}

	/** All that fit. */
	matching(filter: SessionFilter): readonly Place[] {
		return this.#find(filter, new WallClock().nowMs, "id").found;
	}

	find(id: number): Place | undefined {
		return this.matching({ id })[0];
	}

	/** `undefined`: it has ended meanwhile. */
	describe({ reactor, row, number }: Place, clock: WallClock): LiveSession | undefined {
		const rows = this.#rows()[reactor];
		if (rows === undefined) return undefined;
		const session = this.#read(rows, reactor, row, number, clock);
		return isStill(rows, row, number) ? session : undefined;
	}

	#find(filter: SessionFilter, nowMs: number, sort: Sort): { total: number; found: Found[] } {
		const found: Found[] = [];
		const named = new NameFilter(filter, this.#names);
		let total = 0;
		for (const [reactor, rows] of this.#rows().entries()) {
			const { table } = rows;
			for (let slot = 0; slot < table.sessions; slot++) {
				const row = slot as Session;
				if (!STATES.has(u8(table.state, row))) continue;
				total++;
				const number = f64(table.number, row);
				if (!this.#fits(filter, named, rows, reactor, row, nowMs)) continue;
				const key = keyOf(sort, rows, row, nowMs);
				if (isStill(rows, row, number)) found.push({ reactor, row, number, key });
			}
		}
		return { total, found };
	}

	#fits(
		filter: SessionFilter,
		named: NameFilter,
		rows: ReactorRows,
		reactor: number,
		row: Session,
		nowMs: number,
	): boolean {
		const { table } = rows;
		const { id, source, state, ageMinMs, ageMaxMs, idleMinMs } = filter;
		if (id !== undefined && f64(table.number, row) !== id) return false;
		if (filter.reactor !== undefined && reactor !== filter.reactor) return false;
		if (state !== undefined && STATES.get(u8(table.state, row)) !== state) return false;
		// Of a hundred thousand rows only what is asked for is read.
		if (ageMinMs !== undefined && ageMs(rows, row, nowMs) < ageMinMs) return false;
		if (ageMaxMs !== undefined && ageMs(rows, row, nowMs) > ageMaxMs) return false;
		if (idleMinMs !== undefined && idleMs(rows, row, nowMs) < idleMinMs) return false;
		if (source !== undefined && !contains(source, u8(table.family, row), table.source, row * 16))
			return false;
		if (filter.protocol !== undefined && protocolOf(rows, row) !== filter.protocol) return false;
		if (filter.name !== undefined && !hasName(filter.name, nameOf(rows, row))) return false;
		return named.fits(
			u16(table.listener, row),
			ref(table.route, row),
			ref(table.upstream, row),
			ref(table.address, row),
		);
	}

	#read(rows: ReactorRows, reactor: number, row: Session, id: number, clock: WallClock): LiveSession {
		const { table, secures } = rows;
		const link = table.linkOf(row);
		const acceptedMs = f64(table.acceptedMs, row);
		const { listener, route, upstream, address } = this.#names;
		const heldForUpstream = link === NONE ? 0 : table.heldBytes(link);
		return {
			id,
			reactor,
			listener: listener.of(u16(table.listener, row)),
			route: shownName(route, ref(table.route, row)),
			protocol: protocolOf(rows, row),
			name: nameOf(rows, row),
			source: sourceText(u8(table.family, row), table.source, row * 16, u16(table.sourcePort, row)),
			upstream: shownName(upstream, ref(table.upstream, row)),
			address: shownName(address, ref(table.address, row)),
			state: STATES.get(u8(table.state, row)) ?? "ending",
			accepted: clock.at(acceptedMs),
			secured: clock.atOrNull(secures.securedMs(row, acceptedMs)),
			recognized: clock.atOrNull(table.recognizedMs(row)),
			connected: clock.atOrNull(table.connectedMs(row)),
			age_ms: Math.round(ageMs(rows, row, clock.nowMs)),
			idle_ms: Math.round(idleMs(rows, row, clock.nowMs)),
			bytes_from_client: fromClient(rows, row),
			bytes_to_client: f64(table.sent, row),
			buffered_bytes: table.heldBytes(row) + heldForUpstream,
		};
	}
}

export function isStill({ table }: ReactorRows, row: Session, number: number): boolean {
	return f64(table.number, row) === number && u8(table.state, row) !== FREE;
}

/** How old it is. One that came since `nowMs` was read is new, and fits as such. */
function ageMs({ table }: ReactorRows, row: Session, nowMs: number): number {
	return Math.max(0, nowMs - f64(table.acceptedMs, row));
}

/** Since when it moved nothing. The time of the last bytes is the end of their millisecond, which may be to come. */
function idleMs({ table }: ReactorRows, row: Session, nowMs: number): number {
	return Math.max(0, nowMs - table.activeMs(row, nowMs));
}

function keyOf(sort: Sort, rows: ReactorRows, row: Session, nowMs: number): number {
	const { table } = rows;
	switch (sort) {
		case "id":
			return f64(table.number, row);
		case "age":
			return ageMs(rows, row, nowMs);
		case "idle":
			return idleMs(rows, row, nowMs);
		case "bytes":
			return fromClient(rows, row) + f64(table.sent, row);
		case "buffered": {
			const link = table.linkOf(row);
			return table.heldBytes(row) + (link === NONE ? 0 : table.heldBytes(link));
		}
	}
}

function fromClient({ table, links }: ReactorRows, row: Session): number {
	const before = links.saidBefore(row, i32(table.flags, row));
	const link = table.linkOf(row);
	// Below zero while a PROXY header of ours has not gone out.
	return before + (link === NONE ? 0 : Math.max(0, f64(table.sent, link)));
}

function protocolOf({ table }: ReactorRows, row: Session): string {
	return PROTOCOL_NAMES[u8(table.protocol, row)] ?? "unknown";
}

/** Longer names than a row has room for are on the reactor's heap; their first part is in the row. */
function nameOf({ table: { names } }: ReactorRows, row: Session): string | null {
	return nameText(names.bytes, row * names.width, names.lengthOf(row), names.width);
}
