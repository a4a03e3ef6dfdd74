/**
 * Whole dialogues over connections of their own to several ports in turn, one at a time: how long somebody waits for a
 * server's first word, for its answer to what the client said first, and for all of it.
 *
 * Ports alternate in blocks, as in latency.ts.
 */

import {
	EAGAIN,
	EPOLLET,
	EPOLLIN,
	EPOLLOUT,
	EPOLLRDHUP,
	errorName,
	IPPROTO_TCP,
	TCP_NODELAY,
} from "../../src/kernel/constants.js";
import type { LinuxKernel } from "../../src/kernel/linux.js";
import { loopback } from "../../src/rig/connect.js";
import { Deadline } from "../../src/rig/deadline.js";
import { Places } from "../../src/rig/places.js";
import { turn } from "../../src/rig/turn.js";
import { bytesOf, DIALOGUES, type DialogueName, type Step } from "./dialogues.js";
import { type Latency, summarize } from "./latency.js";

const BLOCK = 40;
/** Not counted at the start of each block. */
const SKIPPED = 2;
const SCRATCH_AT = 16 * 1024;
const SCRATCH_BYTES = 16 * 1024;
/** Beyond every time that a gateway may wait for bytes here: a dialogue that takes longer is lost. */
const TIMEOUT_MS = 10_000;
const INTEREST = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

export interface DialogueLoad {
	readonly dialogue: DialogueName;
	readonly ports: readonly number[];
	/** Dialogues per port, rounded up to whole blocks. */
	readonly count: number;
}

/** All from the moment at which the client starts to connect. */
export interface DialogueLatency {
	/** Until the server's first message is there. */
	readonly first: Latency;
	/** Until its first message behind one of the client's is there. */
	readonly answer: Latency;
	/** Until its last message is there. */
	readonly whole: Latency;
}

/** One result per port, in their order. */
export function runDialogues(kernel: LinuxKernel, load: DialogueLoad): DialogueLatency[] {
	const steps = DIALOGUES[load.dialogue];
	const blocks = Math.ceil(load.count / BLOCK);
	const places = new Places(kernel, 1);
	const ways = load.ports.map((port) => ({ address: loopback(port), moments: [] as Moments[] }));
	for (let block = 0; block < blocks; block++)
		for (let i = 0; i < ways.length; i++) {
			const way = ways[(i + block) % ways.length] as (typeof ways)[number];
			for (let n = -SKIPPED; n < BLOCK; n++) {
				const moments = hold(kernel, places, way.address, steps);
				if (n >= 0) way.moments.push(moments);
			}
		}
	return ways.map(({ moments }) => {
		const of = (pick: (one: Moments) => number): Latency =>
			summarize(moments.map((one) => pick(one) * 1_000));
		return {
			first: of((one) => one.firstMs),
			answer: of((one) => one.answerMs),
			whole: of((one) => one.wholeMs),
		};
	});
}

interface Moments {
	firstMs: number;
	answerMs: number;
	wholeMs: number;
}

/** A dialogue over a connection of its own, at the only place. */
function hold(kernel: LinuxKernel, places: Places, address: Uint8Array, steps: readonly Step[]): Moments {
	const deadline = new Deadline("a dialogue", TIMEOUT_MS);
	const moments: Moments = { firstMs: Number.NaN, answerMs: Number.NaN, wholeMs: Number.NaN };
	const start = performance.now();
	places.open(0, address, INTEREST);
	try {
		// As clients of such protocols do.
		kernel.setOption(places.fd(0), IPPROTO_TCP, TCP_NODELAY, 1);
		let hasAsked = false;
		for (const [at, step] of steps.entries()) {
			if (step.from === "client") {
				for (const piece of step.writes) say(kernel, places, piece, deadline);
				hasAsked = true;
				continue;
			}
			hear(kernel, places, step, deadline);
			const ms = performance.now() - start;
			if (Number.isNaN(moments.firstMs)) moments.firstMs = ms;
			if (hasAsked && Number.isNaN(moments.answerMs)) moments.answerMs = ms;
			if (at === steps.length - 1) moments.wholeMs = ms;
		}
		hearEnd(kernel, places, deadline);
		return moments;
	} finally {
		places.close(0);
	}
}

function say(kernel: LinuxKernel, places: Places, piece: Uint8Array, deadline: Deadline): void {
	kernel.memory.set(piece, 0);
	for (;;) {
		const count = kernel.send(places.fd(0), 0, piece.length);
		if (count === piece.length) return;
		// Not connected yet.
		if (count === -EAGAIN) waitForNews(kernel, places, deadline);
		else throw new Error(`saying ${piece.length} bytes: ${count < 0 ? errorName(-count) : `${count} sent`}`);
	}
}

/** Exactly what the server says in this step. */
function hear(kernel: LinuxKernel, places: Places, step: Step, deadline: Deadline): void {
	const expected = bytesOf(step);
	let received = 0;
	while (received < expected) {
		const count = kernel.receive(places.fd(0), SCRATCH_AT + received, SCRATCH_BYTES - received);
		if (count === -EAGAIN) {
			waitForNews(kernel, places, deadline);
			continue;
		}
		if (count <= 0)
			throw new Error(`a dialogue broke off: ${count === 0 ? "the other side ended" : errorName(-count)}`);
		received += count;
	}
	const heard = Buffer.from(kernel.memory.buffer, SCRATCH_AT, received);
	if (!heard.equals(Buffer.concat(step.writes)))
		throw new Error(`heard something else than the server said: ${heard.toString("latin1").slice(0, 60)}`);
}

/** The server ends the connection, so that TIME_WAIT stays with its port. */
function hearEnd(kernel: LinuxKernel, places: Places, deadline: Deadline): void {
	for (;;) {
		const count = kernel.receive(places.fd(0), SCRATCH_AT, SCRATCH_BYTES);
		if (count === 0) return;
		if (count !== -EAGAIN) throw new Error("the server says more than its dialogue, or its end was a reset");
		waitForNews(kernel, places, deadline);
	}
}

function waitForNews(kernel: LinuxKernel, places: Places, deadline: Deadline): void {
	let heard = false;
	const hear = (): void => {
		heard = true;
	};
	for (;;) {
		turn(kernel, 1_000, places, hear);
		if (heard) return;
		deadline.check("nothing comes");
	}
}
