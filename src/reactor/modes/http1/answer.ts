/**
 * A request that the gateway answers itself. Its connection goes on where nothing on it is in doubt: the request
 * has been read to its end, or is a head that can be taken whole, and the client meant to send another.
 */

import { at } from "../../../parts/at.js";
import { type AnswerStatus, answer } from "../../../protocol/http/answers.js";
import { METHOD_HEAD } from "../../../protocol/http/methods.js";
import type { Core } from "../../core.js";
import { closeFailed } from "../../end/close.js";
import { CLIENT_CLOSED, LIMIT_RATE, NO_ROUTE, REJECTED, UPSTREAM_FAULTS } from "../../records/reasons.js";
import { answerAndClose, countAnswer } from "../../steps/refuse.js";
import { REQUEST } from "../../table/table.js";
import { mayKeep, sendOrKeep } from "../../wire/outbox.js";
import { discard } from "../../wire/transport.js";
import { KEEPS_CLIENT, REQUEST_SENT, SPEAKS_1_1 } from "./columns.js";
import { isBlocked, nextRequest } from "./finish.js";
import { OUT_AT } from "./send-request.js";

/**
 * Nothing is at fault (with CLIENT_CLOSED), or not the client's connection. Under pressure it ends all the same: that
 * is what frees something.
 */
const GOES_ON: ReadonlySet<number> = new Set([
	...[CLIENT_CLOSED, NO_ROUTE, REJECTED, LIMIT_RATE],
	...UPSTREAM_FAULTS,
]);

/** Answers the request at hand, whose upstream connection is given up already. Otherwise closes, as `reason`. */
export function answerRequest(core: Core, client: number, status: AnswerStatus, reason: number): void {
	const { table, kernel, exchanges } = core;
	if (!GOES_ON.has(reason) || !goesOn(core, client)) {
		answerAndClose(core, client, status, reason);
		return;
	}
	const head = at(exchanges.headBytes, client);
	if (head > 0) discard(core, client, head);
	table.state[client] = REQUEST;
	const bytes = answer(status, false, at(exchanges.method, client) === METHOD_HEAD);
	countAnswer(core, client, status, reason, bytes.length);
	kernel.memory.set(bytes, OUT_AT);
	const result = sendOrKeep(core, client, OUT_AT, bytes.length);
	if (result < 0) closeFailed(core, client, -result);
	else nextRequest(core, client);
}

function goesOn(core: Core, client: number): boolean {
	const { exchanges } = core;
	const wantsTo = exchanges.has(client, KEEPS_CLIENT) && exchanges.has(client, SPEAKS_1_1);
	const isRead = at(exchanges.headBytes, client) > 0 || exchanges.has(client, REQUEST_SENT);
	return wantsTo && isRead && !core.draining && !isBlocked(core, client) && mayKeep(core);
}
