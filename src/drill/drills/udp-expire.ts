import { Helper } from "../../rig/helper.js";
import { spread } from "../../rig/percentile.js";
import type { Assault, AssaultReport, Scene } from "../assault.js";
import type { AttackStatus } from "../attack.js";
import { CROWD_IDLE_MS, datagramConfig } from "../configs-datagrams.js";
import type { Drill, Threshold } from "../drill.js";
import { type Crowd, openSet, type SetEnd, watchSet } from "../expiry.js";
import { ONLY_DATAGRAMS } from "../only-datagrams.js";
import { monotonicMs } from "../sampler.js";
import {
	ATTACKERS_GONE,
	FULL_SIZE,
	GOOD_CLIENT_SERVED,
	NOTHING_LEFT,
	OVERDUE_MAX_MS,
} from "../thresholds.js";

/** Multiples of a hundred, and others: who sweeps at multiples alone is found out by the others. `all`: as many as the drill has. */
const SIZES = [1, 99, 100, 137, "all"] as const;

/** Beyond the deadline; what comes later is called "never". */
const GRACE_MS = 2000;

/** Nobody says anything while a set waits; or the good client's sessions come and go beside it. */
const SCENES = ["alone", "company"] as const;
type SceneName = (typeof SCENES)[number];

const TITLES: Readonly<Record<SceneName, string>> = { alone: "alone", company: "beside others" };

function expiry(scene: SceneName): Threshold[] {
	const title = TITLES[scene];
	return [
		...SIZES.map(
			(size): Threshold => ({
				measure: `${scene}.${size}.overdueMs`,
				title: `${title}, ${size} session${size === 1 ? "" : "s"}: the last gone later than its deadline by`,
				unit: "ms",
				bound: { atMost: OVERDUE_MAX_MS },
				byClock: true,
			}),
		),
		{
			measure: `${scene}.earlyMs`,
			title: `${title}: sessions gone before their deadline, by`,
			unit: "ms",
			bound: { exactly: 0 },
		},
	];
}

/**
 * Sessions of datagrams end by silence alone. Whatever their number, they go at their deadline; and beside the gateway a relay that
 * sweeps them when there happens to be a multiple of a hundred.
 */
export const udpExpire: Drill = {
	name: "udp-expire",
	summary:
		"sessions of datagrams fall silent, in any number, and must go at their deadline; beside a swept relay",
	defaults: { connections: 1000, seconds: 8 },
	counted: "sessions at once",
	compares: true,
	ending: "done",
	thresholds: [
		...GOOD_CLIENT_SERVED,
		FULL_SIZE,
		...ATTACKERS_GONE,
		...SCENES.flatMap(expiry),
		...NOTHING_LEFT,
	],

	on: {
		...ONLY_DATAGRAMS,
		udp: {
			deadline: { key: "idle", ownMs: CROWD_IDLE_MS, givenMs: CROWD_IDLE_MS },
			configure: (ports, listeners) => datagramConfig(ports, listeners, true),
			barePorts: SIZES.length,
			attack: (scene) => ExpiryAssault.prepare(scene),
		},
	},
};

class ExpiryAssault implements Assault {
	readonly #scene: Scene;
	readonly #crowd: Crowd;
	readonly #ends: SetEnd[] = [];
	readonly #measures: Record<string, number> = {};
	readonly #startedMs = monotonicMs();
	#opened = 0;
	#alive = 0;
	#alivePeak = 0;
	#done: () => void = () => {};
	#failed: (error: unknown) => void = () => {};
	readonly done: Promise<void>;
	readonly failure: Promise<never>;

	/** The sets that nobody disturbs wait here, before the good client comes. */
	static async prepare(scene: Scene): Promise<ExpiryAssault> {
		const assault = new ExpiryAssault(scene);
		try {
			await Promise.race([assault.#alone(), assault.failure]);
		} catch (error) {
			await assault.dispose();
			throw error;
		}
		return assault;
	}

	private constructor(scene: Scene) {
		this.#scene = scene;
		this.#crowd = new Helper(new URL("../datagram-crowd.js", import.meta.url));
		this.done = new Promise((resolve) => {
			this.#done = resolve;
		});
		const failed = new Promise<never>((_, reject) => {
			this.#failed = reject;
		});
		this.failure = Promise.race([this.#crowd.failure, failed]);
		this.failure.catch(() => {});
	}

	get status(): AttackStatus {
		const ended = this.#ends.reduce((sum, { gone }) => sum + gone, 0);
		return {
			atMs: monotonicMs(),
			...{ opened: this.#opened, established: this.#opened, alive: this.#alive, ended },
		};
	}

	/** One set after the other, each on a listener on which nobody else says anything. */
	async #alone(): Promise<void> {
		const { port, otherPorts = [] } = this.#scene.target;
		// Of a target whose listeners have sessions of their own, all sets wait at once.
		const watched: Promise<void>[] = [];
		for (const [index, size] of SIZES.entries()) {
			const ended = await this.#runSet("alone", size, otherPorts[index] ?? port);
			if (otherPorts[index] === undefined) await ended.watched;
			else watched.push(ended.watched);
		}
		await Promise.all(watched);
	}

	async #inCompany(): Promise<void> {
		for (const size of SIZES) await (await this.#runSet("company", size, this.#scene.target.port)).watched;
		this.#done();
	}

	/** Returns when they have come. */
	async #runSet(
		name: SceneName,
		size: (typeof SIZES)[number],
		port: number,
	): Promise<{ watched: Promise<void> }> {
		const { target, ports, connections, deadlineMs } = this.#scene;
		const upstreamPort = ports?.datagramsForAttackers ?? 0;
		const count = size === "all" ? connections : Math.min(size, connections);
		const set = await openSet(this.#crowd, { address: target.address, port, count }, upstreamPort);
		this.#opened += set.size;
		this.#alivePeak = Math.max(this.#alivePeak, set.size);
		const watching = watchSet(set, {
			// The drill has started both of its targets itself.
			...{ pid: target.pid ?? 0, idleMs: deadlineMs ?? 0, graceMs: GRACE_MS },
			tell: (alive) => {
				this.#alive = alive;
			},
		});
		const watched = watching.then((end) => {
			this.#ends.push(end);
			this.#measures[`${name}.${size}.overdueMs`] = end.overdueMs;
			this.#measures[`${name}.earlyMs`] = Math.max(this.#measures[`${name}.earlyMs`] ?? 0, end.earlyMs);
		});
		return { watched };
	}

	async start(): Promise<void> {
		this.#inCompany().catch((error: unknown) => this.#failed(error));
	}

	stop(): void {}

	async release(): Promise<AssaultReport> {
		const never = this.#ends.reduce((sum, end) => sum + end.never, 0);
		const gone = this.#ends.reduce((sum, end) => sum + end.gone, 0);
		this.#alive = 0;
		return {
			attackers: {
				...{ opened: this.#opened, established: this.#opened, alivePeak: this.#alivePeak },
				ends: { "closed by the target": gone, "given up": never },
				tookMs: monotonicMs() - this.#startedMs,
				overdueMs: spread(this.#ends.map(({ overdueMs }) => overdueMs)),
				faults: [],
			},
			measures: this.#measures,
			notRun: [],
		};
	}

	dispose(): Promise<void> {
		return this.#crowd.stop();
	}
}
