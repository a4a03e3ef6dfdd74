/** A recording as a run makes it, for tests of what is concluded from one. */
import type { Attempt } from "../../src/drill/messages.js";
import type { Recording } from "../../src/drill/run.js";
import type { Sample } from "../../src/drill/sampler.js";

export function sample(atMs: number, parts: Partial<Sample> = {}): Sample {
	return {
		atMs,
		descriptors: 40,
		residentBytes: 100_000_000,
		cpuMs: atMs / 10,
		acceptQueue: 0,
		tcpMemoryBytes: 1_000_000,
		socketMemoryBytes: null,
		sessions: 0,
		linkSessions: 0,
		ledgerDiscrepancy: null,
		halfHellos: null,
		hubOutboxBytes: null,
		hubBlocked: null,
		machineCpu: { busy: atMs / 100, all: atMs / 5 },
		attackersAlive: 0,
		attackersEnded: 0,
		...parts,
	};
}

/** Calm from 10,000 to 11,000 ms, attack to 13,000, after to 14,000; an attempt each 20 ms that took 1 ms. */
export function recording(parts: Partial<Recording> = {}): Recording {
	return {
		target: { kind: "gateway", label: "gateway", pid: 1, backlog: 4096, acceptQueueLimit: 8192 },
		connections: 100,
		deadlineMs: 5000,
		phases: [
			{ name: "calm", fromMs: 10_000, toMs: 11_000 },
			{ name: "attack", fromMs: 11_000, toMs: 13_000 },
			{ name: "after", fromMs: 13_000, toMs: 14_000 },
		],
		attempts: Array.from({ length: 200 }, (_, index): Attempt => [10_000 + index * 20, 1, null]),
		samples: Array.from({ length: 16 }, (_, index) => sample(10_000 + index * 250)),
		before: sample(9000),
		rest: sample(14_500),
		alive: true,
		assault: {
			attackers: {
				opened: 100,
				established: 100,
				alivePeak: 100,
				ends: { "closed by the target": 100 },
				tookMs: 2000,
				overdueMs: { count: 100, p50: 10, p99: 30, max: 40 },
				faults: [],
			},
			measures: {},
			notRun: [],
		},
		group: null,
		closedByReason: { handshake_timeout: 100 },
		errors: [],
		lastWords: null,
		...parts,
	};
}
