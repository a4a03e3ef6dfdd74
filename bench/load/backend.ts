/**
 * What all proxies relay to: one process, one epoll loop, started once per run.
 *
 * - relay ports: 200 bytes for every 100 that arrive;
 * - SNI ports: a ClientHello is answered with 16 bytes that name the port, then the session is ended;
 * - the bulk port: as many bytes as the request asks for;
 * - HTTP ports: 200 bytes for every request, however a proxy has rewritten it; a WebSocket is granted and then
 *   is a relay port's connection;
 * - greeted ports: the same for a ClientHello, and then as a relay port or the bulk port;
 * - the port `once`: 200 bytes for the first 100 that arrive, then the end;
 * - a port per dialogue: the server's part of it, then the end.
 *
 * Prints its ports as one line of JSON and ends when its parent is gone.
 */
import { writeSync } from "node:fs";
import { EAGAIN, EPOLLIN, EPOLLOUT } from "../../src/kernel/constants.js";
import { LinuxKernel } from "../../src/kernel/linux.js";
import { NO_ROLE, Served } from "../../src/rig/served.js";
import { turn } from "../../src/rig/turn.js";
import { bytesOf, DIALOGUE_NAMES, DIALOGUES, type DialogueName, type Step } from "./dialogues.js";
import type { BackendPorts } from "./driver.js";
import {
	ANSWER_BYTES,
	bulkBytes,
	REQUEST_BYTES,
	RESPONSE_BYTES,
	response,
	SNI_NAMES,
	UPGRADE_PATH,
	upgradeResponse,
} from "./wire.js";

/**
 * Several, and every proxy started takes the next: the TIME_WAIT that 5,000 closed sessions of one
 * proxy leave on its ephemeral ports must not narrow the next one's choice.
 */
const RELAY_PORTS = 8;

const SCRATCH_AT = 0;
const SCRATCH_BYTES = 64 * 1024;
const RESPONSE_AT = SCRATCH_BYTES;
const ANSWER_AT = RESPONSE_AT + 4096;
const UPGRADE_AT = ANSWER_AT + 4096;
const SPEECH_AT = UPGRADE_AT + 4096;
const BULK_AT = SPEECH_AT + 4096;
const BULK_BYTES = 256 * 1024;

/** Connections taken from one queue, and blocks sent to one connection, before others have their turn. */
const ACCEPTS_PER_TURN = 64;
const BLOCKS_PER_TURN = 4;

/** Roles of connections. */
const RELAY = 1;
const SNI = 2;
const BULK = 3;
const HTTP = 4;
const ONCE = 5;
const DIALOGUE = 6;
const GREETED = 7;

/** What greeted connections become, by the index of their port. */
const ONCE_GREETED = [RELAY, BULK];

/** By the index of their ports. */
const SCRIPTS = DIALOGUE_NAMES.map((name) => DIALOGUES[name]);

const UPGRADE_RESPONSE = upgradeResponse();
/** The path's second byte, by which the two requests that there are differ. */
const UPGRADE_MARK_AT = SCRATCH_AT + "GET /".length;
const UPGRADE_MARK = UPGRADE_PATH.charCodeAt(1);

const kernel = new LinuxKernel(BULK_AT + BULK_BYTES);
const served = new Served(kernel, {
	backlog: 4096,
	acceptsPerTurn: ACCEPTS_PER_TURN,
	scratchBytes: SCRATCH_BYTES,
	accepted: welcome,
});
// By descriptor.
const received = new Int32Array(served.limit);
/** Of the listening port among those of its role: which name, which dialogue. */
const index = new Uint8Array(served.limit);
/** The step of its dialogue that a connection is at. */
const steps = new Uint8Array(served.limit);
const bulkLeft = new Float64Array(served.limit);

kernel.memory.set(response(), RESPONSE_AT);
kernel.memory.set(UPGRADE_RESPONSE, UPGRADE_AT);
kernel.memory.fill(0x62, BULK_AT, BULK_AT + BULK_BYTES);
const ports: BackendPorts = {
	relay: Array.from({ length: RELAY_PORTS }, () => listen(RELAY, 0)),
	sni: SNI_NAMES.map((_, index) => listen(SNI, index)),
	bulk: listen(BULK, 0),
	http: Array.from({ length: RELAY_PORTS }, () => listen(HTTP, 0)),
	once: listen(ONCE, 0),
	greeted: { relay: listen(GREETED, 0), bulk: listen(GREETED, 1) },
	dialogues: {
		smtp: listenForDialogue("smtp"),
		mysql: listenForDialogue("mysql"),
		postgres: listenForDialogue("postgres"),
	},
};
writeSync(1, `${JSON.stringify(ports)}\n`);
serve();

function serve(): never {
	const parent = process.ppid;
	for (;;) {
		const events = turn(kernel, 500, served, handle);
		if (events === 0 && process.ppid !== parent) process.exit(0);
	}
}

function handle(fd: number): void {
	const role = served.role(fd);
	if (served.isListener(fd)) served.accept(fd);
	else if (role === RELAY) relay(fd);
	else if (role === SNI || role === GREETED) answerHello(fd);
	else if (role === BULK) bulk(fd);
	else if (role === HTTP) http(fd);
	else if (role === ONCE) once(fd);
	else if (role === DIALOGUE) answerInDialogue(fd);
}

function listenForDialogue(name: DialogueName): number {
	return listen(DIALOGUE, DIALOGUE_NAMES.indexOf(name));
}

function listen(role: number, which: number): number {
	const { fd, port } = served.listen(role);
	index[fd] = which;
	return port;
}

function welcome(fd: number, listener: number): void {
	index[fd] = index[listener] as number;
	steps[fd] = 0;
	received[fd] = 0;
	bulkLeft[fd] = 0;
	if (served.role(fd) === DIALOGUE) speak(fd);
}

function relay(fd: number): void {
	let total = (received[fd] as number) + served.take(fd);
	for (; total >= REQUEST_BYTES; total -= REQUEST_BYTES) {
		// The generator does not pipeline, so there is room; a client that breaks this rule loses.
		if (kernel.send(fd, RESPONSE_AT, RESPONSE_BYTES) !== RESPONSE_BYTES) {
			served.drop(fd);
			return;
		}
	}
	received[fd] = total;
}

/** Requests have no body, and proxies send them in one piece: each ends with an empty line. */
function http(fd: number): void {
	const end = SCRATCH_AT + served.take(fd);
	if (end > UPGRADE_MARK_AT && kernel.memory[UPGRADE_MARK_AT] === UPGRADE_MARK) {
		served.become(fd, RELAY);
		kernel.send(fd, UPGRADE_AT, UPGRADE_RESPONSE.length);
		return;
	}
	for (let i = SCRATCH_AT + 3; i < end; i++) {
		if (kernel.memory[i] !== 0x0a || kernel.memory[i - 2] !== 0x0a) continue;
		if (kernel.send(fd, RESPONSE_AT, RESPONSE_BYTES) !== RESPONSE_BYTES) {
			served.drop(fd);
			return;
		}
	}
}

function once(fd: number): void {
	received[fd] = (received[fd] as number) + served.take(fd);
	if ((received[fd] as number) < REQUEST_BYTES) return;
	kernel.send(fd, RESPONSE_AT, RESPONSE_BYTES);
	served.drop(fd);
}

function answerInDialogue(fd: number): void {
	received[fd] = (received[fd] as number) + served.take(fd);
	const step = stepOf(fd);
	if (served.role(fd) === NO_ROLE || step === undefined || (received[fd] as number) < bytesOf(step)) return;
	received[fd] = 0;
	steps[fd] = (steps[fd] as number) + 1;
	speak(fd);
}

/** What the server says now, if it is its turn, and the end behind its last word. */
function speak(fd: number): void {
	const step = stepOf(fd);
	if (step?.from !== "server") return;
	for (const piece of step.writes) {
		kernel.memory.set(piece, SPEECH_AT);
		kernel.send(fd, SPEECH_AT, piece.length);
	}
	steps[fd] = (steps[fd] as number) + 1;
	if (stepOf(fd) === undefined) served.drop(fd);
}

/** `undefined` behind the last. */
function stepOf(fd: number): Step | undefined {
	return SCRIPTS[index[fd] as number]?.[steps[fd] as number];
}

function answerHello(fd: number): void {
	const count = served.take(fd);
	if (count === 0) return;
	const before = received[fd] as number;
	// A TLS record: type, version (2), length (2). Proxies send the hello in one piece, or at least its head.
	if (before === 0)
		bulkLeft[fd] =
			5 + (((kernel.memory[SCRATCH_AT + 3] as number) << 8) | (kernel.memory[SCRATCH_AT + 4] as number));
	received[fd] = before + count;
	// All of it is taken before closing: unread bytes would turn the end into a reset.
	if ((received[fd] as number) < (bulkLeft[fd] as number)) return;
	kernel.memory.fill(0x2e, ANSWER_AT, ANSWER_AT + ANSWER_BYTES);
	kernel.memory[ANSWER_AT] = index[fd] as number;
	kernel.send(fd, ANSWER_AT, ANSWER_BYTES);
	if (served.role(fd) === SNI) served.drop(fd);
	else becomeGreeted(fd);
}

function becomeGreeted(fd: number): void {
	received[fd] = 0;
	bulkLeft[fd] = 0;
	served.become(fd, ONCE_GREETED[index[fd] as number] as number);
}

function bulk(fd: number): void {
	if (bulkLeft[fd] === 0) {
		// Requests are 100 bytes, sent at once on an empty connection: they arrive in one piece.
		if (served.take(fd) === 0) return;
		bulkLeft[fd] = bulkBytes(kernel.memory.subarray(SCRATCH_AT, SCRATCH_AT + REQUEST_BYTES));
		served.watch(fd, EPOLLOUT);
	}
	for (let block = 0; block < BLOCKS_PER_TURN; block++) {
		const left = bulkLeft[fd] as number;
		const count = kernel.send(fd, BULK_AT, Math.min(left, BULK_BYTES));
		if (count === -EAGAIN) return;
		if (count < 0) {
			served.drop(fd);
			return;
		}
		bulkLeft[fd] = left - count;
		if (left === count) {
			served.watch(fd, EPOLLIN);
			return;
		}
	}
}
