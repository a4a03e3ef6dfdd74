/**
 * A hub with nothing but the calls that any must make: what the kernel and the way to it cost, without a gateway. Each message that is
 * posted is sent to all WebSockets, one after the other; what one has no room for, it does not get.
 *
 *     node bare-hub.js PORT BACKLOG
 */
import { LinuxKernel } from "../../src/kernel/linux.js";
import { writeFrameHeader } from "../../src/protocol/websocket/frame.js";
import { Served } from "../../src/rig/served.js";
import { turn } from "../../src/rig/turn.js";
import { upgradeResponse } from "../load/wire.js";

/** What is received stands at the beginning of the arena, and what is sent behind it. */
const SCRATCH_BYTES = 64 * 1024;
const FRAME_AT = SCRATCH_BYTES;
const ANSWER_AT = 2 * SCRATCH_BYTES;
const ARENA_BYTES = 3 * SCRATCH_BYTES;
const TEXT = 1;

const CLIENT = 1;

const LATIN1 = new TextDecoder("latin1");
const GRANTED = upgradeResponse();
const PUBLISHED = Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");

const [, , port, backlog = 1] = process.argv.map(Number);
const kernel = new LinuxKernel(ARENA_BYTES);
const served = new Served(kernel, { backlog, acceptsPerTurn: 64, scratchBytes: SCRATCH_BYTES, dropped });
const subscribers = new Set<number>();
served.listen(CLIENT, port);

for (const parent = process.ppid; process.ppid === parent; )
	turn(kernel, 500, served, (fd) => (served.isListener(fd) ? served.accept(fd) : hear(fd)));

function hear(fd: number): void {
	const length = served.take(fd);
	// What subscribers say is nothing here.
	if (length === 0 || subscribers.has(fd)) return;
	const text = LATIN1.decode(kernel.memory.subarray(0, length));
	const head = text.indexOf("\r\n\r\n") + 4;
	// Requests here are small, and come whole.
	if (head < 4) throw new Error("a request that is cut");
	if (text.startsWith("POST ")) {
		publish(head, length);
		say(fd, PUBLISHED);
	} else {
		say(fd, GRANTED);
		subscribers.add(fd);
	}
}

/** The message is what stands there. */
function publish(start: number, end: number): void {
	const header = writeFrameHeader(kernel.memory, FRAME_AT, TEXT, end - start);
	kernel.memory.copyWithin(FRAME_AT + header, start, end);
	for (const fd of subscribers) kernel.send(fd, FRAME_AT, header + end - start);
}

function say(fd: number, bytes: Uint8Array): void {
	kernel.memory.set(bytes, ANSWER_AT);
	kernel.send(fd, ANSWER_AT, bytes.length);
}

function dropped(fd: number): void {
	subscribers.delete(fd);
}
