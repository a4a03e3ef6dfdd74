import { setTimeout as sleep } from "node:timers/promises";
import { type Assault, type AssaultReport, Attackers, type Scene } from "../assault.js";
import type { Attack } from "../attack.js";
import type { Drill, Threshold } from "../drill.js";
import { listenQueue } from "../kernel-tables.js";
import { isCompared } from "../target.js";
import { GOOD_CLIENT_SERVED, NOTHING_LEFT } from "../thresholds.js";
import { sayings, toBase64 } from "../traffic.js";
import { clientsOfNobody } from "../unaccepted.js";

/** Backlog of the listener from which nobody accepts: of 200 clients, 128. */
const BACKLOG_SHARE = 128 / 200;

/** Time after the last of them in which the gateway's queue must be empty. */
const DRAINED_AFTER_MS = 1000;
/** Looks at the queue until it is found empty. */
const LOOKS = 20;
const LOOK_EVERY_MS = 25;

const KERNEL: readonly Threshold[] = [
	{
		measure: "kernel.establishedBeyondBacklog",
		title: "nobody accepts: connections established beyond the backlog",
		unit: "count",
		bound: { exactly: 1 },
		optional: true,
	},
	{
		measure: "kernel.neitherWaitingNorRetrying",
		title: "nobody accepts: clients that neither wait in the queue nor retry",
		unit: "count",
		bound: { exactly: 0 },
		optional: true,
	},
	{
		measure: "kernel.refused",
		title: "nobody accepts: clients refused or reset",
		unit: "count",
		bound: { exactly: 0 },
		optional: true,
	},
	{
		measure: "kernel.overflowsPerRetrier",
		title: "nobody accepts: overflows counted for each client that retries",
		unit: "count",
		bound: { atLeast: 1 },
		optional: true,
	},
];

const TARGET: readonly Threshold[] = [
	{
		measure: "waiting",
		title: "through the target: clients left in the accept queue",
		unit: "count",
		bound: { exactly: 0 },
	},
	{
		measure: "unestablished",
		title: "through the target: clients that could not connect",
		unit: "count",
		bound: { exactly: 0 },
	},
];

/**
 * First without a gateway: what this kernel does with clients whom nobody accepts. Then the same clients through
 * the target, to an upstream that never answers: nobody waits at the door, because accepting waits for no handler.
 */
export const acceptQueueDrill: Drill = {
	name: "accept-queue",
	summary: "what this kernel does when nobody accepts, and that the target always does",
	defaults: { connections: 200, seconds: 4 },
	ending: "attackers",
	thresholds: [...KERNEL, ...TARGET, ...GOOD_CLIENT_SERVED, ...NOTHING_LEFT],

	on: {
		relay: {
			deadline: null,

			configure: ({ tls, http, silent }, { main }) => `
timeouts: { handshake: 5s, connect: 2s, idle: 10m, stall: 3s, half_closed: 3s, drain: 1s }
listeners:
  - listen: ${main}
    backlog: 128
    routes:
      - { sni: silent.drill.test, to: silent }
      - { sni: good.drill.test, to: tls }
      - { host: good.drill.test, to: http }
upstreams:
  silent: 127.0.0.1:${silent}
  tls: 127.0.0.1:${tls}
  http: 127.0.0.1:${http}
`,

			async attack(scene) {
				const { hello } = await sayings("silent");
				return new DoorAssault(scene, {
					address: scene.target.address,
					port: scene.target.port,
					connections: scene.connections,
					total: null,
					opensPerSecond: 4000,
					sayings: [toBase64(hello)],
					mutationSeed: null,
					behaviour: { kind: "hold" },
					deadlineMs: null,
				});
			},
		},
		http: "the kernel's queue is the same whatever becomes of those who leave it",
		tls: "the kernel's queue is the same whatever becomes of those who leave it",
	},
};

class DoorAssault implements Assault {
	readonly #scene: Scene;
	readonly #attack: Attack;
	readonly #attackers: Attackers;
	#measures: Record<string, number | null> = {};

	constructor(scene: Scene, attack: Attack) {
		this.#scene = scene;
		this.#attack = attack;
		this.#attackers = new Attackers(attack);
	}

	get status() {
		return this.#attackers.status;
	}

	get done() {
		return this.#attackers.done;
	}

	get failure() {
		return this.#attackers.failure;
	}

	async start(): Promise<void> {
		// The kernel is the same whatever the target is; once is enough.
		if (!isCompared(this.#scene.target.kind)) this.#measures = await this.#withoutAccepting();
		await this.#attackers.start();
		await this.#attackers.opened(this.#scene.connections);
		await sleep(DRAINED_AFTER_MS);
		// Whoever comes just now is in the queue for a moment; who is left there stays.
		let waiting = Number.POSITIVE_INFINITY;
		for (let look = 0; look < LOOKS && waiting > 0; look++) {
			waiting = Math.min(waiting, listenQueue(this.#scene.target.port).depth);
			await sleep(LOOK_EVERY_MS);
		}
		this.#measures = {
			...this.#measures,
			waiting,
			unestablished: this.#scene.connections - this.status.established,
		};
	}

	async #withoutAccepting(): Promise<Record<string, number>> {
		const { connections } = this.#scene;
		const backlog = Math.max(1, Math.floor(connections * BACKLOG_SHARE));
		const seen = await clientsOfNobody(this.#attack, connections, backlog);
		return {
			"kernel.backlog": backlog,
			"kernel.queueDepth": seen.queue.depth,
			"kernel.queueLimit": seen.queue.limit,
			"kernel.established": seen.established,
			"kernel.retrying": seen.retrying,
			"kernel.overflows": seen.counted.overflows,
			"kernel.drops": seen.counted.drops,
			"kernel.establishedBeyondBacklog": seen.established - backlog,
			"kernel.neitherWaitingNorRetrying": connections - seen.queue.depth - seen.retrying,
			"kernel.refused": seen.refused,
			"kernel.overflowsPerRetrier": seen.retrying === 0 ? 0 : seen.counted.overflows / seen.retrying,
		};
	}

	stop(): void {
		this.#attackers.stop();
	}

	async release(): Promise<AssaultReport> {
		return { ...(await this.#attackers.release()), measures: this.#measures };
	}

	dispose(): Promise<void> {
		return this.#attackers.dispose();
	}
}
