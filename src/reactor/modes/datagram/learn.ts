/** Connection IDs are learned from what can be seen of QUIC: long headers of both sides, and short ones of the client. */
import { i32, u8, u32 } from "../../../parts/at.js";
import { LONG_FORM } from "../../../protocol/quic/long-packet.js";
import type { DatagramTraffic } from "../../datagrams/traffic.js";
import type { TableContext } from "../../table/context.js";
import { UNPROVED } from "../../table/marks.js";
import type { Session } from "../../table/numbers.js";

/** RFC 8999, section 5.1: the form, the version; then both IDs, each behind its length. */
const DESTINATION_LENGTH_AT = 5;

/**
 * The ID by which an upstream wants to be called from now on is the source of its long headers. The kernel may have joined datagrams
 * of `segment` bytes to one of `length`.
 */
export function learnFromUpstream(
	datagrams: DatagramTraffic,
	session: Session,
	at: number,
	length: number,
	segment: number,
): void {
	for (let start = at; start < at + length; start += segment)
		learnFromLong(datagrams, session, start, Math.min(segment, at + length - start));
}

function learnFromLong({ io, ids }: DatagramTraffic, session: Session, at: number, length: number): void {
	const { memory } = io;
	if (length <= DESTINATION_LENGTH_AT || (u8(memory, at) & LONG_FORM) === 0) return;
	const sourceAt = at + DESTINATION_LENGTH_AT + 1 + u8(memory, at + DESTINATION_LENGTH_AT);
	if (sourceAt >= at + length) return;
	const bytes = u8(memory, sourceAt);
	if (sourceAt + 1 + bytes <= at + length) ids.learnFromUpstream(session, memory, sourceAt + 1, bytes);
}

/** A client shows in its short headers what it calls its upstream by, which may be an ID that it was told under encryption. */
export function learnFromShort(
	{ io, ids }: DatagramTraffic,
	session: Session,
	at: number,
	length: number,
): void {
	const bytes = ids.upstreamBytes(session);
	if (bytes === 0 || length <= bytes || ids.isLatest(session, io.memory, at + 1, bytes)) return;
	// Upstreams may choose IDs of several lengths: of a known one that is shorter, what stands behind it is no part.
	if (ids.findShort(io.memory, at + 1, at + length) === session) return;
	ids.learn(session, io.memory, at + 1, bytes);
}

/**
 * Whoever shows an ID that his upstream has chosen has heard from there, and so is where he says that he is. Where that has chosen none,
 * or none that can be known, who goes on when it has answered is believed.
 */
export function noteProof(
	{ table }: TableContext,
	{ io, ids, flows }: DatagramTraffic,
	session: Session,
	at: number,
	length: number,
): void {
	const flags = i32(table.flags, session);
	if ((flags & UNPROVED) === 0 || u32(flows.answers, session) === 0) return;
	const { memory } = io;
	const isLong = length > DESTINATION_LENGTH_AT && (u8(memory, at) & LONG_FORM) !== 0;
	const idAt = at + (isLong ? DESTINATION_LENGTH_AT + 1 : 1);
	const bytes = isLong ? u8(memory, at + DESTINATION_LENGTH_AT) : ids.upstreamBytes(session);
	const shows = idAt + bytes <= at + length && ids.isChosen(session, memory, idAt, bytes);
	if (shows || !ids.hasChosen(session)) table.flags[session] = flags & ~UNPROVED;
}
