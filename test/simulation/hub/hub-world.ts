/**
 * A run of the hub: reactors on simulated kernels, the main thread's half between them, those who publish, and clients. All of it
 * follows from the seed.
 */

import { ChannelPattern } from "../../../src/channels/names.js";
import type { HubChannelConfig, HubConfig } from "../../../src/config/config.js";
import type { HubPublication } from "../../../src/hub/desk.js";
import { thorough } from "../../../src/parts/assert.js";
import { i32, u8 } from "../../../src/parts/at.js";
import { CHUNK_BYTES } from "../../../src/reactor/memory/arena.js";
import type { ListenerPlan, Policy } from "../../../src/reactor/plan/plan.js";
import { BLOCKED } from "../../../src/reactor/table/marks.js";
import { HUB } from "../../../src/reactor/table/states.js";
import { Random } from "../../../src/rig/random.js";
import { randomAddress } from "../addresses.js";
import { SimulatedListener, SimulatedSocket, type Temper, type Watched } from "../descriptors.js";
import { CALM, type Faults, randomFaults } from "../faults.js";
import { NOTHING, secured } from "../prologues.js";
import type { Surroundings } from "../simulated-readiness.js";
import { Stream } from "../stream.js";
import { operation, Trace, violated } from "../trace.js";
import type { Terms } from "./expected.js";
import { NO_WISH, type ReplayTerms, type Wish } from "./following.js";
import { checkHubEnd, checkHubSettled, checkHubTurn } from "./hub-checks.js";
import { HubClient, type Nature } from "./hub-client.js";
import { checkEnding } from "./hub-endings.js";
import { HubOnlooker } from "./hub-onlooker.js";
import {
	DOORS,
	FRAMED_CHANNEL,
	type HubTraits,
	hubListener,
	hubPlan,
	NAMES,
	randomHub,
	randomHubPolicy,
	randomHubTraits,
} from "./hub-plans.js";
import { HubReactor } from "./hub-reactor.js";
import type { HubSide } from "./hub-side.js";
import { Ledger } from "./ledger.js";
import { MainThread } from "./main-thread.js";
import { requestOf } from "./speech.js";
import { SimulatedTimers } from "./timers.js";

const CLOCK = operation("clock");
const SETTLE_TURNS_MAX = 5_000;
/** Connections that wait to be accepted at most, per listener. */
const BACKLOG = 8;
/** What the end of a run may take beyond all deadlines. */
const END_MS = 200_000;

thorough.isOn = true;

export interface HubRunOptions {
	readonly seed: number;
	readonly turns: number;
}

interface Door {
	readonly reactor: HubReactor;
	readonly listener: SimulatedListener;
	readonly plan: ListenerPlan;
}

/** What is known of a client behind a turn of its reactor. */
function look({ reactor }: HubReactor, client: HubClient): void {
	const { registered, slot } = client.socket;
	const { state, flags } = reactor.core.table;
	const isSubscriber = registered && u8(state, slot) === HUB;
	client.looked(isSubscriber, isSubscriber && (i32(flags, slot) & BLOCKED) !== 0);
}

interface Held {
	readonly terms: readonly Terms[];
	readonly replays: readonly ReplayTerms[];
}

function termsIn({ policy, outbox, deliverPerSecond }: HubChannelConfig): Terms {
	const paceMs = deliverPerSecond === null ? 0 : 1_000 / deliverPerSecond;
	return { policy, messages: outbox.messages, bytes: outbox.bytes, paceMs };
}

/** wild: everybody does what it likes; frozen: nobody does anything; cooperative: everybody comes to an end. */
type Mode = "wild" | "frozen" | "cooperative";

export class HubWorld implements HubSide {
	readonly random: Random;
	readonly trace = new Trace();
	readonly traits: HubTraits;
	readonly policy: Policy;
	readonly ledger = new Ledger();
	readonly reactors: readonly HubReactor[];
	readonly main: MainThread;
	readonly configs: HubConfig[] = [];
	readonly clients = new Map<SimulatedSocket, HubClient>();
	readonly bufferedBytes: number;
	readonly met = new Map<string, number>();
	mode: Mode = "wild";
	turns = 0;
	sessionsEnded = 0;
	nowMs: number;
	/** An operator has closed somebody. */
	mayClose = false;
	/** All leave. */
	isOver = false;
	readonly #timers: SimulatedTimers;
	readonly #faults: Faults;
	readonly #doors: Door[] = [];
	readonly #arrivals: number;
	readonly #publishing: number;
	readonly #pace: number;
	readonly #noBuffers: number;
	readonly #keys: number;
	readonly #held = new Map<string, Held>();

	constructor({ seed }: HubRunOptions) {
		const random = new Random(seed);
		this.random = random;
		this.traits = randomHubTraits(random);
		this.policy = randomHubPolicy(random, this.traits);
		this.nowMs = random.pick([1_000.5, 3e9 + 0.25]);
		this.#timers = new SimulatedTimers(this.nowMs);
		this.#faults = randomFaults(random, 0.2);
		this.#arrivals = random.pick([0.02, 0.1, 0.3]);
		this.#publishing = random.pick([0.02, 0.2, 0.6, 0.95]);
		this.#pace = random.pick([1, 1, 3, 10]);
		this.#noBuffers = random.chance(0.1) ? 0.002 : 0;
		this.#keys = random.pick([1, 3, 10]);
		this.bufferedBytes = random.pick([1, 4, 64, 64]) * CHUNK_BYTES * (this.traits.isLarge ? 4 : 1);
		this.reactors = Array.from({ length: this.traits.reactors }, (_, index) => this.#makeReactor(index));
		this.configs.push(randomHub(random, this.traits));
		this.main = this.#withTimers(
			() => new MainThread(this.configs[0] as HubConfig, this.reactors, this.ledger, () => this.nowMs),
		);
		this.ledger.changed = () => {
			for (const { sights } of this.reactors) sights.happened(this.ledger.moment, this.nowMs);
		};
		for (const reactor of this.reactors) this.#start(reactor);
	}

	#makeReactor(index: number): HubReactor {
		const { random, traits } = this;
		const reactor = new HubReactor(random, this.#faults, this.trace, {
			...{ index, reactors: traits.reactors, sessions: random.pick([2, 8, 16, 64]) },
			...{ bufferedBytes: this.bufferedBytes, startMs: this.nowMs },
		});
		const { kernel } = reactor;
		kernel.noBuffers = this.#noBuffers;
		kernel.readiness.surroundings = this.#surroundings(reactor);
		kernel.short = (socket) => {
			const client = socket === undefined ? undefined : this.clients.get(socket);
			if (client !== undefined) client.shorts++;
		};
		kernel.witness = new HubOnlooker(this, reactor);
		kernel.others = {
			connect: () => violated("the reactor connects to somebody"),
			openUpstream: () => violated("the reactor opens a connection"),
			meanwhile: (socket) => this.#meanwhile(socket),
		};
		return reactor;
	}

	#start(reactor: HubReactor): void {
		const { random, traits, main } = this;
		const listeners: ListenerPlan[] = [];
		for (const [slot, door] of DOORS.entries()) {
			const listener = new SimulatedListener();
			const fd = reactor.kernel.install(listener);
			const plan = hubListener(door, slot, fd, random.chance(traits.secured));
			listeners.push(plan);
			this.#doors.push({ reactor, listener, plan });
		}
		const { memory, settings } = main.hub;
		reactor.tell({ kind: "hub", memory, settings });
		reactor.tell({ kind: "plan", plan: hubPlan(this.policy, reactor.sessions, listeners) });
	}

	// What clients know.

	get epoch(): number {
		return this.main.hub.memory.epoch;
	}

	get messageBytesMin(): number {
		return this.traits.messageBytes;
	}

	mayBeForgotten(after: unknown): boolean {
		const { forgotten } = this.main.hub.channelsThere;
		return Number.parseInt(String(after).split(":")[1] ?? "", 36) < forgotten;
	}

	meet(what: string): void {
		this.met.set(what, (this.met.get(what) ?? 0) + 1);
	}

	/** What has held for a channel since a configuration. */
	#heldFor(channel: string, since: number): Held {
		const key = `${channel} ${since} ${this.configs.length}`;
		const known = this.#held.get(key);
		if (known !== undefined) return known;
		const configs = this.configs
			.slice(since)
			.flatMap(({ channels }) =>
				channels.filter(({ match }) => ChannelPattern.parse(match)?.matches(channel) === true).slice(0, 1),
			);
		const held = { terms: configs.map(termsIn), replays: configs.map(({ replay }) => replay) };
		this.#held.set(key, held);
		return held;
	}

	termsOf(channel: string, since: number): readonly Terms[] {
		return this.#heldFor(channel, since).terms;
	}

	replaysOf(channel: string, since: number): readonly ReplayTerms[] {
		return this.#heldFor(channel, since).replays;
	}

	randomWish(): { wish: Wish; fields: { after?: string; last?: boolean } } {
		const { random, ledger, epoch } = this;
		const choice = random.below(10);
		const last = random.chance(0.2);
		const lastField = last ? { last } : {};
		if (choice < 4) return { wish: { ...NO_WISH, last }, fields: lastField };
		if (choice < 5)
			return {
				wish: { after: 1, isForeign: true, last },
				fields: { after: `${(epoch - 1).toString(36)}:1`, ...lastField },
			};
		const newest = ledger.messages.size;
		const after = random.chance(0.7) ? Math.max(0, newest - random.magnitude(20)) : random.below(newest + 3);
		return {
			wish: { after, isForeign: false, last },
			fields: { after: `${epoch.toString(36)}:${after.toString(36)}`, ...lastField },
		};
	}

	randomMessage(): HubPublication {
		const { random, traits } = this;
		const most = traits.messageBytes;
		const length = random.chance(0.02) ? most + 1 : random.chance(0.1) ? most : random.magnitude(most);
		const key = random.chance(0.6) ? `k${random.below(this.#keys)}` : undefined;
		const common = {
			...(key === undefined ? {} : { key }),
			...(random.chance(0.2) ? ({ priority: "low" } as const) : {}),
		};
		const fill = random.pick(["x", "x", '"', "\u0001"]);
		if (random.chance(0.6))
			return { data: (random.below(1_000_000) + fill.repeat(length)).slice(0, length), ...common };
		return {
			data: Uint8Array.from({ length }, (_, at) => (at < 4 ? random.below(256) : at & 255)),
			...common,
		};
	}

	// Time.

	#pass(ms: number): void {
		this.nowMs += ms;
		for (const { kernel } of this.reactors) kernel.nowMs = this.nowMs;
	}

	#surroundings(reactor: HubReactor): Surroundings {
		return {
			before: () => {
				this.#before();
				reactor.turnSight = reactor.sights.last;
			},
			sleep: (timeoutMs) => {
				reactor.hasSlept = true;
				this.#sleep(timeoutMs);
			},
			generationNow: () => 0,
			anyone: () => this.#anyoneOf(reactor),
			watched: (_descriptor: Watched, failed) => {
				if (failed) reactor.kernel.lacksMemory = true;
			},
			unwatched: () => {},
		};
	}

	#anyoneOf(reactor: HubReactor): SimulatedSocket | undefined {
		const here = [...this.clients.values()].filter((client) => client.reactor === reactor.index);
		return here.length === 0 ? undefined : this.random.pick(here).socket;
	}

	#before(): void {
		const { random } = this;
		if (this.mode === "frozen") return;
		if (this.mode === "cooperative") {
			this.#pass(0.5);
			for (const client of this.clients.values()) client.cooperate(this.isOver);
			return;
		}
		if (random.chance(0.5)) this.#pass(random.fraction() * 2);
		if (random.chance(this.#faults.leap)) {
			this.#pass(random.magnitude(100_000_000));
			this.trace.note(CLOCK, -1, 0, this.nowMs);
		}
		if (random.chance(this.#arrivals)) this.#arrive();
		if (random.chance(this.#publishing)) this.#publish();
		const clients = [...this.clients.values()];
		for (let acts = random.below(6); acts > 0 && clients.length > 0; acts--) random.pick(clients).act(random);
	}

	#sleep(timeoutMs: number): void {
		const { random } = this;
		if (this.mode === "frozen") return;
		const whole = timeoutMs < 0 ? 50 : timeoutMs;
		if (this.mode === "cooperative") this.#pass(Math.min(whole, 1_000));
		else if (random.chance(0.75)) this.#pass(Math.min(whole, random.fraction() * 3 * this.#pace));
		else this.#pass(whole + random.fraction() * (random.chance(0.1) ? 500 : 1));
	}

	/** A reactor is inside a call: its client acts, or somebody publishes. */
	#meanwhile(socket: SimulatedSocket): void {
		if (this.mode !== "wild") return;
		const { random } = this;
		if (random.chance(0.7)) this.clients.get(socket)?.act(random);
		else if (!this.reactors.some(({ isReading }) => isReading)) this.#publish();
	}

	#publish(): void {
		const { random } = this;
		const count = random.chance(0.1) ? random.magnitude(100) : random.between(1, 3);
		const name = random.pick(NAMES);
		for (let each = 0; each < count; each++) {
			const isDone = this.main.publish(random.chance(0.9) ? name : random.pick(NAMES), this.randomMessage());
			this.meet(isDone ? "published" : "refused to publish");
		}
	}

	// Clients come.

	#arrive(): void {
		const { random } = this;
		const { reactor, listener, plan } = random.pick(this.#doors);
		if (listener.queue.length >= BACKLOG) return;
		for (let count = random.chance(0.1) ? random.between(2, 8) : 1; count > 0; count--) {
			const client = this.#makeClient(reactor, plan);
			this.clients.set(client.socket, client);
			if (random.chance(0.5)) client.act(random);
			reactor.kernel.arrive(listener, client.socket);
		}
	}

	#makeClient(reactor: HubReactor, plan: ListenerPlan): HubClient {
		const { random, traits } = this;
		const isSecured = plan.tls.length > 0;
		const nature = randomNature(random, plan, isSecured, traits);
		const prologue = isSecured ? secured(random, NOTHING).bytes : NOTHING.bytes;
		const capacity = traits.isLarge ? random.between(2_000, 200_000) : 16 + random.magnitude(20_000);
		const stream = new Stream(prologue, 0);
		const socket = new SimulatedSocket(
			"client",
			stream,
			TEMPER,
			randomAddress(random),
			1_024 + random.below(60_000),
			capacity,
		);
		if (isSecured) {
			socket.shakeEnd = prologue.length;
			socket.saysGoodbye = random.chance(0.7);
		}
		const client = new HubClient(this, random, socket, reactor.index, nature);
		if (nature.protocol === "framed") {
			const channel = plan.routes[0]?.channel;
			client.begin(channel === undefined ? [] : [FRAMED_CHANNEL], NO_WISH, NOTHING.bytes);
		} else this.#asks(client);
		return client;
	}

	#asks(client: HubClient): void {
		const { random } = this;
		const isWebSocket = client.nature.protocol === "websocket";
		const first = random.chance(0.8) ? [random.pick(NAMES)] : [];
		const more = random.chance(0.3) ? [random.pick(NAMES), random.pick(NAMES)] : [];
		const { wish, fields } = this.randomWish();
		const query = [
			...more.map((channel) => `channel=${encodeURIComponent(channel)}`),
			...(fields.after === undefined ? [] : [`after=${fields.after}`]),
			...(fields.last === true ? ["last=1"] : []),
		];
		const path = `/channels/${first.join("")}${query.length === 0 ? "" : `?${query.join("&")}`}`;
		client.begin([...new Set([...first, ...more])], wish, requestOf({ path, isWebSocket, fields: [] }));
	}

	gone(socket: SimulatedSocket): void {
		this.clients.delete(socket);
		this.sessionsEnded++;
	}

	// Turns.

	/** Runs `turns` turns, then lets everything end. */
	async run(turns: number): Promise<void> {
		this.#timers.install();
		try {
			for (let turn = 0; turn < turns; turn++) {
				await this.#turn(this.random.pick(this.reactors));
				if (this.random.chance(0.004)) await this.#settle();
			}
			await this.#settle();
			await this.#end();
		} finally {
			this.#timers.restore();
		}
	}

	#withTimers<Result>(what: () => Result): Result {
		this.#timers.install();
		try {
			return what();
		} finally {
			this.#timers.restore();
		}
	}

	async #turn(reactor: HubReactor): Promise<void> {
		this.turns++;
		const { kernel } = reactor;
		reactor.watch(
			() => this.ledger.moment,
			(client, reason) => checkEnding(this, reactor, client, reason),
		);
		reactor.turnSight = reactor.sights.last;
		reactor.hasSlept = false;
		reactor.refusedBefore = kernel.refused;
		kernel.lacksMemory = false;
		kernel.noteTurn(this.turns);
		if (!reactor.reactor.stopped) reactor.reactor.turn();
		for (const client of this.clients.values()) if (client.reactor === reactor.index) look(reactor, client);
		checkHubTurn(this, reactor);
		await this.#mainThread();
	}

	/** What the main thread does between turns of reactors. */
	async #mainThread(): Promise<void> {
		const { random, main, mode } = this;
		this.#timers.advance(this.nowMs);
		main.send();
		this.ledger.forgot(main.hub.log.tail);
		for (const reactor of this.reactors) {
			const all = mode !== "wild";
			if (reactor.news.length > 0 && (all || random.chance(0.5)))
				await main.hear(reactor, all ? reactor.news.length : random.between(1, reactor.news.length));
			if (reactor.underWay > 0 && (all || random.chance(0.5)))
				reactor.arrive(all ? reactor.underWay : random.between(1, reactor.underWay));
		}
		const [fault] = main.faults;
		if (fault !== undefined) throw fault;
	}

	#isRestless(reactor: HubReactor): boolean {
		const { core } = reactor.reactor;
		if (reactor.reactor.stopped) return reactor.news.length > 0;
		return (
			reactor.kernel.readiness.hasNews ||
			core.queue.length > 0 ||
			reactor.hasMessages ||
			reactor.reactor.hasEvents ||
			reactor.news.length > 0 ||
			(core.hub !== null && core.hub.queue.length > 0) ||
			core.wheel.delay(core.nowMs) === 0
		);
	}

	/** Nothing new happens, and everything that can be finished is. */
	async #settle(): Promise<void> {
		const { mode } = this;
		this.mode = "frozen";
		this.#setFaults(CALM);
		for (let turns = 0; this.reactors.some((reactor) => this.#isRestless(reactor)); turns++) {
			if (turns > SETTLE_TURNS_MAX) violated("the reactors do not come to rest although nothing happens");
			for (const reactor of this.reactors) await this.#turn(reactor);
		}
		for (const reactor of this.reactors) {
			await this.#turn(reactor);
			if (!reactor.hasSlept && !reactor.reactor.stopped)
				violated("a reactor does not wait although it has nothing to do");
			checkHubSettled(this, reactor);
		}
		this.mode = mode;
		this.#setFaults(this.#faults);
	}

	#setFaults(faults: Faults): void {
		for (const { kernel } of this.reactors) {
			kernel.setFaults(faults);
			kernel.noBuffers = faults === CALM ? 0 : this.#noBuffers;
		}
	}

	async #end(): Promise<void> {
		const { random } = this;
		const way = random.below(3);
		this.mode = "cooperative";
		this.#setFaults(CALM);
		// Others go on reading.
		for (let turns = random.below(200); turns > 0; turns--) await this.#turn(random.pick(this.reactors));
		await this.#settle();
		this.isOver = way === 2;
		for (const reactor of this.reactors) {
			if (way === 0) reactor.tell({ kind: "stop" });
			if (way === 1) reactor.tell({ kind: "drain" });
		}
		const endsAtMs = this.nowMs + END_MS;
		const isThere = ({ reactor }: HubReactor): boolean => !reactor.stopped && reactor.core.table.clients > 0;
		do {
			if (this.nowMs > endsAtMs) violated("sessions are left although everybody leaves");
			for (const reactor of this.reactors) await this.#turn(reactor);
		} while (this.reactors.some((reactor) => isThere(reactor) || this.#isRestless(reactor)));
		for (const reactor of this.reactors) {
			if (way === 1 && !reactor.notices.has("drained")) violated("it has drained, and did not say so");
			checkHubEnd(this, reactor);
		}
	}
}

const TEMPER: Temper = {
	...{ budget: 0, burst: 0, reads: 0, resets: 0, endsEarly: 0, urges: 0 },
	...{ closesWhole: true, staysOpen: true },
};

function randomNature(
	random: Random,
	plan: ListenerPlan,
	isSecured: boolean,
	{ patient }: HubTraits,
): Nature {
	const protocol = plan.readsRequests ? random.pick(["websocket", "websocket", "events"] as const) : "framed";
	const isWell = patient && random.chance(0.8);
	return {
		...{ protocol, isSecured },
		reads: random.pick(isWell ? [1, 1, 0.9, 0.5] : [1, 0.9, 0.5, 0.1, 0.01, 0]),
		talks: random.pick(isWell ? [0, 0, 0.1, 0.5] : [0, 0.1, 0.5]),
		resets: random.pick(isWell ? [0] : [0, 0, 0, 0.005, 0.03]),
		leaves: random.pick(isWell ? [0] : [0, 0, 0.001, 0.02]),
		words: random.chance(0.1) ? 1_000 : random.magnitude(60),
		isMute: !isWell && random.chance(0.15),
		...{ misbehaves: isWell ? 0 : 0.03 },
	};
}
