/** The rows of a reactor, and what is the same for all of them. */

import type { Wheel } from "../../parts/wheel.js";
import type { Policy } from "../plan/plan.js";
import type { Policies } from "../plan/policies.js";
import type { Session } from "./numbers.js";
import type { Table } from "./table.js";
import type { TurnQueue } from "./turn-queue.js";

export interface TableContext {
	readonly table: Table;
	readonly wheel: Wheel;
	/** Connections that wait for another turn. */
	readonly queue: TurnQueue;
	/** The clock as of this turn. */
	readonly nowMs: number;
	/** The number of the last wait for news: a turn hears all that one reported, or a part of it. */
	readonly wait: number;

	/** Deadlines and options by their numbers, which sessions carry. */
	readonly policies: Policies;
	policyOf(session: Session): Policy;

	// What does not fit a row, by session; most sessions have nothing here.
	/** PROXY headers that were taken off their streams: some upstream may have to be told. */
	readonly proxyHeaders: Map<number, Uint8Array>;
	/** Why TLS failed, the client's or an upstream's, in the library's words. */
	readonly tlsFailures: Map<number, string>;
}
