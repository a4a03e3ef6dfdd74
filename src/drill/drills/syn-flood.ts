import { setTimeout as sleep } from "node:timers/promises";
import { handshakes } from "../../kernel/proc.js";
import { type Assault, type AssaultReport, Attackers, type Scene } from "../assault.js";
import type { Attack } from "../attack.js";
import type { Drill, Threshold } from "../drill.js";
import { halfOpen } from "../kernel-tables.js";
import { setSysctl, swallow } from "../namespace-settings.js";
import { FLOOD_SECONDS_MAX, MADE_UP_NET, SYNS_PER_SECOND_MAX, type SynFlood } from "../syn-flood.js";
import { isCompared } from "../target.js";
import { GOOD_CLIENT_SERVED, NOTHING_LEFT } from "../thresholds.js";
import { sayings, toBase64 } from "../traffic.js";
import { clientsOfNobody, countedSince } from "../unaccepted.js";

/** Of each of the two reactors' queues. */
const BACKLOG = 128;
const REACTORS = 2;

/** Clients of a listener from which nobody accepts: the other way in which a server looks dead. */
const CLIENTS_OF_NOBODY = 200;

/** Between two looks at the half-open connections. */
const LOOK_EVERY_MS = 200;

const LOOKS_AT_METRICS = 20;

const FLOOD: readonly Threshold[] = [
	{
		measure: "flood.halfOpenShare",
		title: "half-open connections at once, of those that the backlogs allow",
		unit: "share",
		bound: { atLeast: 0.9 },
	},
	{
		measure: "flood.cookies",
		title: "SYNs answered with a cookie",
		unit: "count",
		bound: { atLeast: 1 },
	},
	{
		measure: "flood.overflows",
		title: "handshakes that met a full accept queue (ListenOverflows)",
		unit: "count",
		bound: { exactly: 0 },
	},
	{
		measure: "flood.shownLess",
		title: "half-open connections that the target's metric does not show, and those that are none",
		unit: "count",
		bound: { exactly: 0 },
		optional: true,
	},
	{
		measure: "flood.cookiesShownLess",
		title: "cookies that the kernel has sent, less those of the target's metric",
		unit: "count",
		bound: { exactly: 0 },
		optional: true,
	},
];

const NOBODY_ACCEPTS: readonly Threshold[] = [
	{
		measure: "nobody.overflows",
		title: "nobody accepts: handshakes that met a full accept queue (ListenOverflows)",
		unit: "count",
		bound: { atLeast: 1 },
		optional: true,
	},
	{
		measure: "nobody.cookies",
		title: "nobody accepts: SYNs answered with a cookie",
		unit: "count",
		bound: { exactly: 0 },
		optional: true,
	},
	{
		measure: "nobody.queueShare",
		title: "nobody accepts: connections in the accept queue, of those that may wait",
		unit: "share",
		bound: { atLeast: 1 },
		optional: true,
	},
];

/**
 * SYNs from addresses that nobody has. Each takes a place among the half-open connections of a listener for a minute, until none is left:
 * then the kernel answers with cookies, which take no place, or, where these are switched off, not at all. The same gateway stands both.
 * Beside it, for comparison, a listener from which nobody accepts: what the kernel counts there is the opposite.
 */
export const synFlood: Drill = {
	name: "syn-flood",
	summary:
		"half-open connections with made-up sources, with syncookies and without; in a network namespace of its own",
	defaults: { connections: 2000, seconds: 8 },
	connectionsInTurn: true,
	counted: "SYNs with made-up sources a second",
	ownNamespace: true,
	compares: true,
	comparedWith: "without syncookies",
	most: { connections: SYNS_PER_SECOND_MAX, seconds: FLOOD_SECONDS_MAX },
	ending: "attackers",
	thresholds: [...GOOD_CLIENT_SERVED, ...FLOOD, ...NOBODY_ACCEPTS, ...NOTHING_LEFT],

	on: {
		relay: {
			deadline: null,

			configure: ({ tls, http }, { main }) => `
reactors: ${REACTORS}
timeouts: { handshake: 5s, connect: 2s, idle: 10s, stall: 3s, half_closed: 3s, drain: 1s }
listeners:
  - listen: ${main}
    backlog: ${BACKLOG}
    routes:
      - { sni: good.drill.test, to: tls }
      - { host: good.drill.test, to: http }
upstreams:
  tls: 127.0.0.1:${tls}
  http: 127.0.0.1:${http}
`,

			async attack(scene) {
				const { hello } = await sayings("good");
				return new SynAssault(scene, toBase64(hello));
			},
		},
		http: "the kernel's handshake is the same whatever becomes of those who have ended it",
		tls: "the kernel's handshake is the same whatever becomes of those who have ended it",
	},
};

class SynAssault implements Assault {
	readonly #scene: Scene;
	readonly #flooder: Attackers<SynFlood>;
	readonly #hello: string;
	readonly done = new Promise<void>(() => {});
	#before = handshakes();
	#halfOpenPeak = 0;
	#cookiesShownBefore = 0;
	#looks: NodeJS.Timeout | undefined;
	#nobody: Record<string, number> = {};

	constructor(scene: Scene, hello: string) {
		const { address, port } = scene.target;
		this.#scene = scene;
		this.#hello = hello;
		this.#flooder = new Attackers<SynFlood>(
			{ address, port, synsPerSecond: scene.connections },
			[],
			"syn-flooder.js",
		);
	}

	get status() {
		return this.#flooder.status;
	}

	get failure() {
		return this.#flooder.failure;
	}

	async start(): Promise<void> {
		const { target } = this.#scene;
		swallow(MADE_UP_NET);
		setSysctl("net/ipv4/tcp_syncookies", isCompared(target.kind) ? 0 : 1);
		// The kernel is the same whatever the target is; once is enough.
		if (!isCompared(target.kind)) this.#nobody = await this.#nobodyAccepts();
		this.#cookiesShownBefore = (await target.metrics())?.cookiesSent ?? 0;
		this.#before = handshakes();
		await this.#flooder.start();
		this.#looks = setInterval(() => this.#look(), LOOK_EVERY_MS);
	}

	#look(): void {
		this.#halfOpenPeak = Math.max(this.#halfOpenPeak, halfOpen(this.#scene.target.port));
	}

	async #nobodyAccepts(): Promise<Record<string, number>> {
		const attack: Attack = {
			...{ address: "127.0.0.1", port: 0, connections: CLIENTS_OF_NOBODY, total: null },
			...{ opensPerSecond: null, sayings: [this.#hello], mutationSeed: null, deadlineMs: null },
			behaviour: { kind: "hold" },
		};
		const { queue, retrying, halfOpen, counted } = await clientsOfNobody(attack, CLIENTS_OF_NOBODY, BACKLOG);
		return {
			"nobody.overflows": counted.overflows,
			"nobody.drops": counted.drops,
			"nobody.cookies": counted.cookiesSent,
			"nobody.halfOpen": halfOpen,
			"nobody.queueDepth": queue.depth,
			"nobody.queueShare": queue.depth / queue.limit,
			"nobody.retrying": retrying,
		};
	}

	stop(): void {
		this.#flooder.stop();
	}

	async release(): Promise<AssaultReport> {
		clearInterval(this.#looks);
		const report = await this.#flooder.release();
		const { opened, tookMs } = report.attackers;
		const counted = countedSince(this.#before);
		return {
			...report,
			measures: {
				...this.#nobody,
				"flood.rateShare": opened / (tookMs / 1000) / this.#scene.connections,
				"flood.halfOpenPeak": this.#halfOpenPeak,
				"flood.halfOpenShare": this.#halfOpenPeak / (REACTORS * BACKLOG),
				"flood.cookies": counted.cookiesSent,
				"flood.drops": counted.drops,
				"flood.overflows": counted.overflows,
				...(await this.#compared()),
			},
		};
	}

	/**
	 * How far the target's metrics are from what the kernel says. Half-open connections end by themselves, and each real client that comes
	 * while there is no place gets a cookie, so the kernel is asked before and behind the metrics: what they show lies between. Of several
	 * looks the nearest counts.
	 */
	async #compared(): Promise<Record<string, number | null>> {
		const { target } = this.#scene;
		let nearest = { halfOpen: Infinity, cookies: Infinity };
		for (let look = 0; look < LOOKS_AT_METRICS && nearest.halfOpen + nearest.cookies > 0; look++) {
			if (look > 0) await sleep(LOOK_EVERY_MS / 4);
			const before = [halfOpen(target.port), countedSince(this.#before).cookiesSent] as const;
			const metrics = await target.metrics();
			const behind = [halfOpen(target.port), countedSince(this.#before).cookiesSent] as const;
			const found = {
				halfOpen: outside(metrics?.synReceived ?? 0, before[0], behind[0]),
				cookies: outside((metrics?.cookiesSent ?? 0) - this.#cookiesShownBefore, before[1], behind[1]),
			};
			if (found.halfOpen + found.cookies < nearest.halfOpen + nearest.cookies) nearest = found;
		}
		return {
			"flood.shownLess": isCompared(target.kind) ? null : nearest.halfOpen,
			"flood.cookiesShownLess": nearest.cookies,
		};
	}

	dispose(): Promise<void> {
		clearInterval(this.#looks);
		return this.#flooder.dispose();
	}
}

/** How far a figure is from those between two others; 0 for one of them. */
function outside(figure: number, one: number, other: number): number {
	return Math.max(0, Math.min(one, other) - figure, figure - Math.max(one, other));
}
