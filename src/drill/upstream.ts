/**
 * What every target relays to: one process, one event loop. What it does depends on the port, or, on the port
 * `any`, on what is said. Prints its ports as one line of JSON.
 */
import { writeSync } from "node:fs";
import {
	EAGAIN,
	EPOLLET,
	EPOLLIN,
	EPOLLOUT,
	EPOLLRDHUP,
	SO_SNDBUF,
	SOL_SOCKET,
} from "../kernel/constants.js";
import { LinuxKernel } from "../kernel/linux.js";
import { Channel } from "../rig/channel.js";
import { Served } from "../rig/served.js";
import { turn } from "../rig/turn.js";
import type { UpstreamOrder } from "./messages.js";
import {
	ENDLESS_HEAD,
	HTTP_ANSWER,
	latin1,
	NAMES,
	TLS_ANSWER,
	TLS_HANDSHAKE,
	WEB_ANSWER,
	WEB_BODY,
} from "./traffic.js";
import type { UpstreamPorts } from "./upstream-ports.js";

const SCRATCH_BYTES = 64 * 1024;
const TLS_AT = SCRATCH_BYTES;
const HTTP_AT = TLS_AT + 4096;
const WEB_AT = HTTP_AT + 4096;
const ENDLESS_AT = WEB_AT + 4096;
const BULK_AT = ENDLESS_AT + 4096;
const BULK_BYTES = 64 * 1024;

/** What a bulk connection may have in flight: thousands of stuck readers should not fill the machine's TCP memory from here. */
const BULK_SEND_BUFFER_BYTES = 64 * 1024;

/** Each speaks every 250 ms, a tenth of them at a time: all at once would be a load of its own. */
const CHATTER_STEP_MS = 25;
const CHATTER_STEPS = 10;
const CHATTER_BYTES = 8 * 1024;

/** Connections taken from one queue before others have their turn. */
const ACCEPTS_PER_TURN = 256;

/** Roles of connections. */
const TLS = 1;
const HTTP = 2;
const BULK = 3;
const SILENT = 4;
const CHATTER = 5;
const ANY = 6;
/** It has answered, and waits for the end of the other side. */
const ENDING = 7;
/** Takes requests over a connection that is kept; their hosts say what it becomes. */
const WEB = 8;

/** Names that ask for something else than an answer. */
const SPOKEN_NAMES: readonly (readonly [string, number])[] = [
	[NAMES.bulk, BULK],
	[NAMES.silent, SILENT],
	[NAMES.chatter, CHATTER],
];

const kernel = new LinuxKernel(BULK_AT + BULK_BYTES);
const channel = new Channel<UpstreamOrder, never>(kernel, obey);
const served = new Served(kernel, {
	backlog: 65_535,
	acceptsPerTurn: ACCEPTS_PER_TURN,
	scratchBytes: SCRATCH_BYTES,
	interestOf: (role) => (role === ANY ? EPOLLIN | EPOLLRDHUP | EPOLLET : EPOLLIN),
	dropped: forget,
});
const chatting = new Set<number>();
/** Requests that have not come whole. */
const partial = new Map<number, string>();

const guarded = new Set<number>();
process.on("exit", () => {
	for (const pid of guarded) {
		try {
			process.kill(pid, "SIGKILL");
		} catch {
			// It has ended by itself.
		}
	}
});

kernel.memory.set(TLS_ANSWER, TLS_AT);
kernel.memory.set(HTTP_ANSWER, HTTP_AT);
kernel.memory.set(WEB_ANSWER, WEB_AT);
kernel.memory.set(ENDLESS_HEAD, ENDLESS_AT);
const ports: UpstreamPorts = {
	tls: listen(TLS),
	http: listen(HTTP),
	bulk: listen(BULK),
	silent: listen(SILENT),
	chatter: listen(CHATTER),
	any: listen(ANY),
	web: listen(WEB),
};
writeSync(1, `${JSON.stringify(ports)}\n`);
serve();

function serve(): never {
	let chatDueMs = 0;
	let step = 0;
	for (;;) {
		turn(kernel, chatting.size > 0 ? CHATTER_STEP_MS : -1, served, handle, channel);
		const nowMs = kernel.now();
		if (nowMs < chatDueMs) continue;
		chatDueMs = nowMs + CHATTER_STEP_MS;
		step = (step + 1) % CHATTER_STEPS;
		// A full socket takes nothing, and that is what it is for.
		for (const fd of chatting) if (fd % CHATTER_STEPS === step) kernel.send(fd, BULK_AT, CHATTER_BYTES);
	}
}

function obey(order: UpstreamOrder): void {
	if (order.do === "guard") guarded.add(order.pid);
	else guarded.delete(order.pid);
}

function listen(role: number): number {
	const { fd, port } = served.listen(role);
	if (role === BULK) kernel.setOption(fd, SOL_SOCKET, SO_SNDBUF, BULK_SEND_BUFFER_BYTES);
	return port;
}

function forget(fd: number): void {
	chatting.delete(fd);
	partial.delete(fd);
}

function handle(fd: number, flags: number): void {
	const role = served.role(fd);
	if (served.isListener(fd)) served.accept(fd);
	else if (role === TLS) answer(fd, TLS_AT, TLS_ANSWER.length);
	else if (role === HTTP) answer(fd, HTTP_AT, HTTP_ANSWER.length);
	else if (role === BULK) sendBulk(fd);
	else if (role === CHATTER) chat(fd);
	else if (role === ANY) listenFor(fd, flags);
	else if (role === WEB) answerRequests(fd);
	else served.take(fd);
}

/**
 * The upstream ends first, so that what waits for stray segments (TIME_WAIT) stays with listening ports, and
 * nobody runs out of others. It then takes what may still come: an end with unread bytes would be a reset.
 */
function answer(fd: number, at: number, length: number): void {
	if (served.take(fd) === 0) return;
	kernel.send(fd, at, length);
	kernel.shutdownWrite(fd);
	served.become(fd, ENDING);
}

function sendBulk(fd: number): void {
	if (served.take(fd) > 0) served.watch(fd, EPOLLIN | EPOLLOUT);
	if (served.role(fd) !== BULK) return;
	const count = kernel.send(fd, BULK_AT, BULK_BYTES);
	if (count < 0 && count !== -EAGAIN) served.drop(fd);
}

function chat(fd: number): void {
	if (served.take(fd) > 0) chatting.add(fd);
}

/** Requests one after the other, each answered when it has come whole. */
function answerRequests(fd: number): void {
	const count = served.take(fd);
	if (count === 0) return;
	let said = (partial.get(fd) ?? "") + Buffer.from(kernel.memory.buffer, 0, count).toString("latin1");
	for (;;) {
		const headEnd = said.indexOf("\r\n\r\n");
		if (headEnd < 0) break;
		const head = said.slice(0, headEnd + 2);
		const role = roleOf(head);
		if (role !== undefined) {
			partial.delete(fd);
			become(fd, role);
			return;
		}
		const end = requestEnd(head, said);
		if (end > said.length) break;
		said = said.slice(end);
		answerRequest(fd, head);
	}
	if (said === "") partial.delete(fd);
	else partial.set(fd, said);
}

/** Where the request at the front ends; infinite when that has not come yet. */
function requestEnd(head: string, said: string): number {
	const bodyAt = head.length + 2;
	if (/^transfer-encoding:/im.test(head)) {
		// No content that comes here looks like the last chunk.
		const last = said.indexOf("0\r\n\r\n", bodyAt);
		return last < 0 ? Number.POSITIVE_INFINITY : last + 5;
	}
	return bodyAt + Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
}

function answerRequest(fd: number, head: string): void {
	const withoutBody = head.startsWith("HEAD ");
	const word = head.includes(NAMES.echo) ? /\/echo\/(\S*) /.exec(head)?.[1] : undefined;
	if (word === undefined) {
		kernel.send(fd, WEB_AT, WEB_ANSWER.length - (withoutBody ? WEB_BODY.length : 0));
		return;
	}
	const echo = latin1(`HTTP/1.1 200 OK\r\nContent-Length: ${word.length}\r\n\r\n${withoutBody ? "" : word}`);
	kernel.memory.set(echo, 0);
	kernel.send(fd, 0, echo.length);
}

/** `undefined`: this request is answered at once. */
function roleOf(head: string): number | undefined {
	if (head.includes(NAMES.uploads)) return head.startsWith("POST ") ? SILENT : undefined;
	return SPOKEN_NAMES.find(([name]) => head.includes(name))?.[1];
}

/** This request is the connection's last. */
function become(fd: number, role: number): void {
	served.become(fd, role);
	if (role === SILENT) return;
	kernel.send(fd, ENDLESS_AT, ENDLESS_HEAD.length);
	if (role === CHATTER) chatting.add(fd);
	if (role !== BULK) return;
	kernel.setOption(fd, SOL_SOCKET, SO_SNDBUF, BULK_SEND_BUFFER_BYTES);
	served.watch(fd, EPOLLIN | EPOLLOUT);
}

/**
 * Looks until a whole hello or a whole head is there, as a server behind a proxy does that passes on every byte.
 * Peeked bytes stay readable, so these connections are watched edge-triggered.
 */
function listenFor(fd: number, flags: number): void {
	const count = kernel.peek(fd, 0, SCRATCH_BYTES);
	if (count === -EAGAIN) return;
	if (count <= 0) {
		served.drop(fd);
		return;
	}
	const said = Buffer.from(kernel.memory.buffer, 0, count);
	const tls = said[0] === TLS_HANDSHAKE;
	if (tls ? count < 5 || count < 5 + said.readUInt16BE(3) : !said.includes("\r\n\r\n")) {
		// The end behind peeked bytes shows nowhere else.
		if ((flags & EPOLLRDHUP) !== 0) served.drop(fd);
		return;
	}
	const role = SPOKEN_NAMES.find(([name]) => said.includes(name))?.[1] ?? (tls ? TLS : HTTP);
	served.become(fd, role);
	if (role === BULK) kernel.setOption(fd, SOL_SOCKET, SO_SNDBUF, BULK_SEND_BUFFER_BYTES);
	served.watch(fd, EPOLLIN);
	handle(fd, flags);
}
