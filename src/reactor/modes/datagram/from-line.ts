/**
 * Frames come by a line. What is whole of them is delivered (`deliver.ts`); the part of one waits in the line's inbox, or where no chunk
 * is free for that, in the kernel.
 */
import { EAGAIN, ECONNRESET, EPOLLERR, EPOLLOUT } from "../../../kernel/constants.js";
import { assert } from "../../../parts/assert.js";
import { i32 } from "../../../parts/at.js";
import type { DatagramTraffic } from "../../datagrams/traffic.js";
import { failed } from "../../end/failure.js";
import { CHUNK_BYTES, IN_AT } from "../../memory/arena.js";
import {
	CLIENT_CLOSED,
	CLIENT_RESET,
	MEMORY_PRESSURE,
	UPSTREAM_CLOSED,
	UPSTREAM_RESET,
} from "../../records/reasons.js";
import { BLOCKED, ENDING, READABLE, SECURED } from "../../table/marks.js";
import { end, type Next, STAY } from "../../table/next.js";
import type { Slot } from "../../table/numbers.js";
import { dropAhead } from "../../wire/ahead.js";
import { noteNews, notReadable } from "../../wire/news.js";
import { flushOutbox, mayKeep } from "../../wire/outbox.js";
import { widenWindow } from "../../wire/socket-options.js";
import {
	discard,
	emptied,
	gather,
	isSecured,
	peek,
	putBack,
	receive,
	takeError,
} from "../../wire/transport.js";
import type { DatagramContext } from "./context.js";
import { deliver, MISUNDERSTOOD, REFUSED } from "./deliver.js";
import { refused } from "./dial.js";

/** Buffers that a line may fill before others have their turn. */
const ROUNDS_PER_TURN = 16;

/** News of a line. */
export function framesNews(core: DatagramContext, line: Slot, events: number): Next {
	const flags = noteNews(core, line, events);
	if ((events & EPOLLERR) !== 0) return failed(core, line, takeError(core, line) || ECONNRESET);
	if ((events & EPOLLOUT) !== 0 && (flags & BLOCKED) !== 0) {
		const result = flushOutbox(core, line);
		if (result < 0) return failed(core, line, -result);
	}
	return readFrames(core, line);
}

/** Reads a line until it has said all that it has to say for now. */
export function readFrames(core: DatagramContext, line: Slot): Next {
	const { table, datagrams } = core;
	assert(datagrams !== null, "where frames come there is what datagrams need");
	for (let round = 0; round < ROUNDS_PER_TURN; round++) {
		if ((i32(table.flags, line) & READABLE) === 0) return STAY;
		if (round > 0 && core.budget.turnBytes <= 0) break;
		const next = readOnce(core, datagrams, line);
		if (next !== STAY) return next;
	}
	core.queue.add(line);
	return STAY;
}

function readOnce(core: DatagramContext, datagrams: DatagramTraffic, line: Slot): Next {
	const ahead = core.inboxes.length(line);
	if (ahead === 0) return mayKeep(core) ? take(core, datagrams, line, 0) : look(core, datagrams, line);
	return isSecured(core, line) ? readOn(core, datagrams, line, ahead) : take(core, datagrams, line, ahead);
}

/** Receives, behind the part of a frame that is `ahead`. */
function take(core: DatagramContext, datagrams: DatagramTraffic, line: Slot, ahead: number): Next {
	const count = receive(core, line, IN_AT, CHUNK_BYTES);
	if (count <= 0) return nothingCame(core, line, count);
	if (count === ahead) {
		putBack(core, line, IN_AT, count);
		return noMoreCame(core, line);
	}
	core.budget.turnBytes -= count;
	const taken = deliver(core, datagrams, line, IN_AT, count);
	if (taken === MISUNDERSTOOD) return misunderstood(core, line);
	const whole = taken & ~REFUSED;
	if (whole < count) putBack(core, line, IN_AT + whole, count - whole);
	if ((i32(core.table.flags, line) & SECURED) !== 0 || count < CHUNK_BYTES) emptied(core, line);
	return after(core, line, taken);
}

/** Through TLS an inbox in which something is can be read on into, and not behind. */
function readOn(core: DatagramContext, datagrams: DatagramTraffic, line: Slot, ahead: number): Next {
	const { inboxes, chunks } = core;
	const count = gather(core, line, ahead, 0);
	if (count <= 0) return nothingCame(core, line, count);
	if (count === ahead) return noMoreCame(core, line);
	core.budget.turnBytes -= count - ahead;
	const at = chunks.offsetOf(i32(inboxes.chunk, line) - 1) + i32(inboxes.start, line);
	const taken = deliver(core, datagrams, line, at, count);
	if (taken === MISUNDERSTOOD) return misunderstood(core, line);
	dropAhead(core, line, taken & ~REFUSED);
	return after(core, line, taken);
}

/** No chunk is free. */
function look(core: DatagramContext, datagrams: DatagramTraffic, line: Slot): Next {
	const count = peek(core, line, IN_AT, CHUNK_BYTES);
	if (count <= 0) return nothingCame(core, line, count);
	core.budget.turnBytes -= count;
	const taken = deliver(core, datagrams, line, IN_AT, count);
	if (taken === MISUNDERSTOOD) return misunderstood(core, line);
	const whole = taken & ~REFUSED;
	if (whole > 0) {
		discard(core, line, whole);
		return after(core, line, taken);
	}
	// TLS shows one record, and the rest of the frame is in the next.
	if (isSecured(core, line)) return end(MEMORY_PRESSURE);
	// What stays in the kernel must not keep the rest of the frame from coming.
	widenWindow(core, line);
	return noMoreCame(core, line);
}

/** `taken`: as `deliver` says. */
function after(core: DatagramContext, line: Slot, taken: number): Next {
	return (taken & REFUSED) === 0 ? STAY : refused(core, core.table.sessionOf(line));
}

function nothingCame(core: DatagramContext, line: Slot, result: number): Next {
	const { flags } = core.table;
	if (result === 0) return closed(core, line);
	if (result !== -EAGAIN) return failed(core, line, -result);
	flags[line] = i32(flags, line) & ~READABLE;
	return STAY;
}

/** Nothing but the part of a frame is there, and the end of the stream may be behind it. */
function noMoreCame(core: DatagramContext, line: Slot): Next {
	const { table, inboxes } = core;
	if ((i32(table.flags, line) & ENDING) === 0) {
		notReadable(core, line);
		return STAY;
	}
	const failure = i32(inboxes.failure, line);
	return failure === 0 ? closed(core, line) : failed(core, line, -failure);
}

/** The other side has forgotten the session. */
function closed({ table }: DatagramContext, line: Slot): Next {
	return end(table.isClient(line) ? CLIENT_CLOSED : UPSTREAM_CLOSED);
}

function misunderstood(core: DatagramContext, line: Slot): Next {
	const isGateway = core.table.isClient(line);
	core.remark("error", `${isGateway ? "the gateway" : "an agent"} has sent what is no frame on a line`);
	return end(isGateway ? CLIENT_RESET : UPSTREAM_RESET);
}
