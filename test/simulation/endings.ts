/** Each session that ends has one record, and its reason agrees with what happened. */
import { at } from "../../src/reactor/at.js";
import { LIVE_LISTENERS, LIVE_SESSIONS } from "../../src/reactor/core.js";
import type { SessionRecord } from "../../src/reactor/journal.js";
import {
	CLIENT_CLOSED,
	CLIENT_RESET,
	HALF_CLOSED_TIMEOUT,
	HANDSHAKE_TIMEOUT,
	IDLE_TIMEOUT,
	INTERNAL,
	KEEPALIVE_LOST,
	LIFETIME,
	LIMIT_CONNECTIONS,
	LIMIT_IP,
	LIMIT_RATE,
	REASONS,
	UPSTREAM_CLOSED,
	UPSTREAM_RESET,
} from "../../src/reactor/reasons.js";
import { checkSource } from "./admission.js";
import type { SimulatedSocket } from "./descriptors.js";
import { heldFor } from "./onlooker.js";
import { checkShed, isPressure } from "./shedding.js";
import { violated } from "./trace.js";
import type { World } from "./world.js";

/** A client's socket is closed; its row is still as it was. */
export function checkClosed(world: World, client: SimulatedSocket): void {
	const slot = world.owners.of(client.fd)?.slot ?? -1;
	if (world.reactor.core.table.fd[slot] !== client.fd)
		violated(`descriptor ${client.fd} is written down as row ${slot}'s, and is not`);
	let records = 0;
	world.journal.drain((record) => {
		records++;
		world.closedBy[record.reason] = at(world.closedBy, record.reason) + 1;
		checkRecord(record, client);
		checkSource(world, slot, client);
		checkTurnedAway(world, slot, client, record.reason);
		if (isPressure(record.reason)) checkShed(world, slot, client, record.reason);
	});
	if (records !== 1) violated(`a session ended, and has ${records} records`);
	world.sessionsEnded++;
}

/** A limit is a reason only where it is set, and reached. */
function checkTurnedAway(world: World, slot: number, client: SimulatedSocket, reason: number): void {
	const { core } = world.reactor;
	if (reason === LIMIT_CONNECTIONS) {
		const listener = at(core.table.listener, slot);
		// This one itself is counted.
		const all = at(world.live, LIVE_SESSIONS) - 1;
		const mine = at(world.live, LIVE_LISTENERS + listener) - 1;
		const full =
			all >= core.connectionsMax ||
			mine >= core.listenerOf(slot).plan.connections ||
			core.table.clients > world.sessions;
		if (!core.resetsWhenFull || !full) violated("a client was reset although there is room, or it may wait");
	}
	if (reason === LIMIT_RATE && world.sources.tooFast === 0)
		if (!core.resetsWhenFull || world.sources.waitMs === 0)
			violated("a client was reset for coming too fast, and did not, or may wait");
	if (reason === LIMIT_CONNECTIONS || reason === LIMIT_RATE || reason === LIMIT_IP) {
		if (client.sent > 0) violated(`a client was sent something, and then turned away as ${REASONS[reason]}`);
		if (!client.wasReset) violated(`a client was turned away as ${REASONS[reason]} without a reset`);
	}
}

function checkRecord(record: SessionRecord, client: SimulatedSocket): void {
	const { partner, policy } = client;
	const { reason, closedMs } = record;
	const name = REASONS[reason];
	if (reason === INTERNAL) violated("a session ended by a fault of the reactor itself");
	if (record.acceptedMs !== client.acceptedMs)
		violated("the record of another session is in this one's place");
	if (partner !== undefined) checkRelayed(record, client, partner);
	else if (reason === CLIENT_CLOSED && !client.finished && !client.dead)
		violated("a client is said to have closed, and has not");
	if (reason === CLIENT_RESET && !client.dead) violated("a client is said to have reset, and has not");
	if (policy === undefined) return;
	const silentMs = closedMs - client.activeMs;
	const livedMs = closedMs - client.acceptedMs;
	if (
		(reason === IDLE_TIMEOUT && silentMs < policy.idleMs) ||
		(reason === HALF_CLOSED_TIMEOUT && silentMs < policy.halfClosedMs) ||
		(reason === LIFETIME && livedMs < 0.9 * policy.lifetimeMs) ||
		(reason === HANDSHAKE_TIMEOUT && livedMs < policy.handshakeMs)
	)
		violated(`a session ended too early as ${name}: silent for ${silentMs} ms, alive for ${livedMs} ms`);
}

function checkRelayed(record: SessionRecord, client: SimulatedSocket, link: SimulatedSocket): void {
	const { reason } = record;
	const name = REASONS[reason];
	const up = heldFor(link, client);
	const down = heldFor(client, link);
	if (link.headerOutBytes >= 0 && record.bytesFromClient !== link.sent - link.headerOutBytes)
		violated(`the record says ${record.bytesFromClient} bytes came from the client, not ${link.sent}`);
	if (record.bytesToClient !== client.sent)
		violated(`the record says ${record.bytesToClient} bytes went to the client, not ${client.sent}`);
	if ((up > 0 && !link.wasReset) || (down > 0 && !client.wasReset))
		violated(`a stream that was cut (${name}) looks complete`);
	if (reason === CLIENT_CLOSED || reason === UPSTREAM_CLOSED) {
		if (!(client.finished || client.dead) || !(link.finished || link.dead))
			violated(`a session ended as ${name}, and one side had not ended`);
		if (up !== 0 || down !== 0 || client.available > 0 || link.available > 0)
			violated(`a session ended as ${name}, and not all bytes had passed`);
		if (client.wasReset || link.wasReset) violated(`a session ended as ${name}, with a reset`);
	}
	if (reason === UPSTREAM_RESET && !link.dead) violated("an upstream is said to have reset, and has not");
	if (reason === CLIENT_RESET || reason === UPSTREAM_RESET || reason === KEEPALIVE_LOST)
		if (!client.wasReset || !link.wasReset) violated(`a session ended as ${name}, without a reset`);
}
