/** What a reactor itself says to a subscriber, in its protocol (`docs/hub-wire.md`). */
import { EVENT_HEARTBEAT, encodeNotice, FRAMED_HEARTBEAT, type HubNotice } from "../../../channels/encode.js";
import { NOWHERE } from "../../../channels/log.js";
import { formatId } from "../../../channels/names.js";
import { EVENT_STREAM, WEBSOCKET } from "../../../channels/protocols.js";
import type { Delivery } from "../../../channels/subscription.js";
import { writeClose } from "../../../protocol/websocket/close-frame.js";
import { CONTROL_MAX_BYTES, OPCODE_PING, writeFrameHeader } from "../../../protocol/websocket/frame.js";
import type { HubChannel } from "./hub-channel.js";
import type { HubTraffic } from "./traffic.js";

export function notice(what: HubNotice, protocol: number): Uint8Array {
	return encodeNotice(what)[protocol] as Uint8Array;
}

/** So many messages are left out. */
export function gapNotice(
	hub: HubTraffic,
	{ name }: HubChannel,
	{ missed, lastMissed }: Delivery,
	protocol: number,
): Uint8Array {
	return notice({ type: "gap", channel: name, missed, id: idOf(hub, lastMissed) }, protocol);
}

export function idOf({ epoch }: HubTraffic, sequence: number): string {
	return formatId({ epoch, sequence });
}

/** A sequence that everything before this message has at most, and itself exceeds by one; NOWHERE: that of all that there is. */
export function sequenceBefore(hub: HubTraffic, { number }: HubChannel, position: number): number {
	const { log, index } = hub;
	if (position === NOWHERE || !log.beginRead(index, position)) return lastSequence(hub, number);
	const sequence = log.sequence(position) - 1;
	log.endRead(index);
	return sequence;
}

/** That of the channel's newest message; 0: it has had none. */
export function lastSequence({ log, index }: HubTraffic, channel: number): number {
	const newest = log.newest(channel);
	if (newest === NOWHERE || !log.beginRead(index, newest)) return log.goneSequence(channel);
	const sequence = log.sequence(newest);
	log.endRead(index);
	return sequence;
}

const PING: Uint8Array = header(OPCODE_PING, 0);

/** What goes where nothing else does, so that NATs keep the way open. */
export function heartbeat(protocol: number): Uint8Array {
	if (protocol === WEBSOCKET) return PING;
	return protocol === EVENT_STREAM ? EVENT_HEARTBEAT : FRAMED_HEARTBEAT;
}

/** The last words: why it ends, and when to come back where that makes sense. */
export function lastWords(protocol: number, code: number, reason: string, retryMs: number): Uint8Array {
	const retry = retryMs > 0 ? { retry_after_ms: retryMs } : {};
	if (protocol === WEBSOCKET) {
		const text = retryMs > 0 ? `${reason}; retry_after_ms=${retryMs}` : reason;
		const frame = new Uint8Array(2 + CONTROL_MAX_BYTES);
		return frame.subarray(0, writeClose(frame, 0, code, text));
	}
	const event = notice({ type: "end", code, reason, ...retry }, protocol);
	// In front of it: the browser goes by this line.
	return protocol === EVENT_STREAM && retryMs > 0
		? Buffer.concat([Buffer.from(`retry: ${retryMs}\n\n`), event])
		: event;
}

function header(opcode: number, bytes: number): Uint8Array {
	const out = new Uint8Array(10);
	return out.slice(0, writeFrameHeader(out, 0, opcode, bytes));
}
