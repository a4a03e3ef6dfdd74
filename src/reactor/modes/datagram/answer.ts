/**
 * Datagrams of an upstream go to its session's client, by the listener's socket. Those of many sessions go there together: they stay
 * where they were received until the end of the turn, or until there is no more room.
 */
import { EAGAIN, ECONNREFUSED, EINTR } from "../../../kernel/constants.js";
import {
	DATAGRAM_PLACE_BYTES,
	DATAGRAMS_ADDED_MAX,
	EMPTY_PLACE,
	SENDER_PLACES,
} from "../../../kernel/datagrams.js";
import { assert } from "../../../parts/assert.js";
import { f64, i32, ref, u8, u32 } from "../../../parts/at.js";
import { PROTOCOL_QUIC } from "../../../protocol/protocols.js";
import { datagramsIn } from "../../datagrams/added-messages.js";
import type { DatagramTraffic } from "../../datagrams/traffic.js";
import { TO_CLIENT } from "../../records/counters.js";
import { ANSWERED } from "../../records/reasons.js";
import { FULL_READS, ONE_FULL_READ } from "../../table/fields.js";
import { PACED } from "../../table/marks.js";
import { end, type Next, STAY } from "../../table/next.js";
import { type Link, NONE, type Session } from "../../table/numbers.js";
import { stamp } from "../../table/times.js";
import { mayPass, noteMoved } from "../../wire/pace.js";
import { addForClient } from "./add.js";
import type { DatagramContext } from "./context.js";
import { MESSAGE_COST_BYTES } from "./costs.js";
import { refused } from "./dial.js";
import { drop } from "./drop.js";
import { flushAdded } from "./flush.js";
import { learnFromUpstream } from "./learn.js";

/** Messages that are asked for at once: more, the more the last reads have brought. */
const READS = [1, 4, 16, 32] as const;

/** Times that an upstream is read in one turn; the rest is told again. */
const ROUNDS_PER_TURN = 4;

/** News of an upstream's socket. */
export function answered(core: DatagramContext, link: Link): Next {
	const { table, datagrams } = core;
	const session = table.sessionOf(link);
	assert(datagrams !== null && session !== NONE, "who answers has been asked");
	for (let round = 0; round < ROUNDS_PER_TURN; round++) {
		// Where the turn's share is used up, each upstream has one message taken still: the rest is told again.
		const isSparing = core.budget.turnBytes <= 0;
		if (isSparing && round > 0) return STAY;
		const reads = (i32(table.flags, link) & FULL_READS) / ONE_FULL_READ;
		const wanted = isSparing ? 1 : (READS[reads] as number);
		const count = receive(core, datagrams, session, link, wanted);
		if (count === -EAGAIN || count === 0) return STAY;
		// An error of an earlier datagram is told once, and the socket goes on.
		if (count === -ECONNREFUSED) return refused(core, session);
		if (count < 0) continue;
		const first = datagrams.nextPlace;
		datagrams.nextPlace += count;
		if (takeAnswers(core, datagrams, session, first, count)) {
			// The client is to have them before its session is forgotten.
			flushReplies(core, datagrams);
			return end(ANSWERED);
		}
		if (isSparing) return STAY;
		if (count < wanted) {
			if (reads > 0) setReads(core, link, reads - 1);
			return STAY;
		}
		if (reads < READS.length - 1) setReads(core, link, reads + 1);
		// Usually there is one, and whether there is another the next wait says.
		if (reads === 0) return STAY;
	}
	return STAY;
}

function setReads({ table }: DatagramContext, link: Link, reads: number): void {
	table.flags[link] = (i32(table.flags, link) & ~FULL_READS) | (reads * ONE_FULL_READ);
}

/** Receives behind what waits to be sent, which is sent first where there is no room. */
function receive(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	session: Session,
	link: Link,
	wanted: number,
): number {
	const { table } = core;
	const { fd } = core.listenerOf(session).plan;
	const isFull =
		datagrams.nextPlace + wanted > EMPTY_PLACE || datagrams.io.added + wanted > DATAGRAMS_ADDED_MAX;
	if (isFull || datagrams.repliesFd !== fd) flushReplies(core, datagrams);
	datagrams.repliesFd = fd;
	let count = datagrams.io.receive(i32(table.fd, link), datagrams.nextPlace, wanted);
	while (count === -EINTR) count = datagrams.io.receive(i32(table.fd, link), datagrams.nextPlace, wanted);
	return count;
}

/** True: each of its questions has had all its answers. */
function takeAnswers(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	session: Session,
	first: number,
	count: number,
): boolean {
	const { table, board } = core;
	const { io, flows } = datagrams;
	const answersBefore = u32(flows.answers, session);
	if (answersBefore === 0) board.connected(ref(table.address, session));
	table.active[session] = stamp(core.nowMs);
	const isQuic = u8(table.protocol, session) === PROTOCOL_QUIC;
	datagrams.added.turnElsewhere(u8(flows.apart, session) === 1);
	for (let place = first; place < first + count; place++) {
		const length = io.lengthOf(place);
		const segment = Math.min(length, io.segmentOf(place));
		const number = datagramsIn(length, segment);
		flows.answers[session] = u32(flows.answers, session) + number;
		if (io.isCut(place)) {
			drop(core, "too_long", number);
			continue;
		}
		if (isQuic) learnFromUpstream(datagrams, session, place * DATAGRAM_PLACE_BYTES, length, segment);
		if ((i32(table.flags, session) & PACED) !== 0) {
			if (!mayPass(core, session)) {
				drop(core, "rate", number);
				continue;
			}
			noteMoved(core, session, length);
		}
		addForClient(core, datagrams, session, place * DATAGRAM_PLACE_BYTES, length, segment, io.ecnOf(place));
		table.sent[session] = f64(table.sent, session) + length;
		core.budget.turnBytes -= length + MESSAGE_COST_BYTES;
	}
	const { responses = 0 } = core.upstreams.get(ref(table.upstream, session))?.plan ?? {};
	// Of one port there may be several questions: resolvers of names ask for both families of addresses at once.
	return responses > 0 && u32(flows.answers, session) >= responses * u32(flows.questions, session);
}

/** Sends what has been added for a listener's socket. */
export function flushReplies(core: DatagramContext, datagrams: DatagramTraffic): void {
	flushAdded(core, datagrams, datagrams.repliesFd, TO_CLIENT);
	datagrams.nextPlace = SENDER_PLACES;
}
