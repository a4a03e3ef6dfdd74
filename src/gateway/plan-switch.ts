/**
 * What a gateway runs with: of the configuration in force a plan is made for each reactor, and another configuration takes its place
 * whole or not at all.
 */
import type { Config, ListenerConfig } from "../config/config.js";
import type { ListenerPlan, Plan } from "../reactor/plan/plan.js";
import { planCommands } from "../reactor/plan/plan-parts.js";
import type { Certificates } from "./certificates.js";
import type { HeldListeners } from "./held-listeners.js";
import { planFor, type Registry } from "./plan.js";
import type { Reactors } from "./reactors.js";
import { OutOfSlots } from "./slots.js";
import type { Tls } from "./tls.js";
import type { Upstreams } from "./upstreams.js";

export interface PlanSwitchWorld {
	readonly reactors: Reactors;
	readonly registry: Registry;
	readonly upstreams: Upstreams;
	readonly listeners: HeldListeners;
	readonly tls: Tls;
	/** How many this process may use. */
	readonly descriptors: number;
	/** Takes the records of sessions that have ended. */
	readonly takeRecords: () => void;
}

/** What can be switched to. */
export interface Switchable {
	readonly written: Config;
	readonly config: Config;
	readonly connections: number;
	readonly certificates: Certificates;
}

/** Its methods are called in turn, so that no plan is made while another is under way. */
export class PlanSwitch {
	/** As the file says it, and with what tunnels make of it. */
	written: Config;
	config: Config;
	/** Sessions that there may be. */
	connections = 0;
	readonly #world: PlanSwitchWorld;
	#revision = 0;

	constructor(config: Config, world: PlanSwitchWorld) {
		this.written = config;
		this.config = config;
		this.#world = world;
	}

	/** Of the last plan. */
	get revision(): number {
		return this.#revision;
	}

	/** Has all reactors run with the configuration in force. `accepting`: at start, listeners that need not wait for the others. */
	async send(accepting = this.config.listeners): Promise<void> {
		const revision = ++this.#revision;
		await this.#send(revision, await this.#plans(revision, { ...this.config, listeners: accepting }));
	}

	/** Has all reactors run with another configuration, and closes the listeners that it has not. Rejects, and changes nothing, when it has too much of something. `taken`: nothing refuses it any more, and reactors are about to have it. */
	async switchTo(next: Switchable, taken: () => void = () => {}): Promise<void> {
		const { listeners, reactors, upstreams, tls } = this.#world;
		const { written, config, connections } = this;
		const before = { written, config, connections, certificates: tls.certificates };
		const listenersBefore = listeners.open(next.config, reactors.count);
		this.#use(next);
		await upstreams.follow(next.config);
		const revision = ++this.#revision;
		let plans: Plan[];
		try {
			plans = await this.#plans(revision, next.config);
		} catch (error) {
			// Too many of something at once. Nothing has been sent to the reactors yet.
			listeners.backTo(listenersBefore);
			this.#use(before);
			upstreams.resolve(before.config, before.certificates);
			await upstreams.follow(before.config);
			throw error;
		}
		taken();
		try {
			await this.#send(revision, plans);
		} catch (error) {
			// They will take it later.
			listeners.keepToo(listenersBefore);
			throw error;
		}
		// Only now: each reactor has taken what waited in their queues.
		listeners.leave(listenersBefore);
	}

	#use({ written, config, connections, certificates }: Switchable): void {
		this.written = written;
		this.config = config;
		this.connections = connections;
		this.#world.tls.certificates = certificates;
	}

	/** Rejects when a reactor has not said in time that it runs with its plan; it has that all the same. */
	async #send(revision: number, plans: readonly Plan[]): Promise<void> {
		const { reactors, registry } = this.#world;
		const applied = reactors.all((notice) => notice.kind === "applied" && notice.revision === revision);
		for (const [index, plan] of plans.entries())
			for (const command of planCommands(plan)) reactors.tellOne(index, command);
		await applied;
		registry.keep(this.config);
	}

	/** A plan for each reactor. Throws when numbers have run out, although all have been given back that nothing holds. */
	async #plans(revision: number, config: Config): Promise<Plan[]> {
		try {
			return this.#makePlans(revision, config);
		} catch (error) {
			if (!(error instanceof OutOfSlots)) throw error;
			await this.freeNumbers();
			return this.#makePlans(revision, config);
		}
	}

	/** Finds the numbers that nothing holds any more. */
	async freeNumbers(): Promise<void> {
		const { reactors, registry, takeRecords } = this.#world;
		const held = await reactors.held();
		// Records of sessions that ended before name their numbers.
		takeRecords();
		registry.free(held);
	}

	#makePlans(revision: number, config: Config): Plan[] {
		const { reactors, registry, listeners, upstreams, descriptors } = this.#world;
		const tls = this.#world.tls.material;
		const resolved = upstreams.resolve(this.config, tls.certificates);
		const capacity = { connections: this.connections, descriptors };
		return Array.from({ length: reactors.count }, (_, index) => {
			const socketOf = (name: string): Pick<ListenerPlan, "fd" | "port" | "isShared"> => {
				const listener = listeners.present.get(name);
				const isShared = listener?.inheritedAs !== undefined;
				return {
					...{ fd: listener?.fds[index] ?? -1, port: listener?.port ?? 0 },
					...(isShared ? { isShared } : {}),
				};
			};
			return planFor(config, registry, resolved, revision, capacity, tls, socketOf);
		});
	}
}

/** Those whose routes lead to addresses only: they wait for no name. */
export function listenersWithoutNames({ listeners, upstreams }: Config): readonly ListenerConfig[] {
	const named = new Set(
		upstreams
			.filter(({ addresses }) => addresses.some(({ kind }) => kind === "name"))
			.map(({ name }) => name),
	);
	return listeners.filter(({ routes }) => routes.every(({ to }) => to === null || !named.has(to)));
}
