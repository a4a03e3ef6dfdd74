/** The network between a gateway and an agent, in a test's hand: it goes silent, comes back, forgets flows, and lets some of them die. */
import { Helper } from "../../../src/rig/helper.js";
import { LOOPBACK } from "../peers.js";
import type { Scenario } from "../scenario.js";
import { ByteRelay } from "./byte-relay.js";
import type { Answer } from "./flows.js";
import type { PathNews, PathOrder } from "./packet-relay.js";

export interface Path {
	/** Where the gateway listens for agents, without the port. */
	readonly address: string;
	/** A command before another runs that where the agent is. */
	readonly through: readonly string[];
	/** The gateway listens on this port. Returns where the agent connects to. */
	leadTo(port: number): Promise<string>;
	/** Nothing passes from now on, and nobody is told. */
	silence(): Promise<void>;
	restore(): Promise<void>;
	/** Connections through it. */
	open(): Promise<number>;
}

/** Packets are dropped where the rights allow it; elsewhere bytes are kept back. */
export async function openPath(scenario: Scenario): Promise<Path> {
	return (await tryPackets(scenario)) ?? openBytes(scenario);
}

/** One that can drop packets of some connections, and not of others. The scenario says that it `needs` "packets". */
export class PacketPath implements Path {
	readonly address: string;
	readonly through: readonly string[];
	readonly #helper: Helper<PathOrder, PathNews>;

	constructor(helper: Helper<PathOrder, PathNews>, address: string, namespace: string) {
		this.#helper = helper;
		this.address = address;
		this.through = ["ip", "netns", "exec", namespace];
	}

	async leadTo(port: number): Promise<string> {
		return `${this.address}:${port}`;
	}

	async silence(): Promise<void> {
		await this.#order({ do: "silent", isSilent: true });
	}

	async restore(): Promise<void> {
		await this.#order({ do: "silent", isSilent: false });
	}

	/** Flows on which nothing passes for so long are forgotten; what comes on them later is dropped or refused. */
	async forget(idleMs: number | null, answer: Answer): Promise<void> {
		await this.#order({ do: "forget", idleMs, answer });
	}

	/** Every other connection is dead from now on, but for the oldest. Returns how many these are. */
	killHalf(): Promise<number> {
		return this.#order({ do: "kill half" });
	}

	open(): Promise<number> {
		return this.#order({ do: "count" });
	}

	async #order(order: PathOrder): Promise<number> {
		this.#helper.order(order);
		const news = await this.#helper.next();
		if (news.news !== "done") throw new Error(`the path says: ${JSON.stringify(news)}`);
		return news.flows;
	}
}

export async function openPackets(scenario: Scenario): Promise<PacketPath> {
	const path = await tryPackets(scenario);
	if (path === undefined) throw new Error("no packets can be had here, although that was looked at before");
	return path;
}

async function tryPackets(scenario: Scenario): Promise<PacketPath | undefined> {
	const helper = new Helper<PathOrder, PathNews>(new URL("packet-relay.js", import.meta.url));
	const news = await helper.next();
	if (news.news !== "ready") {
		await helper.stop();
		return undefined;
	}
	scenario.defer(() => helper.stop());
	return new PacketPath(helper, news.address, news.namespace);
}

function openBytes(scenario: Scenario): Path {
	const relay = new ByteRelay();
	scenario.defer(() => relay.close());
	return {
		address: LOOPBACK,
		through: [],
		leadTo: async (port) => `${LOOPBACK}:${await relay.leadTo(port)}`,
		silence: async () => {
			relay.isSilent = true;
		},
		restore: async () => {
			relay.isSilent = false;
		},
		open: async () => relay.open,
	};
}
