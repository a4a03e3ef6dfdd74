import { setTimeout as sleep } from "node:timers/promises";
import { Helper } from "../../rig/helper.js";
import { type Assault, type AssaultReport, Attackers, type Scene } from "../assault.js";
import type { Attack, AttackStatus } from "../attack.js";
import type { Drill, Threshold } from "../drill.js";
import type { Link } from "../link.js";
import type { RelayNews, RelayOrder } from "../messages.js";
import { monotonicMs } from "../sampler.js";
import { FULL_SIZE, GOOD_CLIENT_SERVED, NOTHING_LEFT, OVERDUE_MAX_MS } from "../thresholds.js";
import { sayings, toBase64 } from "../traffic.js";

/** `idle + probes × interval` of the configuration below. */
const KEEPALIVE_MS = 1000 + 3 * 1000;

/** The part of the connections that comes over the link; the others come through the relay. */
const LINK_SHARE = 0.2;

const READY_STEP_MS = 50;
const READY_MAX_MS = 10_000;
const LINK_POLL_MS = 50;
/** Longer than any deadline of the configuration. */
const LINK_MAX_MS = 12_000;

/** Beyond the deadline; what comes later is called "never". */
const GRACE_MS = 2000;

/** After the last connection is there, until it is in the middle of its life. */
const SETTLED_MS = 500;

const RELAY: readonly Threshold[] = [
	{
		measure: "relay.neverGone",
		title: "through the black hole: sessions that the target never gave up",
		unit: "count",
		bound: { exactly: 0 },
	},
	{
		measure: "relay.overdueMaxMs",
		title: "through the black hole: given up later than timeouts.idle, at most",
		unit: "ms",
		bound: { atMost: OVERDUE_MAX_MS },
		byClock: true,
	},
];

const LINK: readonly Threshold[] = [
	{
		measure: "link.lost",
		title: "over the link that went down: sessions ended as keepalive_lost, of all",
		unit: "share",
		bound: { exactly: 1 },
		// Where they took seconds to come, `idle` may end them first.
		byClock: true,
		optional: true,
	},
	{
		measure: "link.overdueMs",
		title: "over the link that went down: given up later than keepalive says, at most",
		unit: "ms",
		bound: { atMost: OVERDUE_MAX_MS },
		byClock: true,
		optional: true,
	},
];

/**
 * Peers that vanish without a word, in two ways. Behind a relay that becomes a black hole their kernel still
 * answers, so only silence (`idle`) and bytes that nobody takes (`stall`) give them away: half of them are
 * silent, half have an upstream that goes on talking. Over a link that is taken down nobody answers, and
 * keepalive notices.
 */
export const halfOpen: Drill = {
	name: "half-open",
	summary: "peers that vanish without a FIN: behind a black hole, and over a link that goes down",
	defaults: { connections: 1000, seconds: 12 },
	link: true,
	ending: "attackers",
	thresholds: [...GOOD_CLIENT_SERVED, FULL_SIZE, ...RELAY, ...LINK, ...NOTHING_LEFT],

	on: {
		relay: {
			deadline: { key: "idle", ownMs: 8000, givenMs: 600_000 },

			configure: ({ tls, http, silent, chatter }, { main, link }) => `
timeouts: { handshake: 5s, connect: 2s, idle: 8s, stall: 3s, half_closed: 3s, drain: 1s }
keepalive: { idle: 1s, interval: 1s, probes: 3 }
listeners:
  - listen: ${main}
    backlog: 4096
    routes:
      - { sni: silent.drill.test, to: silent }
      - { sni: chatter.drill.test, to: chatter }
      - { sni: good.drill.test, to: tls }
      - { host: good.drill.test, to: http }
${link === null ? "" : `  - listen: ${link}\n    routes: [{ sni: silent.drill.test, to: silent }]\n`}upstreams:
  silent: 127.0.0.1:${silent}
  chatter: 127.0.0.1:${chatter}
  tls: 127.0.0.1:${tls}
  http: 127.0.0.1:${http}
`,

			attack: (scene) => VanishingAssault.prepare(scene),
		},
		http: "whom keepalive, silence and acknowledgements give up is decided in the same way for requests as for relays",
		tls: "whom keepalive, silence and acknowledgements give up is decided by the kernel's sockets, below TLS",
	},
};

/** The part that comes over the link. */
interface OverLink {
	readonly attackers: Attackers;
	readonly link: Link;
	readonly count: number;
}

class VanishingAssault implements Assault {
	readonly #scene: Scene;
	readonly #relay: Helper<RelayOrder, RelayNews>;
	readonly #behindRelay: Attackers;
	readonly #overLink: OverLink | string;
	readonly done = new Promise<void>(() => {});
	readonly failure: Promise<never>;
	readonly #allGone: Promise<void>;
	#frozenMs = 0;
	#givenUpBefore = 0;
	#linkMeasures: Promise<Record<string, number | null>> = Promise.resolve({});

	static async prepare(scene: Scene): Promise<VanishingAssault> {
		const { target, connections, link } = scene;
		const relay = new Helper<RelayOrder, RelayNews>(new URL("../relay.js", import.meta.url), {
			args: [target.address, String(target.port)],
		});
		const { port } = await relay.answer((news) => news.news === "listening");
		const overLink =
			typeof link === "string" || target.linkPort === null ? 0 : Math.ceil(connections * LINK_SHARE);
		const silent = toBase64((await sayings("silent")).hello);
		const chatter = toBase64((await sayings("chatter")).hello);
		const common: Omit<Attack, "address" | "port" | "connections" | "sayings"> = {
			total: null,
			opensPerSecond: 1000,
			mutationSeed: null,
			behaviour: { kind: "hold" },
			deadlineMs: null,
		};
		const behindRelay = new Attackers({
			...common,
			address: "127.0.0.1",
			port,
			connections: connections - overLink,
			sayings: [silent, chatter],
		});
		if (typeof link === "string" || target.linkPort === null) {
			const why = typeof link === "string" ? link : "this target has no listener on it";
			return new VanishingAssault(scene, relay, behindRelay, why);
		}
		const attack = { ...common, address: link.hostAddress, port: target.linkPort, sayings: [silent] };
		const attackers = new Attackers({ ...attack, connections: overLink }, link.enter);
		return new VanishingAssault(scene, relay, behindRelay, { attackers, link, count: overLink });
	}

	private constructor(
		scene: Scene,
		relay: Helper<RelayOrder, RelayNews>,
		behindRelay: Attackers,
		overLink: OverLink | string,
	) {
		this.#scene = scene;
		this.#relay = relay;
		this.#behindRelay = behindRelay;
		this.#overLink = overLink;
		this.#allGone = new Promise((resolve) => {
			relay.listen((news) => {
				if (news.news === "all gone") resolve();
			});
		});
		const failures = [relay.failure, behindRelay.failure];
		if (typeof overLink !== "string") failures.push(overLink.attackers.failure);
		this.failure = Promise.race(failures);
		this.failure.catch(() => {});
	}

	get status(): AttackStatus {
		const relayed = this.#behindRelay.status;
		if (typeof this.#overLink === "string") return relayed;
		const { alive, opened, established, ended } = this.#overLink.attackers.status;
		return {
			atMs: relayed.atMs,
			alive: relayed.alive + alive,
			opened: relayed.opened + opened,
			established: relayed.established + established,
			ended: relayed.ended + ended,
		};
	}

	async start(): Promise<void> {
		await this.#behindRelay.start();
		if (typeof this.#overLink !== "string") await this.#overLink.attackers.start();
		const giveUpMs = monotonicMs() + READY_MAX_MS;
		while (this.status.established < this.#scene.connections && monotonicMs() < giveUpMs)
			await sleep(READY_STEP_MS);
		await sleep(SETTLED_MS);
		this.stop();
		this.#givenUpBefore = await this.#givenUp();
		this.#frozenMs = monotonicMs();
		this.#relay.order({ do: "freeze", deadlineMs: this.#scene.deadlineMs ?? 0 });
		if (typeof this.#overLink === "string") return;
		this.#overLink.link.cut();
		this.#linkMeasures = this.#watchLink(this.#overLink.count);
	}

	/** The attackers inside hear nothing either, so the target's own figures tell when it has given them up. */
	async #watchLink(count: number): Promise<Record<string, number | null>> {
		const { target } = this.#scene;
		const lostBefore = (await target.metrics())?.closedByReason["keepalive_lost"] ?? 0;
		const cutMs = monotonicMs();
		for (;;) {
			await sleep(LINK_POLL_MS);
			const metrics = await target.metrics();
			const tookMs = monotonicMs() - cutMs;
			if (metrics?.linkSessions !== 0 && tookMs < LINK_MAX_MS) continue;
			return {
				"link.sessions": count,
				"link.lost": ((metrics?.closedByReason["keepalive_lost"] ?? 0) - lostBefore) / count,
				"link.overdueMs": metrics?.linkSessions === 0 ? tookMs - KEEPALIVE_MS : Number.POSITIVE_INFINITY,
			};
		}
	}

	/** Sessions that the target has ended for want of bytes, or of a reader; none where it does not say. */
	async #givenUp(): Promise<number> {
		const closed = (await this.#scene.target.metrics())?.closedByReason;
		return (closed?.["idle_timeout"] ?? 0) + (closed?.["stall_timeout"] ?? 0);
	}

	stop(): void {
		this.#behindRelay.stop();
		if (typeof this.#overLink !== "string") this.#overLink.attackers.stop();
	}

	async release(): Promise<AssaultReport> {
		const linkMeasures = await this.#linkMeasures;
		const { deadlineMs, target, seconds } = this.#scene;
		// Another's target may have an idle deadline of many minutes; its attack lasts as long as was asked for.
		const patienceMs = target.kind === "given" ? seconds * 1000 : (deadlineMs ?? 0) + GRACE_MS;
		const leftMs = Math.max(0, this.#frozenMs + patienceMs - monotonicMs());
		await Promise.race([this.#allGone, sleep(leftMs)]);
		const judged = monotonicMs() - this.#frozenMs >= (deadlineMs ?? 0);
		const givenUp = (await this.#givenUp()) - this.#givenUpBefore;
		this.#relay.order({ do: "release" });
		const { report } = await this.#relay.answer((news) => news.news === "report");
		// A black hole whose window is full does not hear a reset: then the target's own figures tell.
		const neverGone = Math.min(report.neverGone, Math.max(0, report.frozen - givenUp));
		const { attackers } = await this.#behindRelay.release();
		const overLink =
			typeof this.#overLink === "string" ? null : (await this.#overLink.attackers.release()).attackers;
		return {
			attackers: {
				...attackers,
				opened: attackers.opened + (overLink?.opened ?? 0),
				established: attackers.established + (overLink?.established ?? 0),
				alivePeak: attackers.alivePeak + (overLink?.alivePeak ?? 0),
			},
			measures: {
				"relay.frozen": report.frozen,
				"relay.neverGone": neverGone === 0 || judged ? neverGone : null,
				"relay.overdueMaxMs": report.overdueMs?.max ?? null,
				...linkMeasures,
			},
			notRun:
				typeof this.#overLink === "string"
					? [`the half over a link that goes down, for ${this.#scene.target.label}: ${this.#overLink}`]
					: [],
		};
	}

	async dispose(): Promise<void> {
		await this.#relay.stop();
		await this.#behindRelay.dispose();
		if (typeof this.#overLink !== "string") await this.#overLink.attackers.dispose();
	}
}
