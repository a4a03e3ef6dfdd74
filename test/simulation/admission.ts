/** Who was let in, held against the limits: after every turn, over all rows. */
import { f64, i32, ref, u8, u16 } from "../../src/parts/at.js";
import { NONE } from "../../src/parts/none.js";
import type { Core } from "../../src/reactor/core.js";
import { LIVE_LISTENERS, LIVE_SESSIONS } from "../../src/reactor/records/places.js";
import { LIMIT_CONNECTIONS, LIMIT_IP, LIMIT_RATE } from "../../src/reactor/records/reasons.js";
import { PROXY_READ, PROXY_REQUIRED } from "../../src/reactor/table/marks.js";
import { FREE } from "../../src/reactor/table/states.js";
import { sourceKey } from "./addresses.js";
import type { SimulatedSocket } from "./descriptors.js";
import { LISTENERS } from "./plans.js";
import { violated } from "./trace.js";
import { Bucket } from "./watched-sources.js";
import type { World } from "./world.js";

const UNLIMITED = Number.POSITIVE_INFINITY;

export class Admission {
	/** What all clients may come with. */
	readonly #bucket = new Bucket();
	/** Connections by place of the sources. */
	#held = new Int32Array(0);
	/** Rows by listener; and those of them that were accepted in this turn, and stay. */
	readonly #rows = new Int32Array(LISTENERS);
	readonly #fresh = new Int32Array(LISTENERS);
	// As of the turn before: limits, rows, and sessions that were shed.
	#limitBefore = 0;
	readonly #limitsBefore = new Float64Array(LISTENERS);
	#clientsBefore = 0;
	#shedBefore = 0;
	/** Rows without a place; and, as of the turn before, those of them that wait for no PROXY header. */
	#uncounted = 0;
	#unplacedBefore = 0;

	check(world: World): void {
		this.#count(world);
		this.#checkSources(world);
		this.#checkLive(world);
		checkTurnedAway(world);
		this.#checkRate(world);
	}

	#count(world: World): void {
		const { table } = world.reactor.core;
		if (this.#held.length !== world.places) this.#held = new Int32Array(world.places);
		this.#held.fill(0);
		this.#rows.fill(0);
		this.#fresh.fill(0);
		this.#uncounted = 0;
		for (let slot = 0; slot < table.sessions; slot++) {
			if (u8(table.state, slot) === FREE) continue;
			const listener = u16(table.listener, slot);
			this.#rows[listener] = i32(this.#rows, listener) + 1;
			const place = ref(table.sourcePlace, slot);
			if (place === NONE) this.#uncounted++;
			else this.#held[place] = i32(this.#held, place) + 1;
			if (world.accepted === 0) continue;
			if (world.kernel.socketAt(i32(table.fd, slot))?.acceptedTurn !== world.turns) continue;
			this.#fresh[listener] = i32(this.#fresh, listener) + 1;
			if (i32(table.fd, slot) >= world.reactor.core.descriptorCeiling) this.#checkCeiling(world);
		}
		const { links } = world.reactor.core;
		for (const link of world.reactor.core.unproved) {
			const place = ref(links.source, table.placeOf(link));
			if (place !== NONE) this.#held[place] = i32(this.#held, place) + 1;
		}
		for (const { place } of world.operator.others)
			if (place >= 0) this.#held[place] = i32(this.#held, place) + 1;
	}

	/** Only the reserve was left: then somebody else has gone. */
	#checkCeiling(world: World): void {
		if (
			!world.madeRoom &&
			world.counters.get("shed") === this.#shedBefore &&
			!world.operator.given.has("plan")
		)
			violated("a client was let in from the reserve of descriptors, and nobody went for it");
	}

	/** An address holds as many connections as rows say, here and elsewhere. */
	#checkSources(world: World): void {
		const { sources } = world;
		for (let place = 0; place < world.places; place++) {
			const held = i32(this.#held, place);
			if (sources.heldAt(place) !== held)
				violated(
					`the address at place ${place} counts ${sources.heldAt(place)} connections, and has ${held}`,
				);
		}
		const unplaced = this.#uncounted === 0 ? 0 : countUnplaced(world);
		if (unplaced > this.#unplacedBefore + sources.notCounted)
			violated(`${unplaced} sessions are counted for no address, though there was room to count them`);
		this.#unplacedBefore = unplaced;
	}

	/** What is said to live does, and a limit is passed only where it was lowered. */
	#checkLive(world: World): void {
		const { live, operator, accepted, reactor } = world;
		const { core } = reactor;
		const all = i32(live, LIVE_SESSIONS);
		if (all !== core.table.clients + operator.others.length)
			violated(`${all} sessions live, and there are ${core.table.clients}+${operator.others.length}`);
		const most = Math.max(core.connectionsMax, this.#limitBefore);
		// Where somebody is closed for each that comes, a limit that was lowered is not reached at once.
		const replaces = core.shedsWhenFull && core.table.clients <= this.#clientsBefore;
		for (let slot = 0; slot < LISTENERS; slot++) {
			const count = i32(live, LIVE_LISTENERS + slot);
			const expected = i32(this.#rows, slot) + operator.othersAt(slot);
			if (count !== expected) violated(`listener ${slot} counts ${count} sessions, and has ${expected}`);
			const limit = limitOf(core, slot);
			if (accepted > 0 && i32(this.#fresh, slot) > 0) {
				if (count > Math.max(limit, f64(this.#limitsBefore, slot)))
					violated(`listener ${slot} has ${count} sessions, beyond its limit`);
				// Two plans within a turn may have raised the limit and lowered it again.
				const knows = !operator.given.has("plan");
				if (all > most && !replaces && knows) violated(`${all} sessions live, beyond the limit of ${most}`);
			}
			this.#limitsBefore[slot] = limit;
		}
		this.#limitBefore = core.connectionsMax;
		this.#clientsBefore = core.table.clients;
		this.#shedBefore = world.counters.get("shed");
	}

	/** No more were let in than tokens have come; and each of them, and nobody else, took one. */
	#checkRate(world: World): void {
		const { accepted, closedBy, sources, reactor } = world;
		const { acceptsPerSecond, nowMs } = reactor.core;
		if (acceptsPerSecond === UNLIMITED) return;
		this.#bucket.refill(acceptsPerSecond, nowMs);
		// Within this turn another rate may have held, or none, for a listener that is given up: then nobody knows.
		if (world.operator.given.has("plan") || world.operator.given.has("drain")) return;
		const refused = i32(closedBy, LIMIT_CONNECTIONS) + i32(closedBy, LIMIT_RATE) - sources.tooFast;
		if (accepted > refused) this.#bucket.take(accepted - refused, "everybody");
		if (sources.tokens !== accepted - refused)
			violated(`${accepted - refused} clients were let in, and ${sources.tokens} tokens are gone`);
	}
}

/** Sessions that are counted for no address, and do not wait for the PROXY header that names it. */
function countUnplaced(world: World): number {
	const { table } = world.reactor.core;
	let unplaced = 0;
	for (let slot = 0; slot < table.sessions; slot++) {
		if (u8(table.state, slot) === FREE || ref(table.sourcePlace, slot) !== NONE) continue;
		const waits = (i32(table.flags, slot) & (PROXY_REQUIRED | PROXY_READ)) === PROXY_REQUIRED;
		if (!waits) unplaced++;
	}
	return unplaced;
}

/** Whom the sources forbid is closed for that, in the same turn. */
function checkTurnedAway({ closedBy, sources }: World): void {
	if (i32(closedBy, LIMIT_IP) !== sources.tooMany)
		violated(
			`${sources.tooMany} addresses had too many, and ${i32(closedBy, LIMIT_IP)} sessions ended for it`,
		);
	if (i32(closedBy, LIMIT_RATE) < sources.tooFast)
		violated(
			`${sources.tooFast} addresses came too fast, and ${i32(closedBy, LIMIT_RATE)} sessions ended so`,
		);
}

function limitOf(core: Core, listener: number): number {
	return core.listeners.get(listener)?.plan.connections ?? UNLIMITED;
}

/** The address that a session is counted for, and that its record names, is its client's, or whom that one named. */
export function checkSource(world: World, slot: number, client: SimulatedSocket): void {
	const { table } = world.reactor.core;
	const hasHeader = client.ownLine !== undefined || (i32(table.flags, slot) & PROXY_READ) !== 0;
	const { family, unmapped } = (hasHeader ? client.named : undefined) ?? client.address;
	if (u8(table.family, slot) !== family) violated(`row ${slot} has an address of another family`);
	for (let i = 0; i < unmapped.length; i++)
		if (u8(table.source, slot * 16 + i) !== unmapped[i]) violated(`row ${slot} has another client's address`);
	if (u16(table.sourcePort, slot) !== (hasHeader && client.namedPort >= 0 ? client.namedPort : client.port))
		violated(`row ${slot} has another client's port`);
	const place = ref(table.sourcePlace, slot);
	if (place !== NONE && world.sources.tenants[place]?.key !== sourceKey(family, unmapped, 0))
		violated(`row ${slot} is counted for another client's address`);
}
