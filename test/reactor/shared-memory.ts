/** The memory that a single reactor shares with a test, which plays the main thread. */

import { SharedIds } from "../../src/reactor/datagrams/shared-ids.js";
import { strayBytes } from "../../src/reactor/datagrams/strays.js";
import { Loops } from "../../src/reactor/links/loops.js";
import { pipeEndsBytes } from "../../src/reactor/memory/pipes.js";
import type { SharedByAll, SharedWithMain } from "../../src/reactor/plan/plan.js";
import { Counters } from "../../src/reactor/records/counters.js";
import { Journal } from "../../src/reactor/records/journal.js";
import { Owners } from "../../src/reactor/records/owners.js";
import { LIVE_BYTES } from "../../src/reactor/records/places.js";
import { Rates } from "../../src/reactor/records/rates.js";
import { Sources } from "../../src/reactor/records/sources.js";
import { rowsOf } from "../../src/reactor/rows.js";
import { Board } from "../../src/upstream/board.js";

export interface SharedMemory {
	readonly counters: Counters;
	readonly journal: Journal;
	readonly board: Board;
	readonly owners: Owners;
	readonly sources: Sources;
	readonly live: Int32Array;
	readonly pipeEnds: Int32Array;
	/** What a reactor's options want of it. */
	readonly options: SharedByAll & SharedWithMain;
}

export function sharedMemory(
	sessions: number,
	pipes: number,
	places = 1_024,
	descriptors = 65_536,
): SharedMemory {
	const counters = new Counters();
	const journal = new Journal();
	const board = new Board();
	const owners = new Owners(descriptors);
	const sources = new Sources(places);
	const live = new SharedArrayBuffer(LIVE_BYTES);
	const pipeEnds = new SharedArrayBuffer(pipeEndsBytes(pipes));
	return {
		counters,
		journal,
		board,
		owners,
		sources,
		live: new Int32Array(live),
		pipeEnds: new Int32Array(pipeEnds),
		options: {
			counters: counters.buffer,
			journal: journal.buffer,
			board: board.buffer,
			live,
			sources: { places, buffer: sources.buffer },
			rates: new Rates().buffer,
			owners: { limit: descriptors, buffer: owners.buffer },
			loops: new Loops(0).buffer,
			connectionIds: new SharedIds(sessions).buffer,
			strays: new SharedArrayBuffer(strayBytes(2)),
			table: rowsOf(sessions).table.buffer,
			pipeEnds,
		},
	};
}
