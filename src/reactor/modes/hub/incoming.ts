/**
 * What a client of the hub says: frames of WebSocket, or of a length. A message that came in part is kept until the rest of it is
 * there, in memory of its own; who is between two messages has none.
 */

import { WEBSOCKET } from "../../../channels/protocols.js";
import { ENOBUFS } from "../../../kernel/constants.js";
import { COMPLETE, MALFORMED } from "../../../protocol/verdict.js";
import {
	CLOSE_NONE,
	CLOSE_NORMAL,
	CLOSE_PROTOCOL_ERROR,
	CLOSE_TOO_LARGE,
} from "../../../protocol/websocket/close-codes.js";
import { answerToClose } from "../../../protocol/websocket/close-frame.js";
import {
	Frame,
	HEADER_MAX_BYTES,
	OPCODE_PONG,
	parseFrame,
	unmask,
	writeFrameHeader,
} from "../../../protocol/websocket/frame.js";
import {
	INCOMING_CLOSE,
	INCOMING_FAULT,
	INCOMING_FRAGMENT,
	INCOMING_MESSAGE,
	INCOMING_PING,
	isAmidMessage,
	Incoming as Judgement,
	newIncoming,
	takeFrame,
} from "../../../protocol/websocket/incoming.js";
import type { Session } from "../../table/numbers.js";
import type { Incoming } from "./amid.js";
import type { HubContext } from "./context.js";
import type { HubTraffic } from "./traffic.js";

/** Frames that are longer than a message may be are refused; so is a crowd of fragments without an end. */
const FRAGMENTS_MAX = 1_024;

// What the next frame comes to.
/** Nothing that is whole. */
export const NOTHING_WHOLE = 0;
/** A message: `message` and `isText`. */
export const MESSAGE = 1;
/** Something to send back: `reply`. */
export const REPLY = 2;
/** Its client ends the connection, or breaks the protocol: `closeCode` is what it is told. */
export const CLOSES = 3;
export const BREAKS = 4;

/** Of one frame: the next one is looked at. */
const GOES_ON = 5;

/** What was found last. One object serves one reactor. */
export class Found {
	message: Uint8Array = new Uint8Array(0);
	isText = false;
	reply: Uint8Array = new Uint8Array(0);
	closeCode = CLOSE_NONE;
}

const frame = new Frame();
const judgement = new Judgement();
export const found = new Found();

/** More has come. A negative errno: there is no room for it. */
export function addIncoming(core: HubContext, hub: HubTraffic, session: Session, bytes: Uint8Array): number {
	const incoming = hub.incoming.get(session);
	if (bytes.length > core.budget.room) return -ENOBUFS;
	count(core, hub, bytes.length);
	if (incoming === undefined) {
		const sinceMs = core.nowMs;
		hub.incoming.set(session, { bytes, state: newIncoming(), fragments: [], fragmentBytes: 0, sinceMs });
		return 0;
	}
	incoming.bytes = incoming.bytes.length === 0 ? bytes : Buffer.concat([incoming.bytes, bytes]);
	return 0;
}

/** Takes the next frame of what has come. */
export function nextIncoming(core: HubContext, hub: HubTraffic, session: Session): number {
	const incoming = hub.incoming.get(session);
	if (incoming === undefined) return NOTHING_WHOLE;
	const isWebSocket = core.hubColumns.protocolOf(session) === WEBSOCKET;
	const kind = isWebSocket ? nextFrame(core, hub, incoming) : nextFramed(core, hub, incoming);
	if (kind === MESSAGE) incoming.sinceMs = core.nowMs;
	if (incoming.bytes.length === 0 && incoming.fragments.length === 0) hub.incoming.delete(session);
	return kind;
}

function nextFrame(core: HubContext, hub: HubTraffic, incoming: Incoming): number {
	// Fragments and pongs say nothing alone, and may be many.
	for (;;) {
		const kind = takeNext(core, hub, incoming);
		if (kind !== GOES_ON) return kind;
	}
}

function takeNext(core: HubContext, hub: HubTraffic, incoming: Incoming): number {
	const { bytes, state } = incoming;
	const { messageBytes } = hub.settings;
	const verdict = parseFrame(bytes, 0, bytes.length, isAmidMessage(state), messageBytes, frame);
	if (verdict === MALFORMED) return breaks(frame.closeCode);
	if (verdict !== COMPLETE) return NOTHING_WHOLE;
	unmask(bytes, frame);
	const kind = takeFrame(bytes, frame, state, messageBytes, judgement);
	const payload = bytes.subarray(frame.payloadAt, frame.end);
	take(core, hub, incoming, frame.end);
	switch (kind) {
		case INCOMING_PING:
			found.reply = pong(payload);
			return REPLY;
		case INCOMING_CLOSE: {
			const code = answerToClose(payload, 0, payload.length);
			found.closeCode = code === CLOSE_NONE ? CLOSE_NORMAL : code;
			return CLOSES;
		}
		case INCOMING_FAULT:
			return breaks(judgement.closeCode);
		case INCOMING_FRAGMENT:
			return addFragment(core, hub, incoming, payload) ? GOES_ON : breaks(CLOSE_TOO_LARGE);
		case INCOMING_MESSAGE:
			found.isText = judgement.wasText;
			found.message = whole(core, hub, incoming, payload);
			return MESSAGE;
		default:
			return GOES_ON;
	}
}

/** The highest bit of a length: what follows has a header of its own. */
const BINARY = 0x80000000;

function nextFramed(core: HubContext, hub: HubTraffic, incoming: Incoming): number {
	for (;;) {
		const { bytes } = incoming;
		if (bytes.length < 4) return NOTHING_WHOLE;
		const said = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0);
		const length = said >= BINARY ? said - BINARY : said;
		if (length > hub.settings.messageBytes + HEADER_MAX_BYTES) return breaks(CLOSE_TOO_LARGE);
		if (bytes.length < 4 + length) return NOTHING_WHOLE;
		const payload = bytes.subarray(4, 4 + length);
		take(core, hub, incoming, 4 + length);
		if (length === 0) {
			if (said !== 0) return breaks(CLOSE_PROTOCOL_ERROR);
			continue;
		}
		found.isText = said < BINARY;
		found.message = payload;
		return MESSAGE;
	}
}

function breaks(code: number): number {
	found.closeCode = code;
	return BREAKS;
}

function take(core: HubContext, hub: HubTraffic, incoming: Incoming, length: number): void {
	incoming.bytes = incoming.bytes.subarray(length);
	count(core, hub, -length);
}

/** False: there are too many. */
function addFragment(core: HubContext, hub: HubTraffic, incoming: Incoming, payload: Uint8Array): boolean {
	if (incoming.fragments.length === FRAGMENTS_MAX) return false;
	incoming.fragments.push(payload.slice());
	incoming.fragmentBytes += payload.length;
	count(core, hub, payload.length);
	return true;
}

function whole(core: HubContext, hub: HubTraffic, incoming: Incoming, last: Uint8Array): Uint8Array {
	if (incoming.fragments.length === 0) return last;
	const all = Buffer.concat([...incoming.fragments, last]);
	count(core, hub, -incoming.fragmentBytes);
	incoming.fragments.length = 0;
	incoming.fragmentBytes = 0;
	return all;
}

function pong(payload: Uint8Array): Uint8Array {
	const out = new Uint8Array(2 + payload.length);
	out.set(payload, writeFrameHeader(out, 0, OPCODE_PONG, payload.length));
	return out;
}

/** It ends. */
export function dropIncoming(core: HubContext, hub: HubTraffic, session: Session): void {
	const incoming = hub.incoming.get(session);
	if (incoming === undefined) return;
	hub.incoming.delete(session);
	count(core, hub, -incoming.bytes.length - incoming.fragmentBytes);
}

function count(core: HubContext, hub: HubTraffic, bytes: number): void {
	core.budget.buffered(bytes);
	hub.figures.add("incomingBytes", bytes);
}
