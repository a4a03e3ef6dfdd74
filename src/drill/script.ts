/**
 * What one connection of the drill `pipelines` does, from a seed and its number: the same two make the same script, at
 * whatever speed it is played.
 *
 * Connections come in waves. Every other one has a mood: how much of it is hellos, pipelines that are reset, and so on.
 * The others are sieges: a crowd of hellos, and while they wait for their handshakes, whoever leaves work behind again
 * and again. A mix that were always the same would never fill one queue with what another kind leaves there.
 */
import { Random } from "../rig/random.js";
import { latin1, NAMES, TLS_ANSWER } from "./traffic.js";

export interface Script {
	/** It shakes hands, and says everything within TLS. */
	readonly tls: boolean;
	/** What it says. */
	readonly says: Uint8Array;
	/** It says so much at a time, and pauses in between. */
	readonly pieceBytes: number;
	readonly pauseMs: number;
	/** What it must be answered, in this order. What it is not patient enough for is there as well. */
	readonly answers: readonly Answer[];
	readonly leaves: Leaving;
}

export type Answer =
	/** A response with this status; `body` where it is known, `head`: it has none, whatever it says of its length. */
	| {
			readonly kind: "response";
			readonly status: number;
			readonly body: string | null;
			readonly head: boolean;
	  }
	/** Exactly these bytes, and then the end. */
	| { readonly kind: "bytes"; readonly bytes: Uint8Array }
	/** Nobody knows what comes, or whether: nothing more is looked at. */
	| { readonly kind: "anything" };

export type Leaving =
	/** When it has all answers; `halfCloses`: it ends its direction when it has said all, and waits for the end as well. */
	| { readonly when: "answered"; readonly halfCloses: boolean }
	/** When so many answers have come, before the others. */
	| { readonly when: "impatient"; readonly afterAnswers: number }
	/** So long after it has said all, whatever has come; with a reset or an end. */
	| { readonly when: "timed"; readonly afterMs: number; readonly resets: boolean };

/** Connections of one mood. */
const WAVE = 8000;

/** Of a siege: hellos at its beginning, which nearly fill the attackers' places; and the share of others amid it. */
const CROWD = 270;
const SIEGE_OTHERS = 0.05;

const REQUESTS_MAX = 8;
const BODY_BYTES_MAX = 2000;
/** Pauses and patience are short: what takes long is the target's affair. */
const PAUSE_MS_MAX = 15;
const TIMED_MS_MAX = 60;

/** A name of no route. */
const UNROUTED_REQUEST = "GET /unrouted HTTP/1.1\r\nHost: nobody.invalid\r\n\r\n";

export interface Hellos {
	/** For the name whose TLS the target terminates. */
	readonly terminated: Uint8Array;
	readonly relayed: Uint8Array;
}

/** A connection, and how often its kind comes in a wave on average. */
const KINDS: readonly (readonly [number, (draw: Random, number: number, hellos: Hellos) => Script])[] = [
	[3, pipelineAnswered],
	[3, pipelineImpatient],
	[2, pipelineTimed],
	[2, helloAndNoMore],
	[1, helloCut],
	[1, helloRelayed],
	[1, requestCut],
	[0.5, withinTls],
];

export function scriptOf(seed: number, number: number, hellos: Hellos): Script {
	const wave = Math.floor(number / WAVE);
	const draw = new Random(mix(seed, number, 1));
	if (wave % 2 === 0 || draw.chance(SIEGE_OTHERS)) return ofMood(moodOf(seed, wave), draw, number, hellos);
	return number % WAVE < CROWD ? helloAndNoMore(draw, number, hellos) : pipelineAbandoned(draw);
}

function ofMood(weights: readonly number[], draw: Random, number: number, hellos: Hellos): Script {
	let left = draw.fraction() * weights.reduce((sum, weight) => sum + weight, 0);
	for (const [index, [, make]] of KINDS.entries()) {
		left -= weights[index] ?? 0;
		if (left < 0) return make(draw, number, hellos);
	}
	return pipelineAnswered(draw, number);
}

/** How much of each kind. The fourth power makes most waves consist of two or three kinds. */
function moodOf(seed: number, wave: number): number[] {
	const random = new Random(mix(seed, wave, 2));
	return KINDS.map(([weight]) => weight * random.fraction() ** 4);
}

/** One seed out of three numbers, so that neighbours have nothing in common. */
function mix(seed: number, number: number, purpose: number): number {
	let mixed =
		Math.imul(seed ^ Math.imul(number + 1, 0x9e3779b1), 0x85ebca6b) ^ Math.imul(purpose, 0xc2b2ae35);
	mixed = Math.imul(mixed ^ (mixed >>> 15), 0x27d4eb2f);
	return (mixed ^ (mixed >>> 13)) >>> 0;
}

/** All of it is said and answered; the connection is ended by either side, or halved before the answers come. */
function pipelineAnswered(draw: Random, number: number): Script {
	const { text, answers, isLast } = pipeline(draw, number, true);
	const leaves: Leaving = { when: "answered", halfCloses: !isLast && draw.chance(0.4) };
	return inPieces(draw, { tls: false, says: latin1(text), answers, leaves });
}

/** The same within TLS. An end within TLS is both directions' end, so nobody halves it. */
function withinTls(draw: Random, number: number): Script {
	const { text, answers } = pipeline(draw, number, true);
	return inPieces(draw, {
		tls: true,
		says: latin1(text),
		answers,
		leaves: { when: "answered", halfCloses: false },
	});
}

/** Reset when some answers have come: the other requests wait for their turn, or are under way. */
function pipelineImpatient(draw: Random, number: number): Script {
	const { text, answers } = pipeline(draw, number, false);
	return {
		tls: false,
		says: latin1(text),
		pieceBytes: text.length,
		pauseMs: 0,
		answers,
		leaves: { when: "impatient", afterAnswers: draw.between(1, Math.max(1, answers.length - 1)) },
	};
}

/** What costs the target next to nothing, so that many come: no upstream is asked. They leave with the first answer. */
function pipelineAbandoned(draw: Random): Script {
	const text = UNROUTED_REQUEST.repeat(draw.between(2, REQUESTS_MAX));
	return {
		tls: false,
		says: latin1(text),
		pieceBytes: text.length,
		pauseMs: 0,
		answers: [{ kind: "response", status: 404, body: null, head: false }],
		leaves: { when: "impatient", afterAnswers: 1 },
	};
}

/**
 * Gone after some time, whatever has come; sometimes somebody is asked who never answers. Then it resets: an end may be a
 * half-close, and the target would keep the session for who may still wait.
 */
function pipelineTimed(draw: Random, number: number): Script {
	const { text, answers } = pipeline(draw, number, false);
	const silent = draw.chance(0.3);
	return inPieces(draw, {
		tls: draw.chance(0.1),
		says: latin1(silent ? `${text}GET /silent HTTP/1.1\r\nHost: ${NAMES.silent}\r\n\r\n` : text),
		answers: silent ? [...answers, ANYTHING] : answers,
		leaves: silent ? { ...timed(draw), resets: true } : timed(draw),
	});
}

/** The first part of requests, or of their last one's body; then the end. */
function requestCut(draw: Random, number: number): Script {
	const { text } = pipeline(draw, number, false);
	const says = latin1(text.slice(0, draw.between(1, text.length - 1)));
	return inPieces(draw, { tls: false, says, answers: [ANYTHING], leaves: timed(draw) });
}

/** The dearest that a client can ask for with one message: a handshake, which it then leaves alone. */
function helloAndNoMore(draw: Random, _number: number, { terminated }: Hellos): Script {
	const leaves: Leaving = draw.chance(0.7)
		? { when: "impatient", afterAnswers: 0 }
		: { ...timed(draw), afterMs: draw.between(0, 10 * TIMED_MS_MAX) };
	return {
		tls: false,
		says: terminated,
		pieceBytes: terminated.length,
		pauseMs: 0,
		answers: [ANYTHING],
		leaves,
	};
}

function helloCut(draw: Random, _number: number, { terminated, relayed }: Hellos): Script {
	const hello = draw.chance(0.5) ? terminated : relayed;
	const says = hello.subarray(0, draw.between(1, hello.length - 1));
	return inPieces(draw, { tls: false, says, answers: [ANYTHING], leaves: timed(draw) });
}

/** Passed on without a look inside, on the same listener. */
function helloRelayed(draw: Random, _number: number, { relayed }: Hellos): Script {
	const leaves: Leaving = draw.chance(0.7) ? { when: "answered", halfCloses: draw.chance(0.5) } : timed(draw);
	const answers: readonly Answer[] = [{ kind: "bytes", bytes: TLS_ANSWER }];
	return inPieces(draw, { tls: false, says: relayed, answers, leaves });
}

const ANYTHING: Answer = { kind: "anything" };

function timed(draw: Random): Leaving & { when: "timed" } {
	return { when: "timed", afterMs: draw.between(0, TIMED_MS_MAX), resets: draw.chance(0.6) };
}

function inPieces(draw: Random, script: Omit<Script, "pieceBytes" | "pauseMs">): Script {
	const { length } = script.says;
	const pieceBytes = draw.chance(0.3) ? draw.between(Math.ceil(length / 4), length) : length;
	return { ...script, pieceBytes, pauseMs: draw.between(0, PAUSE_MS_MAX) };
}

interface Pipeline {
	readonly text: string;
	readonly answers: Answer[];
	/** The target ends the connection behind the last answer. */
	readonly isLast: boolean;
}

/** Requests one behind the other. Each has its own word, which its answer must bring back. */
function pipeline(draw: Random, number: number, mayEnd: boolean): Pipeline {
	const count = draw.between(mayEnd ? 1 : 2, REQUESTS_MAX);
	const answers: Answer[] = [];
	let text = "";
	let isLast = false;
	for (let index = 0; index < count; index++) {
		isLast = mayEnd && index === count - 1 && draw.chance(0.4);
		const word = `${number}.${index}`;
		const { request, answer } = isLast && draw.chance(0.3) ? malformed(draw) : question(draw, word, isLast);
		text += request;
		answers.push(answer);
	}
	return { text, answers, isLast };
}

interface Question {
	readonly request: string;
	readonly answer: Answer;
}

function question(draw: Random, word: string, isLast: boolean): Question {
	const close = isLast ? "Connection: close\r\n" : "";
	const rest = `/echo/${word} HTTP/1.1\r\nHost: ${NAMES.echo}\r\n${close}`;
	const answer: Answer = { kind: "response", status: 200, body: word, head: false };
	switch (draw.between(0, 6)) {
		case 0:
			return { request: `HEAD ${rest}\r\n`, answer: { ...answer, head: true } };
		case 1: {
			const body = "x".repeat(draw.between(0, BODY_BYTES_MAX));
			return { request: `POST ${rest}Content-Length: ${body.length}\r\n\r\n${body}`, answer };
		}
		case 2: {
			const size = draw.between(1, BODY_BYTES_MAX);
			const chunk = `${size.toString(16)}\r\n${"x".repeat(size)}\r\n`;
			return {
				request: `POST ${rest}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(draw.between(1, 3))}0\r\n\r\n`,
				answer,
			};
		}
		case 3:
			return {
				request: UNROUTED_REQUEST.replace(/\r\n$/, `${close}\r\n`),
				answer: { kind: "response", status: 404, body: null, head: false },
			};
		default:
			return { request: `GET ${rest}\r\n`, answer };
	}
}

/** What RFC 9112 forbids; the connection ends with the answer. */
function malformed(draw: Random): Question {
	const heads = [
		"GET / HTTP/1.1\r\n\r\n",
		`GET / HTTP/1.1\r\nHost: ${NAMES.echo}\r\nContent-Length: one\r\n\r\n`,
		`POST / HTTP/1.1\r\nHost: ${NAMES.echo}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n`,
	];
	const request = heads[draw.between(0, heads.length - 1)] ?? "";
	return { request, answer: { kind: "response", status: 400, body: null, head: false } };
}
