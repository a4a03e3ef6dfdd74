/** What is checked of datagrams holds for a relay that does right, and does not where the kernel lies to it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AF_INET } from "../../../src/kernel/constants.js";
import { Random } from "../../../src/rig/random.js";
import { CALM, DATAGRAM_KERNEL_MUTANTS, type Mutant } from "../faults.js";
import { ADDRESSES, UPSTREAMS } from "../plans.js";
import { SimulatedKernel } from "../simulated-kernel.js";
import { Trace, Violation } from "../trace.js";
import { BareRelay } from "./bare-relay.js";
import { serverAt } from "./datagram-plans.js";
import { DatagramSide } from "./datagram-side.js";
import { sockaddrOf } from "./endpoints.js";

const TURNS = 600;
const SEEDS = 30;

class Run {
	readonly kernel: SimulatedKernel;
	readonly trace = new Trace();
	readonly sessions = 64;
	waitsDone = 0;
	readonly met = new Map<string, number>();
	readonly side: DatagramSide;

	constructor(seed: number, mutant: Mutant) {
		const random = new Random(seed);
		this.kernel = new SimulatedKernel(random, CALM, this.trace, 4_096, 1_000);
		this.kernel.setMutant(mutant);
		this.side = new DatagramSide(this, random);
		this.kernel.datagrams = this.side.kernel;
	}

	/** Clients are known by their addresses only. */
	knowsIds(): boolean {
		return false;
	}

	clientAt(): undefined {
		return undefined;
	}

	mayMoveTo(): boolean {
		return true;
	}

	isRedialled(): boolean {
		return false;
	}

	sessionsOf(): number {
		return 0;
	}

	meet(what: string): void {
		this.met.set(what, (this.met.get(what) ?? 0) + 1);
	}

	run(): void {
		const { kernel, side } = this;
		const listeners = side.listenerSlots.map((slot) => {
			const plan = side.openListener(slot);
			return { fd: plan?.fd ?? -1, bindsAny: plan?.datagrams?.bindsAny === true };
		});
		const server = serverAt((UPSTREAMS - 1) * ADDRESSES);
		const relay = new BareRelay(kernel, listeners, sockaddrOf(server, AF_INET));
		for (let turn = 0; turn < TURNS; turn++) {
			side.act();
			kernel.nowMs += 1;
			relay.turn();
		}
		side.setCalm(true);
		side.cooperate();
		while (kernel.readiness.hasNews) {
			relay.turn();
			side.cooperate();
		}
		relay.end();
		side.closeListeners(new Set());
		this.waitsDone += 2;
		side.closeLeft();
		assert.equal(kernel.openCount, 0);
		assert.equal(side.kernel.open, 0);
		assert.equal(side.checks.served.size, 0);
	}
}

test("nothing is wrong with a relay that does right, and all that clients do is met", () => {
	const met = new Map<string, number>();
	let relayed = 0;
	let answered = 0;
	for (let seed = 1; seed <= SEEDS; seed++) {
		const run = new Run(seed, "none");
		run.run();
		const { checks } = run.side;
		relayed += checks.relayed;
		answered += checks.answersRelayed;
		assert.ok(checks.relayed <= checks.received && checks.answersRelayed <= checks.answersReceived);
		for (const [what, count] of run.met) met.set(what, (met.get(what) ?? 0) + count);
	}
	assert.ok(relayed > 10_000 && answered > 5_000, `${relayed} and ${answered}`);
	for (const kind of ["plain", "quic", "dtls", "strays"])
		assert.ok((met.get(`sessions of datagrams: ${kind}`) ?? 0) > 50, kind);
});

for (const mutant of DATAGRAM_KERNEL_MUTANTS)
	test(`a relay is told wrong, and that is noticed: ${mutant.replaceAll("_", " ")}`, () => {
		for (let seed = 1; seed <= SEEDS; seed++) {
			try {
				new Run(seed, mutant).run();
			} catch (error) {
				assert.ok(error instanceof Violation, String(error));
				return;
			}
		}
		assert.fail(`${SEEDS} seeds have not noticed it`);
	});
