/** The main thread: it sends plans and commands, answers what the reactor says, and is where other reactors are. */

import type { ListenerPlan, Notice, Plan, Policy, ReactorCommand } from "../../src/reactor/plan/plan.js";
import { LIVE_LISTENERS, LIVE_SESSIONS } from "../../src/reactor/records/places.js";
import { NOT_COUNTED } from "../../src/reactor/records/sources.js";
import { randomAddress } from "./addresses.js";
import { SimulatedListener, SimulatedWake } from "./descriptors.js";
import {
	ADDRESS_COUNT,
	LISTENERS,
	randomListener,
	randomPlan,
	randomPolicies,
	randomUpstream,
	UPSTREAMS,
} from "./plans.js";
import { checkPressure } from "./shedding.js";
import { violated } from "./trace.js";
import type { World } from "./world.js";

/** A session of a reactor that is not simulated. */
interface ForeignSession {
	readonly listener: number;
	/** Among the sources. */
	readonly place: number;
}

export class Operator {
	/** What the reactor was told last. */
	plan: Plan | undefined;
	/** The command that the reactor carries out at the moment. */
	current: ReactorCommand | undefined;
	/** Commands of this turn, by kind. */
	readonly given = new Set<ReactorCommand["kind"]>();
	readonly listeners = new Map<number, SimulatedListener>();
	readonly others: ForeignSession[] = [];
	draining = false;
	/** The smallest body that some plan has refused so far is larger than this. */
	smallestBodyBytes = Number.POSITIVE_INFINITY;
	/** The turn in which the reactor took its current command. */
	#begunTurn = 0;
	readonly #world: World;
	readonly #wake = new SimulatedWake();
	readonly #commands: ReactorCommand[] = [];
	readonly #notices: Notice[] = [];
	#listenerPlans: ListenerPlan[] = [];
	#policies: readonly Policy[];
	#revision = 0;
	#applied = 0;
	/** The reactor has asked the others to make room. */
	#askedForRoom = false;

	constructor(world: World) {
		this.#world = world;
		this.#policies = randomPolicies(world.random, world.traits);
	}

	/** The wake-up descriptor, to be called once. */
	installWake(): number {
		return this.#world.kernel.install(this.#wake);
	}

	/** The first plan. */
	start(): void {
		const { lines } = this.#world;
		if (lines !== undefined) this.listeners.set(lines.listenerPlan.fd, lines.listener);
		const listeners = this.#world.random.between(1, LISTENERS);
		for (let slot = 0; slot < listeners; slot++) this.#openListener(slot);
		this.#sendPlan();
	}

	/** Clients that wait to be accepted. */
	get queued(): number {
		let count = 0;
		for (const { queue } of this.listeners.values()) count += queue.length;
		return count;
	}

	/** Descriptors that the reactor does not own: the wake-up and the listeners. */
	get foreign(): number {
		return 1 + this.listeners.size + (this.#world.datagrams?.listeners.size ?? 0);
	}

	/** The reactor runs with what it was sent last. */
	get isPlanInForce(): boolean {
		return this.#applied === this.#revision;
	}

	get hasCommands(): boolean {
		return this.#commands.length > 0;
	}

	command(command: ReactorCommand): void {
		this.#commands.push(command);
		this.#world.kernel.wake(this.#wake);
	}

	/** What the reactor takes, when it has carried out the one before. */
	take(): ReactorCommand | undefined {
		if (this.current !== undefined) this.#world.agent?.done(this.current);
		this.current = this.#commands.shift();
		this.#begunTurn = this.#world.turns;
		if (this.current !== undefined) this.given.add(this.current.kind);
		if (this.current !== undefined) this.#world.lines?.taken(this.current);
		if (this.current?.kind === "rest" && !this.current.rests) this.#world.rests.lifted(this.current.listener);
		return this.current;
	}

	/** A command may go on over turns. */
	beginTurn(): void {
		this.given.clear();
		if (this.current !== undefined) this.given.add(this.current.kind);
	}

	hasHeard(kind: Notice["kind"]): boolean {
		return this.#notices.some((notice) => notice.kind === kind);
	}

	/** A listener that clients come to, and its plan. */
	anyListener(): { listener: SimulatedListener; plan: ListenerPlan } | undefined {
		const plan = this.#listenerPlans[this.#world.random.below(this.#listenerPlans.length)];
		const listener = plan === undefined ? undefined : this.listeners.get(plan.fd);
		return plan === undefined || listener === undefined ? undefined : { listener, plan };
	}

	/** The plan that was sent last has a listener of this number. */
	hasListener(slot: number): boolean {
		return this.#listenerPlans.some((plan) => plan.slot === slot);
	}

	/** Something that an operator or the control plane does. */
	control(): void {
		const { random, kernel, board, peers, traits } = this.#world;
		switch (random.below(9)) {
			case 5:
				this.#closeSome();
				return;
			case 6:
				this.#ban();
				return;
			case 7:
				this.#rest();
				return;
			case 0:
				this.#policies = randomPolicies(random, traits);
				this.#reload();
				return;
			case 1:
				this.#reload();
				return;
			case 2:
				this.#resolve(random.below(UPSTREAMS));
				return;
			case 3:
				peers.changeFates();
				this.#setDown(random.below(ADDRESS_COUNT), random.chance(traits.patient ? 0.1 : 0.5));
				if (random.chance(0.5)) board.setWeight(random.below(ADDRESS_COUNT), random.pick([1, 2, 3, 256]));
				return;
			case 4:
				this.othersBecome(random.chance(0.5) ? 0 : random.below((this.plan?.connections ?? 0) + 1));
				return;
			default:
				kernel.wake(this.#wake);
		}
	}

	/** Who waits for a line of an agent's address that is down is told to go elsewhere. */
	#setDown(address: number, isDown: boolean): void {
		this.#world.board.setDown(address, isDown);
		if (isDown && this.#world.lines !== undefined) this.command({ kind: "sendElsewhere", address });
	}

	/** A name means other addresses. Agents have none. */
	#resolve(slot: number): void {
		const { random, traits, lines, datagrams } = this.#world;
		if (lines?.slots.includes(slot) === true) return;
		const upstream = datagrams?.upstream(slot) ?? randomUpstream(random, slot, traits);
		this.command({ kind: "upstream", upstream });
	}

	/** The plan of now, with what is open. */
	replan(): void {
		if (!this.draining) this.#sendPlan();
	}

	/** Of the plan that was sent last. */
	get revision(): number {
		return this.#revision;
	}

	/** Rows of sessions that live, that do not, and whose numbers are others'. */
	#closeSome(): void {
		const { random, reactor, sessions } = this.#world;
		const { table } = reactor.core;
		const rows = Int32Array.from({ length: random.between(1, 4) }, () => random.below(sessions + 3) - 1);
		const numbers = Float64Array.from(rows, (row) => (table.number[row] ?? 0) + (random.chance(0.2) ? 1 : 0));
		this.command({ kind: "close", rows, numbers });
	}

	#ban(): void {
		const { random, reactor } = this.#world;
		const untilMs = reactor.core.nowMs + random.between(1, 2_000);
		const block = { family: 4, bytes: [10, 0, 0, 0], prefixLength: random.pick([8, 30, 31]) } as const;
		this.command({ kind: "bans", bans: random.chance(0.4) ? [{ block, untilMs }] : [] });
	}

	/** Mostly they go on: who rests has nobody to serve. */
	#rest(): void {
		const { random } = this.#world;
		this.command({ kind: "rest", listener: random.below(LISTENERS), rests: random.chance(0.3) });
	}

	/** No listener rests any more. */
	letAllGoOn(): void {
		for (let listener = 0; listener < LISTENERS; listener++)
			this.command({ kind: "rest", listener, rests: false });
	}

	/** Something is short, here or in another reactor. */
	press(): void {
		const { random } = this.#world;
		switch (random.below(3)) {
			case 0:
				this.command({ kind: "makeRoom", unrecognizedOnly: random.chance(0.5) });
				return;
			case 1:
				this.command({ kind: "shedMemory", bytes: random.magnitude(1_000_000) });
				return;
			default:
				this.command({ kind: "measure" });
		}
	}

	#reload(): void {
		const { random } = this.#world;
		if (this.draining) return;
		const slot = random.below(LISTENERS);
		const present = this.#listenerPlans.find((plan) => plan.slot === slot);
		if (present === undefined) this.#openListener(slot);
		else if (random.chance(0.4)) {
			this.#listenerPlans = this.#listenerPlans.filter((plan) => plan !== present);
			if (random.chance(0.3) && this.#world.agent === undefined) this.#openListener(slot);
		} else {
			const { sessions, traits, agent, datagrams } = this.#world;
			const changed =
				agent?.listener(slot, false) ??
				datagrams?.listener(slot, present.fd) ??
				randomListener(random, slot, present.fd, sessions, traits);
			this.#listenerPlans = this.#listenerPlans.map((plan) => (plan === present ? changed : plan));
		}
		this.#sendPlan();
	}

	#openListener(slot: number): void {
		const { random, kernel, sessions, traits, agent, datagrams } = this.#world;
		const own = agent?.listener(slot, true) ?? datagrams?.openListener(slot);
		if (own !== undefined) {
			this.#listenerPlans.push(own);
			return;
		}
		const listener = new SimulatedListener();
		const fd = kernel.install(listener);
		this.listeners.set(fd, listener);
		this.#listenerPlans.push(randomListener(random, slot, fd, sessions, traits));
	}

	#sendPlan(): void {
		const { random, sessions, traits } = this.#world;
		this.#revision++;
		const listeners = [...this.#listenerPlans];
		for (const { http } of listeners)
			this.smallestBodyBytes = Math.min(this.smallestBodyBytes, http.requestBodyBytes);
		const plan = randomPlan(
			random,
			this.#revision,
			sessions,
			this.foreign,
			this.#policies,
			listeners,
			traits,
		);
		const { lines, agent, datagrams } = this.#world;
		this.plan = lines?.planned(plan) ?? agent?.planned(plan) ?? datagrams?.planned(plan) ?? plan;
		this.command({ kind: "plan", plan: this.plan });
	}

	/** The reactor says something. */
	noticed(notice: Notice): void {
		this.#notices.push(notice);
		if (this.#world.lines?.noticed(notice) === true || this.#world.agent?.noticed(notice) === true) return;
		switch (notice.kind) {
			case "applied": {
				this.#checkApplied();
				this.#applied = notice.revision;
				this.#world.lines?.applied(notice.revision);
				this.#world.agent?.applied(notice.revision);
				if (notice.revision !== this.#revision) return;
				const kept = new Set(this.#listenerPlans.map((plan) => plan.fd));
				if (this.#world.lines !== undefined) kept.add(this.#world.lines.listenerPlan.fd);
				for (const fd of [...this.listeners.keys()]) if (!kept.has(fd)) this.#closeListener(fd);
				this.#world.datagrams?.closeListeners(kept);
				return;
			}
			case "listenersClosed":
				for (const fd of [...this.listeners.keys()]) this.#closeListener(fd);
				this.#world.datagrams?.closeListeners(new Set());
				return;
			case "pressure":
				checkPressure(this.#world, notice.unrecognizedOnly);
				this.#askedForRoom = true;
				return;
			case "measured": {
				const { counters, kernel, completions } = this.#world;
				const bytes = completions?.socketBytes ?? kernel.socketBytes - (this.#world.lines?.outsideBytes ?? 0);
				// Over several turns sockets go on filling and emptying.
				if (this.#world.turns > this.#begunTurn) return;
				if (counters.get("socketBytes") !== bytes)
					violated(`${counters.get("socketBytes")} bytes are measured, and sockets hold ${bytes}`);
				return;
			}
			case "log":
				violated(`the reactor logs: ${notice.message}`);
		}
	}

	/** What the reactor holds connections against is what it was told. */
	#checkApplied(): void {
		const { core } = this.#world.reactor;
		const plan = this.current?.kind === "plan" ? this.current.plan : undefined;
		if (
			core.connectionsMax !== plan?.connections ||
			core.resetsWhenFull !== plan.resetsWhenFull ||
			core.shedsWhenFull !== plan.shedsWhenFull ||
			core.sourceLimits.connections !== plan.connectionsPerSource ||
			core.sourceLimits.perSecond !== plan.acceptsPerSecondPerSource ||
			core.acceptsPerSecond !== plan.acceptsPerSecond ||
			core.descriptorCeiling !== plan.descriptorCeiling
		)
			violated("a plan is said to be applied, and its limits are not");
	}

	#closeListener(fd: number): void {
		const { kernel, peers } = this.#world;
		const listener = this.listeners.get(fd);
		this.listeners.delete(fd);
		// A paused listener is not watched; a watched one must have been let go by the reactor.
		if (listener?.registered === true) violated(`listener ${fd} is still watched after it was given up`);
		// Whoever came is taken, unless a limit or want of something stood before it.
		if (listener !== undefined && listener.queue.length > 0)
			if (listener.mustResumeMs === Number.POSITIVE_INFINITY && !listener.rests)
				violated(`listener ${fd} is given up, and ${listener.queue.length} clients wait there for nothing`);
		for (const socket of listener?.queue ?? []) peers.forget(socket);
		kernel.uninstall(fd);
	}

	// Other reactors, which share the counts of sessions and the sources.

	/** So many sessions of others live from now on, or fewer where limits forbid it. */
	othersBecome(count: number): void {
		while (this.others.length > count) this.#endOther();
		for (let tries = count - this.others.length; tries > 0; tries--) this.#beginOther();
	}

	/** Between two turns: others may have somebody to close for the reactor that asked, or have not. */
	answer(): void {
		if (this.#askedForRoom && this.#world.random.chance(0.5)) this.#endOther();
		this.#askedForRoom = false;
	}

	#beginOther(): void {
		const { random, live, sources, kernel, reactor } = this.#world;
		const { family, unmapped } = randomAddress(random);
		const place = sources.enter(family, unmapped, 0, reactor.core.sourceLimits, kernel.nowMs);
		if (place < NOT_COUNTED) return; // turned away
		const listener = random.below(LISTENERS);
		Atomics.add(live, LIVE_SESSIONS, 1);
		Atomics.add(live, LIVE_LISTENERS + listener, 1);
		this.others.push({ listener, place });
	}

	#endOther(): void {
		const { random, live, sources } = this.#world;
		if (this.others.length === 0) return;
		const [other] = this.others.splice(random.below(this.others.length), 1) as [ForeignSession]; // not empty
		Atomics.sub(live, LIVE_SESSIONS, 1);
		Atomics.sub(live, LIVE_LISTENERS + other.listener, 1);
		if (other.place !== NOT_COUNTED) sources.leave(other.place);
	}

	/** Sessions of others, of a listener. */
	othersAt(listener: number): number {
		let count = 0;
		for (const other of this.others) if (other.listener === listener) count++;
		return count;
	}
}
