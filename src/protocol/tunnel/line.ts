/** The first bytes of a line: the proof of its ticket, the canary, and what tells a visitor from requests. docs/tunnel-wire.md, "A line". */
import { createHmac, timingSafeEqual } from "node:crypto";
import { ascii, at, commonPrefix } from "../bytes.js";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "../verdict.js";
import { TICKET_ID_BYTES } from "./messages.js";

/** ALPN of the two kinds of connections. */
export const CONTROL_ALPN = "sluice-control/1";
export const LINE_ALPN = "sluice-line/1";

/** First bytes of a line, through TLS or plain. */
export const LINE_MAGIC = ascii("SLN1");

/** First bytes of a control connection in the open. */
export const CONTROL_MAGIC = ascii("SLC1");

/** What the agent says first: the magic, and its ticket's id. */
export const LINE_GREETING_BYTES = 4 + TICKET_ID_BYTES;
export const NONCE_BYTES = 16;
export const PROOF_BYTES = 32;

/** The gateway's answer to a good proof. */
export const LINE_PARKED = 0x01;

/** A canary has so many bytes, of which the first is `CANARY`. */
export const CANARY_BYTES = 9;
export const CANARY = 0x00;

const PROOF_PREFIX = Buffer.from("sluice-line-v1\0");

export function lineGreeting(ticketId: Uint8Array): Buffer {
	return Buffer.concat([LINE_MAGIC, ticketId]);
}

/** Reads bytes[start, end), what has come of a line so far. After COMPLETE its ticket's id stands at start + 4. */
export function readLineGreeting(bytes: Uint8Array, start: number, end: number): Verdict {
	const magic = commonPrefix(bytes, start, end, LINE_MAGIC);
	if (magic < LINE_MAGIC.length && start + magic < end) return MALFORMED;
	return end - start < LINE_GREETING_BYTES ? NEED_MORE : COMPLETE;
}

/** What shows that its sender has the ticket's key. */
export function lineProof(ticketKey: Uint8Array, ticketId: Uint8Array, nonce: Uint8Array): Buffer {
	return createHmac("sha256", ticketKey).update(PROOF_PREFIX).update(ticketId).update(nonce).digest();
}

/** How long it takes tells nothing. */
export function isLineProof(
	proof: Uint8Array,
	ticketKey: Uint8Array,
	ticketId: Uint8Array,
	nonce: Uint8Array,
): boolean {
	return proof.length === PROOF_BYTES && timingSafeEqual(proof, lineProof(ticketKey, ticketId, nonce));
}

/** What a parked line is for, by the first byte that comes; `undefined`: the two do not understand each other. */
export type LineUse = "canary" | "visitor" | "requests";

export function lineUse(bytes: Uint8Array, index: number): LineUse | undefined {
	const first = at(bytes, index);
	if (first === CANARY) return "canary";
	if (first === 0x0d) return "visitor";
	return isLetter(first) ? "requests" : undefined;
}

function isLetter(byte: number): boolean {
	return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}
