/** An agent's local service has answered, by the socket that the session has for it: its datagrams go to the gateway by the session's line. */
import { EAGAIN, ECONNREFUSED } from "../../../kernel/constants.js";
import { SENDER_PLACES } from "../../../kernel/datagrams.js";
import { assert } from "../../../parts/assert.js";
import { i32, ref, u32 } from "../../../parts/at.js";
import { type Next, STAY } from "../../table/next.js";
import { type Link, NONE } from "../../table/numbers.js";
import { flushReplies } from "./answer.js";
import type { DatagramContext } from "./context.js";
import { refused } from "./dial.js";
import { sendMessages } from "./to-line.js";

/** Messages that are asked for at once. */
const READ = 16;

/** Times that it is read in one turn; the rest is told again. */
const ROUNDS_PER_TURN = 4;

/** What the line does not take is read all the same, and dropped: in the socket it would only grow old. */
export function serviceNews(core: DatagramContext, link: Link): Next {
	const { table, datagrams, board } = core;
	const session = table.sessionOf(link);
	assert(datagrams !== null && session !== NONE, "a service is a session's");
	const { io, flows } = datagrams;
	if (io.added > 0) flushReplies(core, datagrams);
	for (let round = 0; round < ROUNDS_PER_TURN; round++) {
		const count = io.receive(i32(table.fd, link), SENDER_PLACES, READ);
		if (count === -EAGAIN || count === 0) return STAY;
		if (count === -ECONNREFUSED) return refused(core, session);
		if (count < 0) continue;
		const before = u32(flows.answers, session);
		if (before === 0) board.connected(ref(table.address, session));
		flows.answers[session] = before + count;
		const next = sendMessages(core, datagrams, session, session, SENDER_PLACES, count);
		if (next !== STAY || count < READ) return next;
	}
	return STAY;
}
