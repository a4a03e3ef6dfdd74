/** All that stands behind a reactor in a run with completions. */

import type { Engine, EngineRows } from "../../../src/reactor/wire/engine.js";
import type { Random } from "../../../src/rig/random.js";
import type { Role, SimulatedSocket } from "../descriptors.js";
import type { Faults, Mutant } from "../faults.js";
import type { SimulatedKernel } from "../simulated-kernel.js";
import type { Witness } from "../simulated-network.js";
import { type Trace, violated } from "../trace.js";
import { CompletionEngine } from "./completion-engine.js";
import { SimulatedRing } from "./ring.js";
import { WatchedEngine } from "./watched-engine.js";

/** Waits that operations may take which were under way at the end. */
const LAST_WAITS = 1_000;

export class Completions {
	readonly #ring: SimulatedRing;
	readonly #engine: CompletionEngine;
	readonly #watched: WatchedEngine;

	constructor(
		kernel: SimulatedKernel,
		random: Random,
		trace: Trace,
		rows: EngineRows,
		witness: Witness,
		mutant: Mutant,
	) {
		// None at all is allowed, too: then it is a readiness engine.
		const receiveBuffers = random.pick([0, 1, 2, 8, 64]);
		const sendBuffers = random.pick([0, 1, 2, 8, 64]);
		const bufferBytes = random.pick([4_096, 16_384]);
		const memory = new Uint8Array((receiveBuffers + sendBuffers) * bufferBytes);
		this.#ring = new SimulatedRing(kernel, random, trace, memory, bufferBytes);
		this.#engine = new CompletionEngine(kernel, this.#ring, rows, receiveBuffers, sendBuffers, mutant);
		this.#watched = new WatchedEngine(this.#engine, rows, kernel, witness);
	}

	get engine(): Engine {
		return this.#watched;
	}

	set faults(faults: Faults) {
		this.#ring.faults = faults;
	}

	get hasNews(): boolean {
		return this.#engine.readiness.hasNews;
	}

	/** Descriptors that the reactor has closed, and that are open while something is under way. */
	closing(role: Role): number {
		return this.#watched.closing(role);
	}

	/** What is said to be held for a socket; of one that is closed, what was said last. */
	memoryOf(socket: SimulatedSocket): number {
		return socket.registered ? this.#engine.socketMemory(socket.slot) : this.#watched.measuredLast(socket);
	}

	/** The same for all sockets that have rows. */
	get socketBytes(): number {
		return this.#watched.socketBytes;
	}

	/** After each turn. */
	check(): void {
		this.#engine.checkBuffers();
		this.#watched.checkHeld(this.#ring.bufferBytes);
	}

	/** The reactor waits no more: what was under way ends, and nothing is left. */
	checkEnd(): void {
		for (let waits = 0; this.#engine.closing > 0; waits++) {
			if (waits > LAST_WAITS) violated(`${this.#engine.closing} descriptors are left open`);
			this.#engine.readiness.wait(0);
		}
		if (this.#ring.underWay > 0) violated(`${this.#ring.underWay} operations are under way for nobody`);
		this.#engine.checkBuffers();
	}
}
