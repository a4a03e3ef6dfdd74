import { type Assault, type AssaultReport, Attackers, type Scene } from "../assault.js";
import { datagramConfig, HALF_HELLOS_MAX } from "../configs-datagrams.js";
import type { Drill, Threshold } from "../drill.js";
import type { Flood } from "../flood.js";
import { ONLY_DATAGRAMS } from "../only-datagrams.js";
import { GOOD_CLIENT, NOTHING_LEFT } from "../thresholds.js";
import { sayings, toBase64 } from "../traffic.js";

const FLOOD: readonly Threshold[] = [
	{
		measure: "flood.rateShare",
		title: "forged halves sent a second, of those asked for",
		unit: "share",
		bound: { atLeast: 0.95 },
		byClock: true,
	},
	{
		measure: "flood.readShare",
		title: "forged halves that the target has read and given up, of those sent",
		unit: "share",
		bound: { atLeast: 0.95 },
		byClock: true,
		optional: true,
	},
	{
		measure: "flood.answered",
		title: "datagrams sent to forged addresses",
		unit: "count",
		bound: { exactly: 0 },
	},
	{
		measure: "halfHellosPeak",
		title: "halves held at once, at most",
		unit: "count",
		bound: { atMost: HALF_HELLOS_MAX },
		optional: true,
	},
	{
		measure: "memoryGrowthBytes",
		title: "resident memory late in the attack above that in its middle",
		unit: "bytes",
		bound: { atMost: 4 * 1024 * 1024 },
		byClock: true,
		optional: true,
	},
];

/**
 * Hellos of QUIC of which only the first of two datagrams comes, each from another address and port: whoever sends datagrams may write
 * any source into them. The good client's hellos have two datagrams as well, and must not be what gives way.
 */
export const udpFlood: Drill = {
	name: "udp-flood",
	summary: "forged halves of QUIC hellos from everywhere, 8,000 a second; --connections says how many",
	defaults: { connections: 8000, seconds: 10 },
	connectionsInTurn: true,
	counted: "forged halves a second",
	ending: "attackers",
	thresholds: [...GOOD_CLIENT, ...FLOOD, ...NOTHING_LEFT],

	on: {
		...ONLY_DATAGRAMS,
		udp: {
			deadline: null,
			configure: (ports, listeners) => datagramConfig(ports, listeners, false),

			async attack(scene) {
				const { hello } = await sayings("good");
				return new FloodAssault(scene, toBase64(hello));
			},
		},
	},
};

class FloodAssault implements Assault {
	readonly #scene: Scene;
	readonly #flooder: Attackers<Flood>;
	readonly done = new Promise<void>(() => {});
	#givenUpBefore: number | null = null;

	constructor(scene: Scene, hello: string) {
		const { target, connections } = scene;
		this.#scene = scene;
		this.#flooder = new Attackers<Flood>(
			{ address: target.address, port: target.port, hello, halvesPerSecond: connections },
			[],
			"flooder.js",
		);
	}

	get status() {
		return this.#flooder.status;
	}

	get failure() {
		return this.#flooder.failure;
	}

	async start(): Promise<void> {
		this.#givenUpBefore = (await this.#scene.target.metrics())?.halfHellosGivenUp ?? null;
		await this.#flooder.start();
	}

	stop(): void {
		this.#flooder.stop();
	}

	async release(): Promise<AssaultReport> {
		const report = await this.#flooder.release();
		const { opened, tookMs, ends } = report.attackers;
		const metrics = await this.#scene.target.metrics();
		const read =
			this.#givenUpBefore === null || metrics === null
				? null
				: (metrics.halfHellosGivenUp ?? 0) - this.#givenUpBefore + (metrics.halfHellos ?? 0);
		return {
			...report,
			measures: {
				"flood.rateShare": opened / (tookMs / 1000) / this.#scene.connections,
				"flood.readShare": read === null ? null : read / opened,
				"flood.answered": ends.answered ?? 0,
			},
		};
	}

	dispose(): Promise<void> {
		return this.#flooder.dispose();
	}
}
