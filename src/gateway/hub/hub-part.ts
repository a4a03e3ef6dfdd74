/** The gateway's hub: the main thread's half, and the reactors that it speaks to. There is one from the first configuration on that has it. */
import type { HubNews, HubOrder } from "../../channels/orders.js";
import type { Config, HubConfig } from "../../config/config.js";
import type { Channel } from "../../hub/channel.js";
import { countsOf, type HubCounts } from "../../hub/counts.js";
import type { HubDesk } from "../../hub/desk.js";
import { Hub } from "../../hub/hub.js";
import { KeyFile } from "../../hub/key-file.js";
import { Subscribers } from "../../hub/subscribers.js";
import { StartError } from "../errors.js";
import type { Logger } from "../log.js";
import type { Reactors } from "../reactors.js";
import { kernelNowMs } from "../sessions/clock.js";
import type { Place } from "../sessions/live.js";

interface Running {
	readonly hub: Hub;
	readonly subscribers: Subscribers;
}

export class HubPart {
	readonly #logger: Logger;
	readonly #reactors: Reactors;
	readonly #find: (session: number) => Place | undefined;
	#running: Running | undefined;
	#startedWith: HubConfig | undefined;
	/** In force; what a configuration has without a hub is none. */
	#config: Config | undefined;
	#keys: KeyFile | undefined;
	/** Of a configuration that has not come into force, and perhaps never does. */
	#prepared: KeyFile | undefined;
	/** Orders of this turn of the loop, by reactor. */
	readonly #orders = new Map<number, HubOrder[]>();

	/** `find`: where a session is; `undefined`: it does not live. */
	constructor(logger: Logger, reactors: Reactors, find: (session: number) => Place | undefined) {
		this.#find = find;
		this.#logger = logger;
		this.#reactors = reactors;
	}

	/** `undefined`: the configuration has none. */
	get desk(): HubDesk | undefined {
		return this.#config?.hub == null ? undefined : this.#running?.hub;
	}

	/** Also of a hub that the configuration has no more: counts stay. `undefined`: there was none. */
	counts(): HubCounts | undefined {
		return this.#running === undefined ? undefined : countsOf(this.#running.hub);
	}

	/** With what its memory was sized; `undefined`: there is none so far. */
	get startedWith(): HubConfig | undefined {
		return this.#startedWith;
	}

	/**
	 * Reads what the configuration names, before anything is changed for it.
	 *
	 * @throws StartError: its keys cannot be read
	 */
	prepare({ hub }: Config): KeyFile | undefined {
		this.#prepared?.close();
		this.#prepared = undefined;
		if (hub === null || hub.keysFile === null) return undefined;
		if (this.#keys?.path === hub.keysFile) return this.#keys;
		try {
			const file = new KeyFile(hub.keysFile, {
				reloaded: () => this.#keys === file && this.#keysRenewed(file.path),
				refused: (sentence) =>
					this.#logger.error(
						{ error: sentence },
						"the hub's keys stay as they were: the new file is no good",
					),
			});
			this.#prepared = file;
			return file;
		} catch (error) {
			throw new StartError((error as Error).message);
		}
	}

	/** A configuration comes into force. Before the reactors have its plan. */
	follow(config: Config, keys: KeyFile | undefined): void {
		const before = this.#keys;
		if (keys !== before) before?.close();
		this.#keys = keys;
		this.#prepared = undefined;
		this.#config = config;
		const { hub: next } = config;
		if (this.#running === undefined && next === null) return;
		if (this.#running === undefined && next !== null) this.#running = this.#start(next);
		const { hub, subscribers } = this.#running as Running;
		subscribers.drop(hub.use(next ?? { ...hub.config, channels: [] }));
		// Also where there was no hub for a while: whoever came before is still there.
		if (next !== null && keys !== before) this.#keysRenewed(keys?.path ?? null, before !== undefined);
		const { memory, settings } = hub;
		this.#reactors.tell({ kind: "hub", memory, settings });
	}

	/** What a reactor says of subscribers. */
	heard(reactor: number, items: readonly HubNews[]): void {
		this.#running?.subscribers.heard(reactor, items);
	}

	/** The gateway drains, or stops: reactors send their subscribers away, and nobody follows a channel any more. */
	end(reason: string): void {
		this.#running?.hub.close(reason);
	}

	close(): void {
		this.end("the gateway stops");
		this.#running?.subscribers.close();
		for (const file of [this.#keys, this.#prepared]) file?.close();
		this.#keys = this.#prepared = undefined;
	}

	/** Whoever came with a token of a key that is there no more ends. */
	#keysRenewed(file: string | null, isTold = true): void {
		const ended = this.#running?.subscribers.keysChanged() ?? 0;
		if (isTold || ended > 0) this.#logger.info({ file, ended }, "the hub's keys were renewed");
	}

	#start(config: HubConfig): Running {
		this.#startedWith = config;
		let subscribers: Subscribers | undefined;
		const hub = new Hub({
			...{ config, reactors: this.#reactors.count, now: kernelNowMs, unixNow: Date.now },
			wake: (reactor) => this.#reactors.wake(reactor),
			unsubscribe: (session, channel: Channel) =>
				subscribers?.unsubscribe(session, channel) ?? Promise.resolve(false),
		});
		subscribers = new Subscribers({
			hub,
			tell: (reactor, orders) => this.#tell(reactor, orders),
			verifier: () => this.#keys,
			unixNow: Date.now,
			handshakeMs: () => this.#config?.timeouts.handshakeMs ?? 0,
			find: this.#find,
			fault: (error) => this.#logger.error({ error: (error as Error).stack }, "a fault in the hub"),
		});
		return { hub, subscribers };
	}

	#tell(reactor: number, orders: readonly HubOrder[]): void {
		const waiting = this.#orders.get(reactor);
		if (waiting !== undefined) {
			waiting.push(...orders);
			return;
		}
		this.#orders.set(reactor, [...orders]);
		queueMicrotask(() => {
			const all = this.#orders.get(reactor) ?? [];
			this.#orders.delete(reactor);
			this.#reactors.tellOne(reactor, { kind: "hubOrders", orders: all });
		});
	}
}
