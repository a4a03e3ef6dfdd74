/**
 * Faults that are put into the hub's own classes, so that it is seen whether the checks would notice them. Each changes one method for the
 * time of a run, now and then.
 */
import { HubFigures } from "../../../src/channels/figures.js";
import { ChannelLog } from "../../../src/channels/log.js";
import type { Subscription } from "../../../src/channels/subscription.js";
import { Subscriptions } from "../../../src/reactor/modes/hub/subscriptions.js";

/** Every so manieth call is wrong. */
const EVERY = 23;

// biome-ignore lint/suspicious/noExplicitAny: a method of any class is put in another's place.
type Method = (this: any, ...args: any[]) => any;

interface Mutant {
	readonly of: { readonly prototype: object };
	readonly method: string;
	/** `isWrong`: it is this call's turn. */
	readonly change: (original: Method, isWrong: () => boolean) => Method;
}

export const HUB_MUTANTS: Readonly<Record<string, Mutant>> = {
	message_sent_twice: {
		of: Subscriptions,
		method: "store",
		change: (original, isWrong) =>
			function (row: number, at: Subscription) {
				const moved = at.had > this.had[row];
				if (!(moved && isWrong())) original.call(this, row, at);
			},
	},
	message_lost: {
		of: Subscriptions,
		method: "store",
		change: (original, isWrong) =>
			function (row: number, at: Subscription) {
				const moved = at.had > this.had[row];
				original.call(this, row, moved && isWrong() ? { ...at, had: at.had + 1, position: -1 } : at);
			},
	},
	superseded_by_nothing: {
		of: ChannelLog,
		method: "append",
		change: (original, isWrong) =>
			function (...args: unknown[]) {
				const position = original.apply(this, args);
				if (isWrong()) this.supersede(position);
				return position;
			},
	},
	other_protocol: {
		of: ChannelLog,
		method: "encodingAt",
		change: (original, isWrong) =>
			function (position: number, protocol: number) {
				return original.call(this, position, isWrong() ? (protocol + 1) % 3 : protocol);
			},
	},
	too_old_not_told: {
		of: ChannelLog,
		method: "goneSequence",
		change: () => () => 0,
	},
	subscriber_not_counted_out: {
		of: HubFigures,
		method: "addToRule",
		change: (original, isWrong) =>
			function (rule: number, figure: string, amount: number) {
				if (!(figure === "subscribers" && amount < 0 && isWrong())) original.call(this, rule, figure, amount);
			},
	},
	outbox_bytes_kept: {
		of: HubFigures,
		method: "add",
		change: (original, isWrong) =>
			function (figure: string, amount: number) {
				if (!(figure === "outboxBytes" && amount < 0 && isWrong())) original.call(this, figure, amount);
			},
	},
	row_not_given_back: {
		of: Subscriptions,
		method: "give",
		change: (original, isWrong) =>
			function (row: number) {
				if (!isWrong()) original.call(this, row);
			},
	},
};

/** Runs something with a fault in place. */
export async function withMutant<Result>(name: string, run: () => Promise<Result>): Promise<Result> {
	const { of, method, change } = HUB_MUTANTS[name] as Mutant;
	const methods = of.prototype as Record<string, Method>;
	const original = methods[method] as Method;
	let calls = 0;
	methods[method] = change(original, () => ++calls % EVERY === 0);
	try {
		return await run();
	} finally {
		methods[method] = original;
	}
}
