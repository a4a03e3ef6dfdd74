/** The main thread's half of the hub, as the gateway has it, with its clock and its messages in the simulation's hands. */
import type { HubOrder } from "../../../src/channels/orders.js";
import type { HubConfig } from "../../../src/config/config.js";
import type { Channel } from "../../../src/hub/channel.js";
import { type HubPublication, HubRefusal } from "../../../src/hub/desk.js";
import { Hub } from "../../../src/hub/hub.js";
import { Subscribers } from "../../../src/hub/subscribers.js";
import { f64, u8 } from "../../../src/parts/at.js";
import type { Session } from "../../../src/reactor/table/numbers.js";
import { HUB } from "../../../src/reactor/table/states.js";
import type { HubReactor } from "./hub-reactor.js";
import type { Ledger } from "./ledger.js";

/** Unix time when the machine was started. */
const STARTED_MS = 1_700_000_000_000;

export class MainThread {
	readonly hub: Hub;
	readonly subscribers: Subscribers;
	/** Channels by their names, as the hub has had them. */
	readonly faults: unknown[] = [];
	readonly #reactors: readonly HubReactor[];
	readonly #ledger: Ledger;
	readonly #now: () => number;
	readonly #orders = new Map<number, HubOrder[]>();

	constructor(config: HubConfig, reactors: readonly HubReactor[], ledger: Ledger, now: () => number) {
		this.#reactors = reactors;
		this.#ledger = ledger;
		this.#now = now;
		const unixNow = (): number => STARTED_MS + Math.floor(now());
		this.hub = new Hub({
			...{ config, reactors: reactors.length, now, unixNow },
			wake: (reactor) => this.#wake(reactor),
			unsubscribe: (session, channel: Channel) => this.subscribers.unsubscribe(session, channel),
		});
		this.#watch();
		this.subscribers = new Subscribers({
			hub: this.hub,
			tell: (reactor, orders) => this.#tell(reactor, orders),
			...{ verifier: () => undefined, unixNow, handshakeMs: () => 1_000 },
			find: (session) => this.find(session),
			fault: (error) => void this.faults.push(error),
		});
	}

	/** Whoever publishes, it is noted. */
	#watch(): void {
		const { hub } = this;
		const publish = hub.publish.bind(hub);
		hub.publish = (name, publication) => {
			const result = publish(name, publication);
			this.#noted(name, publication);
			return result;
		};
	}

	#noted(name: string, { data, key, priority }: HubPublication): void {
		const { hub } = this;
		const channel = hub.channelsThere.get(name) as Channel; // it was published to just now
		this.#ledger.published(name, {
			...{ sequence: channel.lastSequence, key, isLow: priority === "low", data },
			...{ position: hub.log.newest(channel.number), tail: hub.log.tail, nowMs: this.#now() },
		});
	}

	/** False: it was refused. */
	publish(name: string, publication: HubPublication): boolean {
		try {
			this.hub.publish(name, publication);
			return true;
		} catch (error) {
			if (error instanceof HubRefusal) return false;
			throw error;
		}
	}

	#wake(reactor: number): void {
		const { kernel, wake } = this.#reactors[reactor] as HubReactor; // as many as it was told of
		kernel.wake(wake);
	}

	/** Orders of one turn of the loop go together. */
	#tell(reactor: number, orders: readonly HubOrder[]): void {
		const waiting = this.#orders.get(reactor);
		if (waiting === undefined) this.#orders.set(reactor, [...orders]);
		else waiting.push(...orders);
	}

	/** At the end of a turn of the loop. */
	send(): void {
		for (const [reactor, orders] of this.#orders) this.#reactors[reactor]?.tellOrders(orders);
		this.#orders.clear();
	}

	/** It hears of `count` things that a reactor has said. Whatever follows from them at once is done. */
	async hear(reactor: HubReactor, count: number): Promise<void> {
		this.subscribers.heard(reactor.index, reactor.news.splice(0, count));
		await settled(count);
		this.send();
	}

	use(config: HubConfig): void {
		this.subscribers.drop(this.hub.use(config));
		const { memory, settings } = this.hub;
		this.send();
		for (const reactor of this.#reactors) reactor.tell({ kind: "hub", memory, settings });
	}

	find(number: number): { readonly reactor: number; readonly row: number } | undefined {
		for (const { index, sessions, reactor } of this.#reactors) {
			const { table } = reactor.core;
			for (let row = 0 as Session; row < sessions; row++)
				if (u8(table.state, row) === HUB && f64(table.number, row) === number) return { reactor: index, row };
		}
		return undefined;
	}
}

/** Longer than any chain of promises that follows from one message. */
const CHAIN = 16;

/** Those of one client wait for each other. */
export async function settled(messages: number): Promise<void> {
	for (let link = 0; link < CHAIN * (messages + 1); link++) await undefined;
}
