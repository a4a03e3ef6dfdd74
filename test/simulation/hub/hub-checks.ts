/** What must hold of the hub's mode after every turn, at rest, and at the end. */
import { f64, i32, ref, u8 } from "../../../src/parts/at.js";
import { NONE } from "../../../src/parts/none.js";
import { ASKED_MAX } from "../../../src/reactor/modes/hub/columns.js";
import { BLOCKED } from "../../../src/reactor/table/marks.js";
import type { Session } from "../../../src/reactor/table/numbers.js";
import { FREE, HUB } from "../../../src/reactor/table/states.js";
import { violated } from "../trace.js";
import type { HubClient } from "./hub-client.js";
import { checkDeadlines } from "./hub-endings.js";
import type { HubReactor } from "./hub-reactor.js";
import type { HubWorld } from "./hub-world.js";

export function checkHubTurn(world: HubWorld, { reactor, sessions, index }: HubReactor): void {
	const { core } = reactor;
	const { hub, table, hubColumns } = core;
	if (hub === null) return;
	let blocked = 0;
	let subscriptions = 0;
	let outbox = 0;
	let incoming = 0;
	for (let row = 0 as Session; row < sessions; row++) {
		const state = u8(table.state, row);
		if (state !== HUB) {
			if (hub.leftovers.has(row) || hub.incoming.has(row))
				violated(`row ${row} is no subscriber, and something is kept for it`);
			if (ref(hubColumns.first, row) !== NONE) violated(`row ${row} is no subscriber, and has subscriptions`);
			if (state !== FREE) continue;
			if (
				u8(hubColumns.speaks, row) !== 0 ||
				u8(hubColumns.asked, row) !== 0 ||
				f64(hubColumns.paceDueMs, row) !== 0
			)
				violated(`row ${row} is free, and the hub keeps something of whoever had it`);
			continue;
		}
		const isBlocked = (i32(table.flags, row) & BLOCKED) !== 0;
		if (isBlocked) blocked++;
		const leftover = hub.leftovers.get(row);
		if (leftover !== undefined) {
			const bytes = leftover.bytes.length - leftover.start;
			outbox += bytes;
			if (!isBlocked) violated(`row ${row} takes bytes, and ${bytes} are kept for it`);
			if (bytes > hub.log.encodedMax + SAID_MAX_BYTES) violated(`${bytes} bytes are kept for row ${row}`);
		}
		const partly = hub.incoming.get(row);
		if (partly !== undefined) incoming += partly.bytes.length + partly.fragmentBytes;
		for (
			let each: number = ref(hubColumns.first, row);
			each !== NONE;
			each = i32(hub.subscriptions.nextOfSession, each)
		) {
			subscriptions++;
			if (i32(hub.subscriptions.session, each) !== row) violated(`subscription ${each} is in another's list`);
			if (!hub.channels.has(i32(hub.subscriptions.channel, each)))
				violated(`subscription ${each} is to no channel`);
		}
	}
	let listed = 0;
	for (const channel of hub.channels.values()) {
		let count = 0;
		let before: number = NONE;
		for (let each: number = channel.first; each !== NONE; each = i32(hub.subscriptions.next, each)) {
			count++;
			if (i32(hub.subscriptions.previous, each) !== before)
				violated(`channel ${channel.name} has a list that is torn`);
			if (i32(hub.subscriptions.channel, each) !== channel.number)
				violated(`subscription ${each} is in another channel's list`);
			before = each;
		}
		if (count !== channel.count || count === 0)
			violated(`channel ${channel.name} counts ${channel.count}, and has ${count}`);
		listed += count;
	}
	const figures = world.main.hub.figures[index] ?? violated("a reactor has no figures");
	let counted = 0;
	for (let rule = 0; rule < 8; rule++) counted += figures.ofRule(rule, "subscribers");
	if (listed !== subscriptions || hub.subscriptions.count !== subscriptions || counted !== subscriptions)
		violated(
			`${subscriptions} subscriptions are there, ${listed} listed, ${hub.subscriptions.count} taken and ${counted} counted`,
		);
	if (figures.get("blocked") !== blocked)
		violated(`${blocked} take nothing, and ${figures.get("blocked")} are counted`);
	if (figures.get("outboxBytes") !== outbox)
		violated(`${outbox} bytes are kept, and ${figures.get("outboxBytes")} counted`);
	if (figures.get("incomingBytes") !== incoming)
		violated(`${incoming} bytes have come in part, and ${figures.get("incomingBytes")} are counted`);
}

/** Answers and pongs behind a message. */
const SAID_MAX_BYTES = 64 * 1024;

/** Nothing happens, and the clock stands still: nobody waits for what is there. */
export function checkHubSettled(world: HubWorld, reactor: HubReactor): void {
	for (const client of world.clients.values()) {
		if (client.reactor !== reactor.index || !client.socket.registered) continue;
		checkClient(world, reactor, client);
		checkDeadlines(world, reactor, client);
	}
}

function checkClient(world: HubWorld, { reactor, sights }: HubReactor, client: HubClient): void {
	const { core } = reactor;
	const { table, hub, hubColumns } = core;
	const { socket } = client;
	const row = socket.slot as Session;
	if (hub === null || u8(table.state, row) !== HUB) return;
	if (socket.dead) violated(`client ${socket.fd} is gone, and nobody heard`);
	const isBlocked = (i32(table.flags, row) & BLOCKED) !== 0;
	if (u8(hubColumns.asked, row) !== 0) violated(`client ${socket.fd} waits for an answer`);
	if (u8(hubColumns.asked, row) < ASKED_MAX && socket.available > 0 && socket.writable)
		violated(
			`client ${socket.fd} has said something, and nobody reads it ${JSON.stringify([socket.available, socket.taken, socket.lowWater, socket.urgentAt, client.nature])}`,
		);
	if (isBlocked) {
		if (socket.writable)
			violated(
				`client ${socket.fd} takes bytes again, and is sent none: ${JSON.stringify({ q: socket.queued, c: socket.capacity, w: socket.wantsRoom, i: socket.interest, n: client.nature, l: hub.leftovers.get(row)?.bytes.length, p: socket.secured?.pendingLeft })}`,
			);
		return;
	}
	for (const { isQuiet, end, ...request } of client.requests)
		if (!isQuiet && end <= socket.taken)
			violated(`client ${socket.fd} has asked, and is not answered: ${JSON.stringify(request)}`);
	const when = {
		...{ sights, from: sights.last, to: sights.last },
		...{ fromMs: world.nowMs, untilMs: world.nowMs, turn: sights.last },
		...{ shorts: client.shorts, mayBeOlder: true },
	};
	for (const following of client.following.values())
		if (following.paceMs(world.nowMs) === 0 && !following.isLevel(when))
			violated(
				`client ${socket.fd} takes bytes, and is not sent what there is of ${following.channel.name}: ${JSON.stringify(following.places)}`,
			);
}

export function checkHubEnd(world: HubWorld, { reactor, kernel, index, hasMessages }: HubReactor): void {
	const { core } = reactor;
	const { hub } = core;
	if (kernel.openClients > 0) violated(`${kernel.openClients} clients are open at the end`);
	if (core.table.clients > 0) violated(`${core.table.clients} rows are in use at the end`);
	if (hub === null) return;
	if (hub.leftovers.size + hub.incoming.size + hub.verdicts.size + hub.channels.size > 0)
		violated("something is kept at the end");
	if (core.budget.room !== world.bufferedBytes)
		violated(`${world.bufferedBytes - core.budget.room} bytes are held at the end`);
	// Orders that were behind its stop it has not heard of.
	if (hasMessages) return;
	const { subscribers, hub: main } = world.main;
	for (const channel of main.channelsThere) {
		if ((channel.subscribers[index] ?? 0) !== 0)
			violated(
				`channel ${channel.name} counts ${channel.subscribers[index]} subscribers of reactor ${index} when all have left`,
			);
		if (channel.who.size > 0) violated(`channel ${channel.name} names somebody when all have left`);
	}
	if (subscribers.count > 0)
		violated(`the main thread keeps ${subscribers.count} members when all have left`);
}
