/** What was published to a channel lately, read out of the log for an operator. */
import { type ChannelLog, NOWHERE } from "../channels/log.js";
import { formatId, parseId } from "../channels/names.js";
import { EVENT_STREAM } from "../channels/protocols.js";
import type { HubChannelConfig } from "../config/config.js";
import type { Channel } from "./channel.js";
import { type HistoryMessage, type HistoryOptions, type HubHistory, HubRefusal } from "./desk.js";

interface Clocks {
	readonly epoch: number;
	/** As messages are stamped, and as they are told. */
	readonly nowMs: number;
	readonly unixMs: number;
	/** The highest sequence of a message whose channel was forgotten. */
	readonly forgotten: number;
}

/** A message as it is told. */
export function toldAs(
	channel: string,
	id: string,
	key: string | undefined,
	data: string | Uint8Array,
	publishedMs: number,
): HistoryMessage {
	const said = typeof data === "string" ? { data } : { base64: Buffer.from(data).toString("base64") };
	return { channel, id, ...(key === undefined ? {} : { key }), ...said, publishedMs };
}

/** @throws HubRefusal where `after` is no id */
export function readHistory(
	log: ChannelLog,
	channel: Channel | undefined,
	{ replay }: HubChannelConfig,
	{ limit, bytes = Number.POSITIVE_INFINITY, after }: HistoryOptions,
	clocks: Clocks,
): HubHistory {
	const id = after === undefined ? undefined : parseId(after);
	if (after !== undefined && id === undefined)
		throw new HubRefusal("bad_message", "after: expected an id as messages have, EPOCH:SEQUENCE");
	if (id !== undefined && id.epoch !== clocks.epoch) return { messages: [], tooOld: true };
	if (channel === undefined)
		return { messages: [], tooOld: id !== undefined && id.sequence < clocks.forgotten };
	const positions = positionsOf(log, channel, replay, clocks.nowMs);
	const isBehind = (position: number): boolean => id === undefined || log.sequence(position) > id.sequence;
	const wanted = positions.filter(isBehind);
	const first = wanted[0];
	// Messages of the channel behind `after` that are not there: counted by what was published.
	const isComplete =
		id === undefined ||
		(first === undefined
			? Math.max(channel.lastSequence, log.goneSequence(channel.number)) <= id.sequence
			: positions.length > wanted.length || lastBefore(log, channel, first) <= id.sequence);
	const messages = id === undefined ? newest(log, wanted, limit, bytes) : oldest(log, wanted, limit, bytes);
	return { messages: messages.map((position) => tell(log, channel, position, clocks)), tooOld: !isComplete };
}

/** How many messages the whole history has. */
export function countHistory(
	log: ChannelLog,
	channel: Channel,
	{ replay }: HubChannelConfig,
	nowMs: number,
): number {
	return positionsOf(log, channel, replay, nowMs).length;
}

/** Messages that the channel keeps for those who come back, the oldest first. */
function positionsOf(
	log: ChannelLog,
	{ number }: Channel,
	{ messages, ageMs }: HubChannelConfig["replay"],
	nowMs: number,
): number[] {
	const positions: number[] = [];
	for (let position = log.oldest(number); position !== NOWHERE; position = log.next(position))
		if (log.index(position) > log.count(number) - messages && log.publishedMs(position) >= nowMs - ageMs)
			positions.push(position);
	return positions;
}

/** The sequence of the message of the channel before this one; of one that is gone that is not known better than by the last that is. */
function lastBefore(log: ChannelLog, { number }: Channel, position: number): number {
	let before = log.goneSequence(number);
	for (let each = log.oldest(number); each !== NOWHERE && each < position; each = log.next(each))
		before = log.sequence(each);
	return before;
}

function oldest(log: ChannelLog, positions: readonly number[], limit: number, bytes: number): number[] {
	let sum = 0;
	const taken: number[] = [];
	for (const position of positions) {
		sum += payloadOf(log, position);
		if (taken.length >= limit || (sum > bytes && taken.length > 0)) break;
		taken.push(position);
	}
	return taken;
}

function newest(log: ChannelLog, positions: readonly number[], limit: number, bytes: number): number[] {
	return oldest(log, [...positions].reverse(), limit, bytes).reverse();
}

function payloadOf(log: ChannelLog, position: number): number {
	return log.bytesSoFar(position) - log.bytesBefore(position);
}

/** It stands in the log as it goes to subscribers; its event says all of it. */
function tell(
	log: ChannelLog,
	{ name }: Channel,
	position: number,
	{ epoch, nowMs, unixMs }: Clocks,
): HistoryMessage {
	const at = log.encodingAt(position, EVENT_STREAM);
	const event = Buffer.from(log.ring.slice(at, at + log.encodingBytes(position, EVENT_STREAM))).toString();
	const json = event.slice(event.indexOf("data: ") + 6);
	const { key, data, base64 } = JSON.parse(json) as { key?: string; data?: string; base64?: string };
	return {
		...{ channel: name, id: formatId({ epoch, sequence: log.sequence(position) }) },
		...(key === undefined ? {} : { key }),
		...(data === undefined ? { base64: base64 ?? "" } : { data }),
		publishedMs: Math.round(unixMs - (nowMs - log.publishedMs(position))),
	};
}
