import { Helper } from "../../rig/helper.js";
import type { Assault, AssaultReport, Scene } from "../assault.js";
import type { AttackStatus } from "../attack.js";
import { hubConfig } from "../configs-hub.js";
import type { Drill, Threshold } from "../drill.js";
import type { HubAccount } from "../hub-accounts.js";
import {
	HUB_CHANNELS,
	type HubPolicy,
	type Manner,
	OUTBOX_BYTES_MAX,
	STALLED_MS,
	slowOf,
	subscribersDoor,
} from "../hub-traffic.js";
import type { HubAudienceNews, HubSlowNews, HubSlowOrder, PublishedAccount } from "../messages.js";
import { monotonicMs } from "../sampler.js";
import type { HubFigures, Target } from "../target.js";
import { ATTACKERS_GONE, GOOD_CLIENT, NOTHING_LEFT } from "../thresholds.js";

const MIB = 1024 * 1024;

const ACCOUNTS: readonly Threshold[] = [
	{
		measure: "hub.readersLost",
		title: "messages that those who read did not get",
		unit: "count",
		bound: { exactly: 0 },
	},
	{
		measure: "hub.toldOfGaps",
		title: "slow under drop-oldest: told of what they missed, of those",
		unit: "share",
		bound: { exactly: 1 },
		// Where publishing was late they may not be far enough behind.
		byClock: true,
	},
	{
		measure: "hub.outboxFull",
		title: "slow under disconnect: closed because their outbox is full, and told so, of those",
		unit: "share",
		bound: { exactly: 1 },
		byClock: true,
	},
	{
		measure: "hub.cutOff",
		title: "slow ones that took a little, and were closed without a word",
		unit: "count",
		bound: { exactly: 0 },
		byClock: true,
	},
	{
		measure: "hub.disorders",
		title: "messages that were out of order, twice, or behind a gap that nobody told of",
		unit: "count",
		bound: { exactly: 0 },
	},
	{
		measure: "hub.behind",
		title: "slow ones that lived, of whom received and told missed are not what was published",
		unit: "count",
		bound: { exactly: 0 },
	},
	{
		measure: "hub.deliveredLess",
		title: "messages that the target counts as delivered, less those that were received",
		unit: "count",
		bound: { exactly: 0 },
		optional: true,
	},
	{
		measure: "hub.missedLess",
		title: "messages that it counts as missed, less those that subscribers were told of",
		unit: "count",
		bound: { exactly: 0 },
		optional: true,
	},
];

const BOUNDS: readonly Threshold[] = [
	{
		measure: "outboxPerAttackerBytes",
		title: "what waits beside the log for each slow subscriber, at most",
		unit: "bytes",
		bound: { atMost: OUTBOX_BYTES_MAX },
		optional: true,
	},
	{
		measure: "tcpPerAttackerBytes",
		title: "TCP memory of this machine under attack above that in calm, for each slow subscriber",
		unit: "bytes",
		bound: { atMost: 64 * 1024 },
		byClock: true,
	},
	{
		measure: "memoryRiseBytes",
		title: "resident memory under attack above that in calm, at most",
		unit: "bytes",
		bound: { atMost: 16 * MIB },
	},
	{
		measure: "memoryGrowthBytes",
		title: "resident memory late in the attack above that in its middle",
		unit: "bytes",
		bound: { atMost: 4 * MIB },
		byClock: true,
	},
];

const WHY = "its attackers are subscribers, and this listener does not lead to the hub";

/**
 * One in five subscribers stops reading. What is published goes on to the others as before; what the slow ones cost is bounded, they are
 * told of each message that they miss, and end by the write deadline, by their channel's policy, or not at all where they read a little.
 */
export const slowSubscriber: Drill = {
	name: "slow-subscriber",
	summary: "subscribers of the hub, of whom one in five stops reading",
	defaults: { connections: 5000, seconds: 8 },
	counted: "subscribers",
	makesDo: true,
	descriptorsEach: 1,
	// A message goes to more than a thousand, one after the other.
	calmP99MaxMs: 150,
	ending: "target",
	thresholds: [...GOOD_CLIENT, ...ATTACKERS_GONE, ...ACCOUNTS, ...BOUNDS, ...NOTHING_LEFT],

	on: {
		...{ relay: WHY, http: WHY, tls: WHY },
		hub: {
			deadline: { key: "stall", ownMs: STALLED_MS, givenMs: STALLED_MS },
			configure: (_ports, listeners) => hubConfig(listeners),
			attack: (scene) => SlowSubscribers.prepare(scene),
		},
	},
};

class SlowSubscribers implements Assault {
	readonly #target: Target;
	readonly #helper = new Helper<HubSlowOrder, HubSlowNews>(new URL("../hub-slow.js", import.meta.url));
	readonly done = new Promise<void>(() => {});
	#startedMs = 0;
	status: AttackStatus = { atMs: 0, opened: 0, established: 0, alive: 0, ended: 0 };

	/** They subscribe before anything is published, and read as others do until the attack. */
	static async prepare({ target, connections, deadlineMs }: Scene): Promise<SlowSubscribers> {
		const assault = new SlowSubscribers(target);
		const doors = HUB_CHANNELS.map(({ name }) => [name, subscribersDoor(target, name)]);
		assault.#helper.order({
			...{ do: "subscribe", subscribers: slowOf(connections) },
			...{ doors: Object.fromEntries(doors), deadlineMs: deadlineMs ?? STALLED_MS },
		});
		try {
			await assault.#helper.answer((news): news is HubSlowNews => news.news === "subscribed");
		} catch (error) {
			await assault.dispose();
			throw error;
		}
		assault.#helper.listen((news) => {
			if (news.news === "status") assault.status = news.status;
		});
		return assault;
	}

	private constructor(target: Target) {
		this.#target = target;
	}

	get failure(): Promise<never> {
		return this.#helper.failure;
	}

	async start(): Promise<void> {
		this.#startedMs = monotonicMs();
		this.#helper.order({ do: "stop reading" });
	}

	/** Those who take a little go on so until the others are closed. */
	stop(): void {}

	async release(): Promise<AssaultReport> {
		this.#helper.order({ do: "read on" });
		const { opened, established } = this.status;
		return {
			attackers: {
				...{ opened, established, alivePeak: opened, ends: {}, overdueMs: null, faults: [] },
				tookMs: monotonicMs() - this.#startedMs,
			},
			measures: {},
			notRun: [],
		};
	}

	async settle(report: AssaultReport, { accounts = [] }: HubAudienceNews): Promise<AssaultReport> {
		const published = Object.fromEntries(accounts.map((each) => [each.channel, each.published]));
		this.#helper.order({ do: "settle", published });
		const { report: slow } = await this.#helper.answer((news) => news.news === "report");
		const { ends, overdueMs, faults, behind } = slow;
		const cutOff = ends["cut off"] ?? 0;
		// What was under way to those, nobody has had.
		const hub = cutOff > 0 ? null : ((await this.#target.metrics())?.hub ?? null);
		return {
			...report,
			attackers: { ...report.attackers, ends, overdueMs, faults },
			measures: {
				...measuresOf(accounts, slow.accounts),
				...differences([...accounts, ...slow.accounts], hub),
				...{ "hub.behind": behind, "hub.cutOff": cutOff },
			},
		};
	}

	dispose(): Promise<void> {
		return this.#helper.stop();
	}
}

function measuresOf(
	readers: readonly PublishedAccount[],
	slow: readonly HubAccount[],
): Record<string, number | null> {
	const lived = ofChannels(slow, "drop-oldest", "trickle");
	const cut = ofChannels(slow, "disconnect", "trickle");
	const due = sum(readers, ({ published, subscribers }) => published * subscribers);
	return {
		"hub.published": sum(readers, ({ published }) => published),
		"hub.readersLost": due - sum(readers, ({ received }) => received),
		"hub.toldOfGaps":
			sum(lived, ({ toldOfGaps }) => toldOfGaps) / sum(lived, ({ subscribers }) => subscribers),
		"hub.outboxFull": sum(cut, ({ outboxFull }) => outboxFull) / sum(cut, ({ subscribers }) => subscribers),
		"hub.disorders": sum([...readers, ...slow], ({ disorders }) => disorders),
		"hub.notices": sum(lived, ({ notices }) => notices),
		"hub.received": sum(lived, ({ received }) => received),
		"hub.missed": sum(lived, ({ missed }) => missed),
	};
}

/** What the target has counted against what its subscribers have, of the channels of which everything was read. */
function differences(accounts: readonly HubAccount[], hub: HubFigures | null): Record<string, number | null> {
	if (hub === null) return { "hub.deliveredLess": null, "hub.missedLess": null };
	const read = HUB_CHANNELS.filter(({ manner }) => manner === "trickle");
	const off = (figure: string, of: (account: HubAccount) => number): number =>
		sum(read, ({ name }) => {
			const counted = hub.channels[name]?.[figure] ?? Number.NaN;
			const mine = accounts.filter(({ channel }) => channel === name);
			return Math.abs(counted - sum(mine, of));
		});
	return {
		"hub.deliveredLess": off("delivered_total", ({ received }) => received),
		"hub.missedLess": off("missed_total", ({ missed }) => missed),
	};
}

function ofChannels(accounts: readonly HubAccount[], policy: HubPolicy, manner: Manner): HubAccount[] {
	const names = HUB_CHANNELS.filter((each) => each.policy === policy && each.manner === manner);
	return accounts.filter(({ channel }) => names.some(({ name }) => name === channel));
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
	return items.reduce((total, item) => total + of(item), 0);
}
