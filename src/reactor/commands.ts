/**
 * What the main thread asks, carried out one after the other and in pieces: a reload of fifty thousand routes, or a drain of
 * nine thousand sessions, must not make a small request wait for all of it.
 */

import { f64, u8 } from "../parts/at.js";
import { type Pieces, worth } from "../route/pieces.js";
import { giveUp } from "./admission/accept.js";
import { restListener, retire } from "./admission/listeners.js";
import { measureSockets, shedMemory, shedShare } from "./admission/shed.js";
import { applyPlan, replaceUpstream } from "./apply.js";
import type { Core } from "./core.js";
import { heldNumbers } from "./held.js";
import { sendCanary } from "./lines/canary.js";
import { sendElsewhere } from "./lines/elsewhere.js";
import { giveLine, takeLine } from "./lines/move.js";
import { serve, takeVerdict } from "./lines/park.js";
import { closeLink } from "./links/close-link.js";
import { closePool } from "./links/pool.js";
import { letGo } from "./modes/http1/finish.js";
import { closeForOperator, sendAway } from "./modes/hub/farewell.js";
import { carryOut } from "./modes/hub/orders.js";
import { closeOwnLines, openOwnLine } from "./own-lines/open.js";
import type { ListenerPlan, Plan, PlanPart, ReactorCommand } from "./plan/plan.js";
import { BANNED, DRAINED, FD_PRESSURE, OPERATOR } from "./records/reasons.js";
import { end } from "./table/next.js";
import type { Session } from "./table/numbers.js";
import { FREE, HUB, REQUEST } from "./table/states.js";

/** Measured: half a millisecond to two, as the machine is busy. News waits behind it no longer than behind a few dozen relayed requests. */
export const PIECES_PER_TURN = 8;

/** Of these, what a command has although room is being made: half. */
const COMMAND_PIECES_MIN = PIECES_PER_TURN / 2;

/** Rows that are looked at in a piece. */
const ROWS_PER_PIECE = 2_048;

/** A message with a part of a plan, taken from its port and read. */
const PART_PIECES = 10;

/** Of no listener in particular. */
const ALL = -1;

export class Commands {
	readonly #core: Core;
	readonly #take: () => ReactorCommand | undefined;
	/** The command that is being carried out. */
	#running: Pieces | undefined;
	#mayHaveMore = false;
	/** Of the plan that comes. */
	#parts: PlanPart[] = [];
	#stopped = false;
	#isAtWork = false;
	#isMakingRoom = false;

	/** `take`: the next command, if there is one. */
	constructor(core: Core, take: () => ReactorCommand | undefined) {
		this.#core = core;
		this.#take = take;
	}

	/** There is something to do in the next turn. */
	get pending(): boolean {
		return this.#mayHaveMore || this.#running !== undefined || this.#core.room.work !== undefined;
	}

	/** A `stop` has been carried out. */
	get stopped(): boolean {
		return this.#stopped;
	}

	/** Commands may have come. */
	told(): void {
		this.#mayHaveMore = true;
	}

	/** A piece of a command, or of what makes room, is being done. */
	get isAtWork(): boolean {
		return this.#isAtWork;
	}

	/** It is a piece of what makes room. */
	get isMakingRoom(): boolean {
		return this.#isMakingRoom;
	}

	/** Does a turn's share. */
	run(): void {
		this.#isAtWork = true;
		this.#run();
		this.#isAtWork = false;
	}

	#run(): void {
		let left = PIECES_PER_TURN;
		const { room } = this.#core;
		// Clients wait for the room that is being made; in a flood they always do, so a command keeps a part of the pieces.
		const kept = this.#mayHaveMore || this.#running !== undefined ? COMMAND_PIECES_MIN : 0;
		this.#isMakingRoom = true;
		for (; room.work !== undefined && left > kept; left--)
			if (room.work.next().done === true) room.work = undefined;
		this.#isMakingRoom = false;
		// Behind a `stop` nothing is done, and nothing told.
		while (left > 0 && !this.#stopped) {
			if (this.#running === undefined) {
				const command = this.#take();
				this.#mayHaveMore = command !== undefined;
				if (command === undefined) return;
				left--;
				this.#running = this.#carryOut(command);
			}
			if (this.#running.next().done === true) this.#running = undefined;
			else left--;
		}
	}

	*#carryOut(command: ReactorCommand): Pieces {
		const core = this.#core;
		switch (command.kind) {
			case "part":
				this.#parts.push(command.part);
				return yield* worth(PART_PIECES);
			case "openLines":
				for (const order of command.lines) {
					openOwnLine(core, command.listener, command.gateway, order);
					yield;
				}
				return undefined;
			case "closeLines":
				return closeOwnLines(core, command.listener);
			case "line":
				return takeVerdict(core, command);
			case "giveLine":
				return giveLine(core, command.address, command.to);
			case "serveLine":
				return serve(core, command.address, command.tunnel);
			case "sendElsewhere":
				return yield* sendElsewhere(core, command.address);
			case "canary":
				return sendCanary(core, command.address, command.deadMs);
			case "takeLine":
				return takeLine(core, command.line);
			case "plan": {
				const parts = this.#parts;
				this.#parts = [];
				return yield* applyPlan(core, yield* joined(command.plan, parts));
			}
			case "upstream":
				return yield* replaceUpstream(core, command.upstream);
			case "ticketKeys":
				return core.certificates.useTicketKeys(command.keys);
			case "makeRoom":
				return yield* shedShare(core, FD_PRESSURE, command.unrecognizedOnly);
			case "shedMemory":
				return yield* shedMemory(core, command.bytes);
			case "live":
				return core.notify({ kind: "lives" });
			case "measure":
				yield* measureSockets(core);
				return core.notify({ kind: "measured" });
			case "held":
				return core.notify({ kind: "held", numbers: yield* heldNumbers(core) });
			case "close":
				return yield* closeSessions(core, command.rows, command.numbers, command.reason ?? OPERATOR);
			case "hub":
				return core.useHub(command.memory, command.settings);
			case "hubOrders":
				return yield* carryOut(core, command.orders);
			case "bans":
				core.bans.use(command.bans);
				return yield* closeBanned(core);
			case "rest":
				return restListener(core, command.listener, command.rests);
			case "drain":
				return yield* drain(core);
			case "stop":
				yield* stop(core);
				this.#stopped = true;
				core.notify({ kind: "stopped" });
		}
	}
}

/** A plan with the parts that came before it. */
function* joined(plan: Plan, parts: readonly PlanPart[]): Pieces<Plan> {
	if (parts.length === 0) return plan;
	const listeners: ListenerPlan[] = [];
	for (const listener of plan.listeners) {
		const routes = [...listener.routes];
		const tls = [...listener.tls];
		for (const part of parts) {
			if (part.listener !== listener.slot) continue;
			routes.push(...part.routes);
			tls.push(...part.tls);
			yield;
		}
		listeners.push({ ...listener, routes, tls });
	}
	return {
		...plan,
		listeners,
		upstreams: [...parts.flatMap(({ upstreams }) => upstreams), ...plan.upstreams],
	};
}

function* closeSessions(core: Core, rows: Int32Array, numbers: Float64Array, reason: number): Pieces {
	const { table } = core;
	for (const [index, row] of rows.entries()) {
		if (row < 0 || row >= table.sessions) continue;
		const session = row as Session;
		// It may have ended meanwhile, and another may have come.
		if (u8(table.state, session) === FREE || f64(table.number, session) !== f64(numbers, index)) continue;
		const isToldWhy = reason === OPERATOR && u8(table.state, session) === HUB;
		core.go(session, isToldWhy ? closeForOperator(core, session) : end(reason));
		yield;
	}
}

/** From here on none of them is let in, so that whoever is not found here is not there. */
function* closeBanned(core: Core): Pieces {
	const { table, bans } = core;
	for (let slot = 0 as Session; slot < table.sessions; slot++) {
		if (slot % ROWS_PER_PIECE === ROWS_PER_PIECE - 1) yield;
		if (u8(table.state, slot) === FREE) continue;
		if (!bans.forbid(u8(table.family, slot), table.source, slot * 16, core.nowMs)) continue;
		core.go(slot, end(BANNED));
		yield;
	}
}

function* drain(core: Core): Pieces {
	const { table } = core;
	for (const listener of [...core.listeners.values()]) yield* giveUp(core, listener);
	core.draining = true;
	closeOwnLines(core, ALL);
	yield* closePool(core);
	for (let slot = 0 as Session; slot < table.sessions; slot++) {
		if (slot % ROWS_PER_PIECE === ROWS_PER_PIECE - 1) yield;
		const state = u8(table.state, slot);
		if (state !== REQUEST && state !== HUB) continue;
		core.go(slot, state === HUB ? sendAway(core, slot) : letGo(core, slot));
		yield;
	}
	core.notify({ kind: "listenersClosed" });
	if (table.clients === 0) core.notify({ kind: "drained" });
}

function* stop(core: Core): Pieces {
	const { table } = core;
	// No client is let in any more.
	for (const listener of [...core.listeners.values()]) {
		// One for datagrams goes on being read.
		listener.givenUp = true;
		retire(core, listener);
	}
	core.draining = false; // "drained" has been said, or is no longer waited for
	for (let slot = 0 as Session; slot < table.sessions; slot++) {
		if (slot % ROWS_PER_PIECE === ROWS_PER_PIECE - 1) yield;
		if (u8(table.state, slot) === FREE) continue;
		core.go(slot, end(DRAINED));
		yield;
	}
	for (const link of [...core.unproved]) closeLink(core, link);
	closeOwnLines(core, ALL);
	// Exchanges that ended meanwhile have given their connections back.
	yield* closePool(core);
	core.pipes.closeIdle();
	core.gatewayContexts.dispose();
	core.certificates.dispose();
	core.publish();
}
