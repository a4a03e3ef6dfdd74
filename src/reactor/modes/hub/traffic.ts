/** All that a reactor knows of the hub: what is published, and who is subscribed to what. */
import { HubFigures } from "../../../channels/figures.js";
import { ChannelLog, NOWHERE } from "../../../channels/log.js";
import type { HubMemory, HubNews, HubOrder, HubSettings } from "../../../channels/orders.js";
import { Delivery, type Subscription } from "../../../channels/subscription.js";
import { NONE, type Session } from "../../table/numbers.js";
import type { Incoming, Leftover } from "./amid.js";
import { Batches } from "./batches.js";
import type { HubChannel } from "./hub-channel.js";
import { Subscriptions } from "./subscriptions.js";

export class HubTraffic {
	settings: HubSettings;
	/** Of this start of the hub: what ids begin with. */
	readonly epoch: number;
	readonly log: ChannelLog;
	readonly figures: HubFigures;
	/** Which reactor reads. */
	readonly index: number;
	readonly subscriptions = new Subscriptions();
	/** By their numbers. */
	readonly channels = new Map<number, HubChannel>();
	/** Those whose subscribers are offered something, in their order. */
	readonly queue: HubChannel[] = [];
	/** What the log had when it was looked at last. */
	seen: number;
	readonly batches = new Batches();

	// Of sessions that are amid something; others have nothing here.
	readonly leftovers = new Map<Session, Leftover>();
	readonly incoming = new Map<Session, Incoming>();
	/** Those that are about to become subscribers, or to be refused. */
	readonly verdicts = new Map<Session, HubOrder>();

	/** For the main thread, at the end of the turn. */
	readonly news: HubNews[] = [];

	/** Messages that whoever has his turn may still be sent in it. */
	share = 0;

	// Reused for every question.
	readonly delivery = new Delivery();
	readonly subscription: Subscription = { had: 0, hadBytes: 0, position: 0, holeFrom: 0, replayTo: 0 };

	constructor(index: number, { sizes, log, figures, epoch }: HubMemory, settings: HubSettings) {
		this.index = index;
		this.settings = settings;
		this.epoch = epoch;
		this.log = new ChannelLog(sizes, log);
		this.figures = new HubFigures(figures, index);
		this.seen = this.log.look();
	}

	/** A channel that somebody is about to be subscribed to. */
	channel(number: number, name: string): HubChannel {
		let channel = this.channels.get(number);
		if (channel === undefined) {
			channel = {
				...{ number, name, first: NONE, count: 0, isQueued: false, cursor: NONE },
				...{ anchor: NOWHERE, hasNewer: false, nextAnchor: NOWHERE, resumedAt: NOWHERE },
				terms: { policy: "drop-oldest", messages: 0, bytes: 0, paceMs: 0, rule: 0 },
			};
			this.channels.set(number, channel);
		}
		return channel;
	}

	/** What holds for a channel by now. Where that is another entry of the configuration, its subscribers are counted there. */
	readTerms(channel: HubChannel): void {
		const { rule } = channel.terms;
		this.log.readTerms(channel.number, channel.terms);
		if (channel.terms.rule === rule || channel.count === 0) return;
		this.figures.addToRule(rule, "subscribers", -channel.count);
		this.figures.addToRule(channel.terms.rule, "subscribers", channel.count);
	}
}
