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
	#shownLess = 0;
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
		const { target, connections } = this.#scene;
		const { opened, tookMs } = report.attackers;
		const [counted, cookiesShown] = await this.#settled();
		return {
			...report,
			measures: {
				...this.#nobody,
				"flood.rateShare": opened / (tookMs / 1000) / connections,
				"flood.halfOpenPeak": this.#halfOpenPeak,
				"flood.halfOpenShare": this.#halfOpenPeak / (REACTORS * BACKLOG),
				"flood.cookies": counted.cookiesSent,
				"flood.drops": counted.drops,
				"flood.overflows": counted.overflows,
				"flood.shownLess": isCompared(target.kind) ? null : this.#shownLess,
				"flood.cookiesShownLess": cookiesShown === null ? null : counted.cookiesSent - cookiesShown,
			},
		};
	}

	/**
	 * What the kernel says, and what the target's metrics say of the same moment. Half-open connections end by themselves and real clients
	 * come, so the two are looked at until nothing changed between.
	 */
	async #settled(): Promise<readonly [ReturnType<typeof countedSince>, number | null]> {
		const { target } = this.#scene;
		let cookiesShown: number | null = null;
		for (let look = 0; look < 20; look++) {
			const [before, countedBefore] = [halfOpen(target.port), countedSince(this.#before)];
			const metrics = await target.metrics();
			const [after, counted] = [halfOpen(target.port), countedSince(this.#before)];
			if (metrics?.cookiesSent != null) cookiesShown = metrics.cookiesSent - this.#cookiesShownBefore;
			this.#shownLess = Math.abs(after - (metrics?.synReceived ?? 0));
			const isSame = before === after && countedBefore.cookiesSent === counted.cookiesSent;
			if (isSame) return [counted, cookiesShown];
			await sleep(LOOK_EVERY_MS / 4);
		}
		return [countedSince(this.#before), cookiesShown];
	}

	dispose(): Promise<void> {
		clearInterval(this.#looks);
		return this.#flooder.dispose();
	}
}
