/** One subscription as its client sees it: each thing that it is told of the channel is held against what it may be told next. */
import { parseId } from "../../../src/channels/names.js";
import { TICK_MS } from "../../../src/parts/wheel.js";
import { violated } from "../trace.js";
import { NO_HOLE, next, type Outcome, type Place, type Sight, type Terms } from "./expected.js";
import type { ChannelLedger, Published } from "./ledger.js";
import type { Told } from "./readers.js";
import type { Sights } from "./sights.js";

/** What was asked for. */
export interface Wish {
	/** The sequence of the id that it came with; undefined: it came with none. */
	readonly after: number | undefined;
	/** The id is of another epoch. */
	readonly isForeign: boolean;
	readonly last: boolean;
}

export const NO_WISH: Wish = { after: undefined, isForeign: false, last: false };

export interface ReplayTerms {
	readonly messages: number;
	readonly ageMs: number;
}

/** When something was decided upon: one of its reactor's sights, from one to another, was what was known then. */
export interface When {
	readonly sights: Sights;
	readonly from: number;
	readonly to: number;
	readonly fromMs: number;
	readonly untilMs: number;
	/** When the turn began in which it went. */
	readonly turn: number;
	/** How often its client had taken no more by then; and whether what it is sent may have been chosen before the last time. */
	readonly shorts: number;
	readonly mayBeOlder: boolean;
}

/** Whether its outbox has bounds: of one that takes what it is sent nothing waits, however much was published at once. */
type Bounds = "hold" | "hold not" | "hold perhaps";

interface Start {
	readonly at: number;
	readonly count: number;
	readonly isTooOld: boolean;
}

export class Following {
	readonly channel: ChannelLedger;
	readonly epoch: number;
	/** What holds for its subscribers, or has since it came. */
	readonly terms: () => readonly Terms[];
	/** Where it may be. */
	#places: Place[];
	/** When it was told something last. */
	#told: number;
	/** What held then, and how often its client had taken no more. */
	#bounds: Bounds = "hold perhaps";
	#turn: number;
	#shorts: number;
	/** It has to be told that before anything else. */
	#owesTooOld: "yes" | "no" | "perhaps";
	/** When messages went that a pace holds for. */
	readonly #sentMs: number[] = [];
	messages = 0;
	gaps = 0;
	missed = 0;

	/** @param told the object that said so */
	constructor(
		channel: ChannelLedger,
		epoch: number,
		told: Told,
		wish: Wish,
		replays: readonly ReplayTerms[],
		when: When,
		terms: () => readonly Terms[],
	) {
		this.channel = channel;
		this.epoch = epoch;
		this.terms = terms;
		const sequence = this.#sequenceIn(told["id"]);
		const history = told["history"] ?? 0;
		this.#told = when.from;
		this.#turn = when.turn;
		this.#shorts = when.shorts;
		const starts = when.sights
			.within(when.from, when.to)
			.flatMap((sight) => replays.flatMap((replay) => startsOf(channel, sight, wish, replay, when)));
		const fits = starts.filter(
			({ at, count, isTooOld }) =>
				count - at === history &&
				sequence < channel.sequenceOf(at) &&
				((isTooOld && history !== 0) || sequence >= channel.sequenceOf(at - 1)),
		);
		const [start] = fits;
		if (start === undefined)
			violated(
				`a subscription to ${channel.name} begins behind ${sequence} with ${history} to follow, which is not ${[...new Set(starts.map(({ at, count }) => `behind ${channel.sequenceOf(at - 1)} with ${count - at}`))].join(", ")}`,
			);
		this.#places = unique(
			fits.map(({ at, count }) => ({ at, hole: NO_HOLE, replayTo: history === 0 ? 0 : count })),
		);
		const isClear = fits.every(({ isTooOld }) => isTooOld === start.isTooOld);
		this.#owesTooOld = isClear ? (start.isTooOld ? "yes" : "no") : "perhaps";
	}

	/** Places that it may be at. */
	get places(): readonly Place[] {
		return this.#places;
	}

	/** `isSure`: the hub has forgotten no channel that it may have been subscribed to. */
	tooOld(isSure: boolean): void {
		if (this.#owesTooOld === "no" && isSure)
			violated(`a subscriber of ${this.channel.name} is told that it comes too late, and does not`);
		this.#owesTooOld = "no";
	}

	message(message: Published, when: When): void {
		this.#beforeAll();
		this.messages++;
		this.#step(
			when,
			false,
			`message ${message.index}`,
			(outcome) => outcome.kind === "message" && outcome.index === message.index,
		);
		this.#paced(when.untilMs);
	}

	gap(missed: number, id: unknown, when: When): void {
		this.#beforeAll();
		this.gaps++;
		this.missed += missed;
		const sequence = this.#sequenceIn(id);
		this.#step(
			when,
			true,
			`a gap of ${missed} up to ${sequence}`,
			(outcome) =>
				outcome.kind === "gap" &&
				outcome.missed === missed &&
				sequence >= this.channel.sequenceOf(outcome.last - 1) &&
				sequence < this.channel.sequenceOf(outcome.place.at),
		);
	}

	/** It is closed because its outbox is full. */
	mayOverflow(when: When): boolean {
		return this.#outcomes(when, "hold perhaps").some(({ kind }) => kind === "overflow");
	}

	/** Nothing is to be sent to it. */
	isLevel(when: When): boolean {
		return (
			this.#outcomes(when, "hold perhaps").some(({ kind }) => kind === "nothing") &&
			this.#owesTooOld !== "yes"
		);
	}

	/** Its next message has to wait, for as long as this; the wheel is coarse. */
	paceMs(nowMs: number): number {
		const paceMs = Math.max(...this.terms().map((terms) => terms.paceMs));
		const last = this.#sentMs.at(-1);
		return paceMs === 0 || last === undefined ? 0 : Math.max(0, last + paceMs + 2 * TICK_MS - nowMs);
	}

	#beforeAll(): void {
		if (this.#owesTooOld === "yes")
			violated(`a subscriber of ${this.channel.name} comes too late, and is not told`);
		this.#owesTooOld = "no";
	}

	#sequenceIn(id: unknown): number {
		const parsed = typeof id === "string" ? parseId(id) : undefined;
		if (parsed === undefined || parsed.epoch !== this.epoch)
			violated(`${JSON.stringify(id)} is no id of now`);
		return parsed.sequence;
	}

	#boundsOf({ shorts, turn, mayBeOlder }: When, isGap: boolean): Bounds {
		if (shorts !== this.#shorts) return mayBeOlder || isGap ? "hold perhaps" : "hold";
		return this.#bounds !== "hold not" && turn === this.#turn ? "hold perhaps" : "hold not";
	}

	#outcomes({ sights, from, to }: When, bounds: Bounds): Outcome[] {
		// Where it may be by now although nothing was sent.
		const passes = this.terms().some(({ policy }) => policy === "conflate" || policy === "drop-newest");
		const before = passes
			? this.#next(this.#places, this.#unlike(sights, this.#told, to), "hold perhaps").flatMap(unseenIn)
			: [];
		return this.#next(unique([...this.#places, ...before]), this.#unlike(sights, from, to), bounds);
	}

	/** Those between which something has happened to this channel. */
	#unlike(sights: Sights, from: number, to: number): readonly Sight[] {
		let last = "";
		return sights.within(from, to).filter(({ moment, seen }) => {
			const { channel } = this;
			const count = channel.countAt(moment);
			const what = `${count} ${channel.countAt(seen)} ${channel.firstThere(this.#first, moment, count)}`;
			const isUnlike = what !== last;
			last = what;
			return isUnlike;
		});
	}

	/** Of all places. */
	get #first(): number {
		return this.#places.reduce((first, { at }) => Math.min(first, at), Number.POSITIVE_INFINITY);
	}

	#next(places: readonly Place[], sights: readonly Sight[], bounds: Bounds): Outcome[] {
		const all = this.terms().flatMap((terms) => {
			// What waits for its pace waits.
			if (terms.paceMs > 0 || bounds === "hold") return [{ terms, isBound: true }];
			const free = { terms, isBound: false };
			return bounds === "hold not" ? [free] : [free, { terms, isBound: true }];
		});
		return places.flatMap((place) =>
			sights.flatMap((sight) =>
				all.map(({ terms, isBound }) => next(this.channel, sight, terms, place, isBound)),
			),
		);
	}

	#step(when: When, isGap: boolean, what: string, fits: (outcome: Outcome) => boolean): void {
		const bounds = this.#boundsOf(when, isGap);
		const outcomes = this.#outcomes(when, bounds);
		const places = outcomes.filter(fits).map(({ place }) => place);
		if (places.length === 0) {
			const due = [...new Set(outcomes.map(describe))].join(", or ");
			violated(
				`a subscriber of ${this.channel.name} at ${JSON.stringify(this.#places)} is sent ${what}; what is due, where bounds ${bounds}, is ${due}; ${JSON.stringify(this.terms())}, ${this.channel.messages.length} were published`,
			);
		}
		this.#places = unique(places);
		this.#told = when.to;
		this.#bounds = bounds;
		this.#turn = when.turn;
		this.#shorts = when.shorts;
	}

	/** In no time more went than a second's worth, and what its pace allows besides. */
	#paced(nowMs: number): void {
		const paceMs = Math.min(...this.terms().map((terms) => terms.paceMs));
		if (paceMs === 0) return;
		this.#sentMs.push(nowMs);
		const burst = Math.max(1, 1_000 / paceMs);
		for (const [index, ms] of this.#sentMs.entries()) {
			const count = this.#sentMs.length - index;
			if (count > burst + (nowMs - ms) / paceMs + 1.5)
				violated(
					`a subscriber is sent ${count} messages in ${nowMs - ms} ms, one of which takes ${paceMs} ms`,
				);
		}
	}
}

function unique(places: readonly Place[]): Place[] {
	return [...new Map(places.map((place) => [`${place.at} ${place.hole} ${place.replayTo}`, place])).values()];
}

/** A message that was chosen and did not go; what newer ones stand for is passed. Or all has gone that was before a hole. */
function unseenIn(outcome: Outcome): Place[] {
	if (outcome.kind === "nothing") return [outcome.place];
	return outcome.kind === "message" ? [{ ...outcome.place, at: outcome.index }] : [];
}

function describe(outcome: Outcome): string {
	if (outcome.kind === "message") return `message ${outcome.index}`;
	return outcome.kind === "gap"
		? `a gap of ${outcome.missed}, the last of which is ${outcome.last - 1}`
		: outcome.kind;
}

/** How old messages may be says the clock: as it goes on, fewer of them are sent again. */
function startsOf(
	channel: ChannelLedger,
	sight: Sight,
	wish: Wish,
	replay: ReplayTerms,
	{ fromMs, untilMs }: When,
): Start[] {
	const first = startOf(channel, sight, wish, replay, Math.max(fromMs, sight.fromMs));
	const last = startOf(channel, sight, wish, replay, Math.min(untilMs, sight.untilMs));
	const starts = [first];
	for (let at = first.at + 1; at <= last.at; at++) starts.push({ ...last, at });
	return starts;
}

function startOf(
	channel: ChannelLedger,
	{ moment }: Sight,
	{ after, isForeign, last }: Wish,
	{ messages, ageMs }: ReplayTerms,
	nowMs: number,
): Start {
	const count = channel.countAt(moment);
	if (after !== undefined && !isForeign) {
		const wanted = Math.min(count, channel.countUpTo(after));
		let at = channel.firstThere(wanted, moment, count);
		while (at < count && (at < count - messages || publishedMs(channel, at) < nowMs - ageMs)) at++;
		return { at, count, isTooOld: at > wanted };
	}
	const isThere = count > 0 && channel.firstThere(count - 1, moment, count) === count - 1;
	return { at: last && isThere ? count - 1 : count, count, isTooOld: isForeign };
}

function publishedMs(channel: ChannelLedger, index: number): number {
	return channel.messages[index]?.publishedMs ?? 0;
}
