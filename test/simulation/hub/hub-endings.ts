/** Why a client's session may end, from what has happened to it; and that it does when it has to. */
import { i32, u8 } from "../../../src/parts/at.js";
import { REASONS } from "../../../src/parts/reasons.js";
import { TICK_MS } from "../../../src/parts/wheel.js";
import { BLOCKED } from "../../../src/reactor/table/marks.js";
import type { Session } from "../../../src/reactor/table/numbers.js";
import { HUB } from "../../../src/reactor/table/states.js";
import { violated } from "../trace.js";
import type { HubClient } from "./hub-client.js";
import type { HubReactor } from "./hub-reactor.js";
import type { HubWorld } from "./hub-world.js";

/** Reasons are told by their names. */
type Reason = (typeof REASONS)[number];

/** A deadline is acted upon with the tick of the wheel behind it, and stamps are rounded up. */
const SLACK_MS = TICK_MS + 2;
/** How often one that takes nothing is looked at. */
const LOOK_MS = 250;
/** A session whose memory is the reactor's to give has more than this, in any run. */
const PLENTY_BYTES = 1 << 20;

/** The session of a client is closed. */
export function checkEnding(world: HubWorld, reactor: HubReactor, client: HubClient, index: number): void {
	const reason = REASONS[index] as Reason; // of the same list
	const wrong = (): never => violated(`a client of the hub ends with ${reason}, for which there is no cause`);
	switch (reason) {
		case "internal":
			wrong();
			return;
		case "bad_request":
			if (!client.isAtFault && !client.isMisread && client.phase === "subscribes") wrong();
			return;
		case "memory_pressure":
			if (!mayLackMemory(world, reactor)) wrong();
			return;
		case "stall_timeout":
			if (world.nowMs - lastTakenMs(client) < world.policy.stallMs) wrong();
			return;
		case "keepalive_lost":
			if (!client.socket.dead && world.nowMs - client.readMs < leastDeadMs(world) - SLACK_MS) wrong();
			return;
		case "outbox_full":
			// It was told, and is closed later.
			if (client.closeCode !== undefined) return;
			if (![...client.following.values()].some((each) => each.mayOverflow(client.whenNow()))) wrong();
			return;
		case "lifetime":
			if (world.policy.lifetimeMs === 0) wrong();
			return;
		case "operator":
			if (!world.mayClose) wrong();
	}
}

/** What its kernel has refused, or what all clients of this reactor hold together. */
function mayLackMemory({ bufferedBytes }: HubWorld, { kernel, refusedBefore }: HubReactor): boolean {
	return kernel.refused > refusedBefore || kernel.lacksMemory || bufferedBytes < PLENTY_BYTES;
}

/** When it has acknowledged something last, or has begun to have something to acknowledge. */
function lastTakenMs({ socket, acceptedMs }: HubClient): number {
	return Math.max(socket.acknowledgedMs, acceptedMs);
}

function leastDeadMs({ configs }: HubWorld): number {
	return configs.reduce((least, { deadAfterMs }) => Math.min(least, deadAfterMs), Number.POSITIVE_INFINITY);
}

/** All deadlines that have passed have been acted upon: nobody is there whose time is over, or who was to hear something. */
export function checkDeadlines(world: HubWorld, { reactor }: HubReactor, client: HubClient): void {
	const { table } = reactor.core;
	const row = client.socket.slot as Session;
	if (u8(table.state, row) !== HUB) return;
	const { policy, nowMs, configs } = world;
	const { socket } = client;
	const isBlocked = (i32(table.flags, row) & BLOCKED) !== 0;
	const longest = (of: "heartbeatMs" | "deadAfterMs"): number =>
		configs.reduce((most, config) => Math.max(most, config[of]), 0) + SLACK_MS;
	const quietMs = nowMs - Math.max(client.toldMs, client.subscriberMs);
	if (!isBlocked && quietMs > longest("heartbeatMs"))
		violated(
			`client ${client.socket.fd} was sent nothing for ${quietMs} ms, and no heartbeat: ${JSON.stringify([nowMs, client.toldMs, client.subscriberMs, longest("heartbeatMs"), table.activeMs(row, nowMs), reactor.core.wheel.deadlineOf(row), client.nature, client.closeCode])}`,
		);
	const silentMs = nowMs - Math.max(client.readMs, client.subscriberMs);
	if (client.nature.protocol !== "events" && silentMs > longest("deadAfterMs"))
		violated(
			`client ${client.socket.fd} has been silent for ${silentMs} ms, and is still there: ${JSON.stringify([nowMs, client.toldMs, client.readMs, client.subscriberMs, socket.acknowledgedMs, socket.queuedSinceMs, socket.queued, policy.stallMs, isBlocked, reactor.core.wheel.deadlineOf(row), client.nature])}`,
		);
	const sinceMs = Math.max(
		...[socket.acknowledgedMs, socket.queuedSinceMs, client.toldMs, client.blockedMs],
		leaptMs(world, policy.stallMs / 4),
	);
	// It is looked at every quarter of the time that it has, and from the first look on that time counts.
	const mostMs = policy.stallMs * 1.75 + 2 * LOOK_MS + 2 * SLACK_MS;
	// What TLS has said for itself nobody looks after.
	const isTold = client.toldMs >= client.subscriberMs;
	if ((isBlocked || (isTold && socket.queued > 0)) && nowMs - sinceMs > mostMs)
		violated(
			`client ${socket.fd} has taken nothing for ${nowMs - sinceMs} ms, and is still there: ${JSON.stringify([nowMs, client.toldMs, client.readMs, client.subscriberMs, socket.acknowledgedMs, socket.queuedSinceMs, socket.queued, policy.stallMs, isBlocked, reactor.core.wheel.deadlineOf(row), client.nature])}`,
		);
}

const clocks = new WeakMap<HubWorld, { nowMs: number; leaptMs: number }>();

/** When the clock has leapt last, by more than `stepMs`: nobody could be looked at meanwhile, and looks begin anew. */
function leaptMs(world: HubWorld, stepMs: number): number {
	const { nowMs } = world;
	const clock = clocks.get(world) ?? { nowMs, leaptMs: 0 };
	if (nowMs - clock.nowMs > stepMs) clock.leaptMs = nowMs;
	clock.nowMs = nowMs;
	clocks.set(world, clock);
	return clock.leaptMs;
}
