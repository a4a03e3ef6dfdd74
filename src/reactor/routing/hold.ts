/** Which deadlines hold for a session: its listener's, and once it is routed those of its route. */

import { IPPROTO_TCP, TCP_USER_TIMEOUT } from "../../kernel/constants.js";
import { i32, u16, u32 } from "../../parts/at.js";
import { KIND, SOCKET } from "../table/fields.js";
import type { Session } from "../table/numbers.js";
import { stamp } from "../table/times.js";
import { nextLook, stallDeadline } from "../wire/liveness.js";
import { setPace, settlePace } from "../wire/pace.js";
import type { RoutingContext } from "./context.js";

/** A route's policy: the listener's. */
export const LISTENERS = -1;

/**
 * Those of the route that it has taken hold from now on; LISTENERS: those that it began with. False: the route has as many
 * sessions as it may, and nothing is changed.
 */
export function holdTo(core: RoutingContext, session: Session, policy: number): boolean {
	const { table, policies, wheel } = core;
	const before = u16(table.policy, session);
	const now = policy === LISTENERS ? u16(table.ownPolicy, session) : policy;
	if (now === before) return true;
	if (!policies.enter(now)) return false;
	settlePace(core, session);
	policies.leave(before);
	table.policy[session] = now;
	setPace(core, session, policies.of(now).rates !== null);
	// It may have taken nothing for longer than the new `stall` allows, and rightly so: that one begins now.
	if (u32(table.since, session) !== 0) table.since[session] = stamp(core.nowMs);
	// What is armed already was due by the deadlines of before: a stall, and when it is looked for, may come sooner now.
	const dueMs = Math.min(stallDeadline(core, session), nextLook(core, session));
	if (dueMs < wheel.deadlineOf(session)) wheel.arm(session, dueMs);
	if ((i32(table.flags, session) & KIND) !== SOCKET) return true;
	const { userTimeoutMs } = policies.of(now);
	// Inherited from the listening socket: the kernel must not give up a client that may stall for longer.
	if (userTimeoutMs !== policies.of(before).userTimeoutMs)
		core.kernel.setOption(i32(table.fd, session), IPPROTO_TCP, TCP_USER_TIMEOUT, userTimeoutMs);
	return true;
}
