/**
 * Two readers of one stream: ours and llhttp. Whatever llhttp refuses, we refuse; where both accept, they agree on
 * what was said and on where every message ends. Only our refusals may go further, and only for listed causes.
 */
import assert from "node:assert/strict";
import { causeName, type HttpCauseName, NO_CAUSE } from "../../../src/protocol/http/causes.js";
import { ChunkedScanner } from "../../../src/protocol/http/chunked.js";
import { NO_EDITS } from "../../../src/protocol/http/edits.js";
import { FIELD_CONNECTION, NOMINATED } from "../../../src/protocol/http/field-names.js";
import type { FieldSection } from "../../../src/protocol/http/field-section.js";
import { FRAMING_CHUNKED, FRAMING_CLOSE, FRAMING_LENGTH } from "../../../src/protocol/http/framing.js";
import { HEAD_BROKEN, headEnd } from "../../../src/protocol/http/head-end.js";
import { METHOD_GET, METHOD_HEAD } from "../../../src/protocol/http/methods.js";
import { parseRequest, RequestHead, refusalOfMethod } from "../../../src/protocol/http/request.js";
import { parseResponse, ResponseHead } from "../../../src/protocol/http/response.js";
import { TrailerSection } from "../../../src/protocol/http/trailers.js";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "../../../src/protocol/verdict.js";
import { Random } from "../../../src/rig/random.js";
import { generate } from "./generator.js";
import { Llhttp } from "./llhttp.js";

export type Kind = "request" | "response";

/** A difference that is meant. */
interface Allowance {
	readonly cause: HttpCauseName;
	readonly why: string;
	/** If it is meant only for messages that begin so. */
	readonly start?: RegExp;
}

/** What we refuse and llhttp accepts, and why that is right. For any other cause llhttp must refuse as well. */
const ALLOWANCES: readonly Allowance[] = [
	{
		cause: "target",
		why: "llhttp takes `*` for any method, fragments, any scheme, user information, any authority",
	},
	{ cause: "host_missing", why: "llhttp leaves Host to the server (RFC 9112, 3.2)" },
	{ cause: "host_duplicate", why: "llhttp leaves Host to the server (RFC 9112, 3.2)" },
	{ cause: "host_invalid", why: "llhttp leaves Host to the server (RFC 9112, 3.2)" },
	{ cause: "connection_option", why: "llhttp skips options that it does not know, and what is no token" },
	{
		cause: "transfer_encoding",
		why: "llhttp reads a response of unknown coding to the end of the connection",
	},
	{ cause: "transfer_coding_unknown", why: "llhttp leaves all codings but the last to the server" },
	{
		cause: "transfer_encoding_http10",
		why: "llhttp takes chunks in HTTP/1.0; RFC 9112, 6.1: faulty framing",
	},
	{ cause: "http_version_unsupported", why: "llhttp takes HTTP/0.9 and HTTP/2.0 heads written as 1.x" },
	{ cause: "method_connect", why: "a gateway is no proxy" },
	{ cause: "method_trace", why: "it would hand out what routes add" },
	{ cause: "max_forwards", why: "llhttp leaves it to the server" },
	{ cause: "method_unknown", why: "SOURCE belongs to Icecast", start: /^(\r\n)?SOURCE / },
	{ cause: "method_unknown", why: "llhttp begins to read the preface of HTTP/2", start: /^(\r\n)?PRI / },
	{
		cause: "http_version",
		why: "llhttp skips spaces, and begins to read RTSP and ICE",
		start: /^(\r\n)?\S+ \S+ [ RI]/,
	},
	{ cause: "unexpected_upgrade", why: "llhttp takes a 101 that switches to nothing" },
	{ cause: "content_length", why: "llhttp counts to 2^64, we to 15 digits" },
	{ cause: "chunk_size_too_large", why: "llhttp counts to 2^64, we to 2^32, in 16 digits" },
	{
		cause: "chunk_extension",
		why: "llhttp takes empty values, and obs-text and line ends in quoted strings",
	},
	{ cause: "chunk_extension_too_long", why: "llhttp has no limit for one chunk" },
	{ cause: "trailer_forbidden", why: "llhttp hands trailers on to the server" },
	{ cause: "trailers_too_large", why: "llhttp counts trailers as it counts heads" },
	{ cause: "too_many_fields", why: "llhttp counts bytes only" },
	{ cause: "head_too_large", why: "llhttp counts names and values only" },
	{ cause: "target_too_long", why: "llhttp counts names and values only" },
	// Before a message it skips whatever line ends there are; we take one CR LF before requests, and none else.
	{ cause: "method", why: "llhttp skips line ends before a message", start: /^[\r\n]/ },
	{ cause: "bare_cr", why: "llhttp skips line ends before a message", start: /^[\r\n]/ },
	{ cause: "bare_cr", why: "llhttp takes CR CR after a reason", start: /^HTTP\/1\.[01] \d{3}[^\r\n]*\r\r/ },
	{ cause: "bare_lf", why: "llhttp skips line ends before a message", start: /^[\r\n]/ },
	{
		cause: "status_line",
		why: "llhttp skips line ends, and begins to read RTSP and ICE",
		start: /^([\r\n]|R|I)/,
	},
	{
		cause: "status_line",
		why: "llhttp takes control characters in reasons, and codes below 100",
		start: /^HTTP\/1\.[01] (\d{3} |0\d\d)/,
	},
];

const request = new RequestHead();
const response = new ResponseHead();
const scanner = new ChunkedScanner();
const trailers = new TrailerSection();
const peer = new Llhttp();

/** How often we were stricter, by cause; and how many messages both accepted. */
export interface Tally {
	readonly stricter: Map<string, number>;
	agreed: number;
	refused: number;
}

export function newTally(): Tally {
	return { stricter: new Map(), agreed: 0, refused: 0 };
}

/** Makes the stream of `seed`, has it read twice, and throws with seed and bytes where the readers differ. */
export function runSeed(seed: number, tally: Tally): void {
	const random = new Random(seed);
	const kind: Kind = random.chance(0.6) ? "request" : "response";
	const made = generate(random, kind);
	// The one thing that we take and llhttp refuses: later minor versions, which mean 1.1 (RFC 9110, 2.5).
	const read = kind === "request" ? made.replace(/HTTP\/1\.[2-9]/g, "HTTP/1.1") : made;
	const bytes = new Uint8Array(Buffer.from(read, "latin1"));
	try {
		compare(bytes, kind, random.chance(0.1), tally);
		if (random.chance(0.25)) compareCuts(bytes, kind, random);
	} catch (error) {
		throw new Error(`seed ${seed}, ${kind} ${escaped(bytes)}: ${(error as Error).message}`, { cause: error });
	}
}

/** Bytes as a string literal in which nothing is invisible. */
export function escaped(bytes: Uint8Array): string {
	const literal = JSON.stringify(Buffer.from(bytes).toString("latin1"));
	return literal.replace(/[^ -~]/g, (character) => `\\x${character.charCodeAt(0).toString(16)}`);
}

/** Reads one stream twice and throws where the readers differ. */
export function compare(bytes: Uint8Array, kind: Kind, isHead: boolean, tally: Tally): void {
	peer.begin(kind);
	peer.skipsBody = isHead && kind === "response";
	let position = 0;
	while (position < bytes.length) {
		const next = compareMessage(bytes, position, kind, tally);
		if (next <= position) return;
		position = next;
	}
}

const OVER = -1;

/** Compares the message at `start` and returns where the next one begins, or OVER. */
function compareMessage(bytes: Uint8Array, start: number, kind: Kind, tally: Tally): number {
	const verdict = parse(bytes, start, bytes.length, kind);
	if (verdict === MALFORMED) {
		peer.feed(bytes, start, bytes.length);
		noteRefusal(bytes, start, kind === "request" ? request.cause : response.cause, tally);
		return OVER;
	}
	if (verdict === NEED_MORE) {
		const heads = peer.headCount;
		peer.feed(bytes, start, bytes.length);
		assert.equal(peer.headCount, heads, "llhttp read a head where we wait for more");
		if (peer.error !== "") assertNeverCompletes(bytes.slice(start), kind);
		return OVER;
	}
	peer.beginMessage();
	const said = kind === "request" ? request : response;
	const heads = peer.headCount;
	const messages = peer.messageCount;
	const bodyStart = start + said.headLength;
	peer.feed(bytes, start, bodyStart - 1);
	if (isMeantForUs(bytes, start, kind) && peer.error !== "") return OVER;
	assert.equal(peer.error, "", "we accept a head that llhttp refuses");
	assert.equal(peer.headCount, heads, "llhttp's head is shorter");
	peer.feed(bytes, bodyStart - 1, bodyStart);
	if (isMeantForUs(bytes, start, kind) && peer.error !== "") return OVER;
	assert.equal(peer.error, "", "we accept a head that llhttp refuses");
	assert.equal(peer.headCount, heads + 1, "llhttp's head is longer");
	compareFields(bytes, said.fields);
	if (kind === "request") compareRequest(bytes);
	else compareResponse(bytes);

	if (kind === "response" && response.isUpgrade) return OVER;
	const end = compareBody(bytes, bodyStart, messages, tally);
	tally.agreed++;
	return end === OVER || !said.keepAlive || !peer.keepAlive || peer.upgrade ? OVER : end;
}

function parse(bytes: Uint8Array, start: number, end: number, kind: Kind): Verdict {
	if (kind === "request") {
		const verdict = parseRequest(bytes, start, end, request);
		if (verdict === COMPLETE) request.cause = refusalOfMethod(request.method);
		return request.cause === NO_CAUSE ? verdict : MALFORMED;
	}
	return parseResponse(bytes, start, end, peer.skipsBody ? METHOD_HEAD : METHOD_GET, response);
}

/** We refused: llhttp did too, or the cause is one of those where we mean to be stricter. */
function noteRefusal(bytes: Uint8Array, start: number, cause: number, tally: Tally): void {
	const name = causeName(cause) as HttpCauseName;
	assert.notEqual(name, "none");
	tally.refused++;
	// Node keeps llhttp's errors to itself after the head of an upgrade: the rest is for others to read.
	if (peer.error !== "" || peer.upgrade) return;
	const begin = text(bytes, start, Math.min(bytes.length, start + 200));
	const isMeant = ALLOWANCES.some(
		(allowance) => allowance.cause === name && allowance.start?.test(begin) !== false,
	);
	assert.ok(isMeant, `llhttp accepts what we refuse for ${name}`);
	tally.stricter.set(name, (tally.stricter.get(name) ?? 0) + 1);
}

/** What could turn an unfinished head into one that we take. */
const CONTINUATIONS = [
	"\r\n\r\n",
	"\n\r\n",
	"\r\nHost: a\r\n\r\n",
	" HTTP/1.1\r\nHost: a\r\n\r\n",
	" / HTTP/1.1\r\nHost: a\r\n\r\n",
	":\r\n\r\n",
	":\r\nHost: a\r\n\r\n",
	"1\r\nHost: a\r\n\r\n",
	" 200 OK\r\n\r\n",
].map((text) => new Uint8Array(Buffer.from(text, "latin1")));

/** llhttp has refused already, and we still wait: whatever follows, we must refuse in the end. */
function assertNeverCompletes(bytes: Uint8Array, kind: Kind): void {
	for (const continuation of CONTINUATIONS) {
		const whole = new Uint8Array(Buffer.concat([bytes, continuation]));
		const verdict = parse(whole, 0, whole.length, kind);
		if (verdict !== COMPLETE || isMeantForUs(whole, 0, kind)) continue;
		assert.fail(`llhttp refuses (${peer.error}), and we would take ${escaped(whole)}`);
	}
}

function compareFields(bytes: Uint8Array, fields: FieldSection): void {
	const ours: string[] = [];
	for (let index = 0; index < fields.count; index++) {
		ours.push(textAt(bytes, fields, index * 4), textAt(bytes, fields, index * 4 + 2));
	}
	assert.deepEqual(ours, peer.fields);
}

function textAt(bytes: Uint8Array, fields: FieldSection, column: number): string {
	return text(bytes, fields.spans[column] as number, fields.spans[column + 1] as number);
}

function text(bytes: Uint8Array, start: number, end: number): string {
	return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}

function compareRequest(bytes: Uint8Array): void {
	assert.equal(text(bytes, request.methodStart, request.methodEnd), peer.method);
	assert.equal(text(bytes, request.targetStart, request.targetEnd), peer.url);
	assert.deepEqual([1, request.versionMinor], [peer.versionMajor, peer.versionMinor]);
	compareKeepAlive(bytes, request.fields, request.keepAlive);
}

function compareResponse(bytes: Uint8Array): void {
	assert.equal(response.statusCode, peer.statusCode);
	assert.equal(text(bytes, response.reasonStart, response.reasonEnd), peer.statusMessage);
	assert.deepEqual([1, response.versionMinor], [peer.versionMajor, peer.versionMinor]);
	if (!response.isUpgrade && !saysOfNoBody(response))
		compareKeepAlive(bytes, response.fields, response.keepAlive);
}

/**
 * A head that we take, and llhttp does not, as we mean it: a later minor version is written as 1.1, and lengths that
 * contradict each other do not matter where there is no body, and do not go on.
 */
function isMeantForUs(bytes: Uint8Array, start: number, kind: Kind): boolean {
	if (kind === "request") return false;
	return (
		saysOfNoBody(response) || /^HTTP\/1\.[2-9]/.test(text(bytes, start, Math.min(bytes.length, start + 8)))
	);
}

/** A length or a coding where there is no body: llhttp goes on with such a connection, and we do not. */
function saysOfNoBody({ hasNoBody, fields }: ResponseHead): boolean {
	return hasNoBody && (fields.isChunked || fields.contentLength > 0 || fields.framingCause !== NO_CAUSE);
}

/**
 * llhttp overlooks `close` beside a tab or a parameter, and lets `keep-alive` win over it in HTTP/1.0; RFC 9112, 9.3 says otherwise.
 * In all other cases the readers agree.
 */
function compareKeepAlive(bytes: Uint8Array, fields: FieldSection, keepAlive: boolean): void {
	if (keepAlive === peer.keepAlive) return;
	// It does not know yet that the answer to HEAD has no body, so it expects the connection to end.
	if (peer.skipsBody && !fields.isChunked && fields.contentLength < 0) return;
	let options = "";
	for (let index = 0; index < fields.count; index++) {
		if (((fields.ids[index] as number) & ~NOMINATED) !== FIELD_CONNECTION) continue;
		const start = fields.spans[index * 4 + 2] as number;
		options += text(bytes, start, bytes.indexOf(0x0d, start));
	}
	const isKnown = /[\t;=]/.test(options) || (fields.hasClose && fields.hasKeepAlive);
	assert.ok(isKnown, `we say keep-alive is ${keepAlive}, llhttp says ${peer.keepAlive}`);
}

/** Returns where the message ends, or OVER when it does not end within `bytes`. */
function compareBody(bytes: Uint8Array, start: number, messages: number, tally: Tally): number {
	const isRequest = peer.statusCode === 0;
	const framing = isRequest ? request.framing : response.framing;
	if (framing === FRAMING_LENGTH) {
		const length = isRequest ? request.contentLength : response.contentLength;
		return compareEnd(bytes, start, start + length, messages);
	}
	if (framing === FRAMING_CHUNKED) return compareChunks(bytes, start, messages, tally);
	if (framing === FRAMING_CLOSE) {
		peer.feed(bytes, start, bytes.length);
		assert.equal(peer.error, "");
		assert.equal(peer.messageCount, messages, "llhttp's body does not end with the connection");
		peer.finish();
		assert.equal(peer.messageCount, messages + 1);
		assert.equal(peer.bodyBytes, bytes.length - start);
		return OVER;
	}
	// llhttp knows 100, 102 and 103 as answers without a body; RFC 9112, 6.3 says so of every 1xx.
	if (!isRequest && response.isInterim && peer.messageCount === messages) {
		assert.ok(![100, 102, 103].includes(response.statusCode), "llhttp expects a body");
		return OVER;
	}
	assert.equal(peer.messageCount, messages + 1, "llhttp expects a body");
	return start;
}

/** What goes on of a chunked body is what llhttp is shown: it must find the same content in it, and the same end. */
function compareChunks(bytes: Uint8Array, start: number, messages: number, tally: Tally): number {
	const chunks = bytes.slice(start);
	scanner.reset();
	const verdict = scanner.scan(chunks, 0, chunks.length);
	const over = start + scanner.position;
	const ends = verdict === COMPLETE ? trailers.read(bytes, over, bytes.length, NO_EDITS, undefined) : verdict;
	if (ends === MALFORMED) {
		peer.feed(bytes, start, bytes.length);
		noteRefusal(bytes, start, verdict === MALFORMED ? scanner.cause : trailers.cause, tally);
		return OVER;
	}
	if (ends === NEED_MORE) {
		peer.feed(chunks, 0, scanner.keptBytes);
		assert.equal(peer.messageCount, messages, "llhttp's body is shorter");
		assert.equal(peer.error, "", "we pass on a body that llhttp refuses");
		return OVER;
	}
	const sent = new Uint8Array(bytes.length + 1024);
	sent.set(chunks.subarray(0, scanner.keptBytes));
	const length = scanner.keptBytes + trailers.writeEnd(bytes, true, sent, scanner.keptBytes);
	const before = peer.bodyBytes;
	if (compareEnd(sent.subarray(0, length), 0, length, messages) === OVER) return OVER;
	assert.equal(peer.bodyBytes - before, scanner.dataBytes);
	return trailers.position;
}

/** llhttp finds the end of the message exactly at `end`. */
function compareEnd(bytes: Uint8Array, start: number, end: number, messages: number): number {
	if (end > start) {
		peer.feed(bytes, start, Math.min(bytes.length, end - 1));
		assert.equal(peer.error, "", "we accept a body that llhttp refuses");
		assert.equal(peer.messageCount, messages, "llhttp's body is shorter");
		if (end > bytes.length) return OVER;
		peer.feed(bytes, end - 1, end);
		assert.equal(peer.error, "", "we accept a body that llhttp refuses");
	}
	assert.equal(peer.messageCount, messages + 1, "llhttp's body is longer");
	return end;
}

/** However the network cuts the first message, we say the same. */
function compareCuts(bytes: Uint8Array, kind: Kind, random: Random): void {
	const whole = parse(bytes, 0, bytes.length, kind);
	const said = kind === "request" ? request : response;
	const { headLength, cause } = said;
	const framing = said.framing;
	let from = 0;
	let length = 0;
	while (length < bytes.length) {
		length = Math.min(bytes.length, length + random.magnitude(60));
		const found = headEnd(bytes, 0, length, from);
		const verdict = parse(bytes, 0, length, kind);
		if (verdict === COMPLETE) assert.ok(found === said.headLength, `headEnd says ${found} at ${length}`);
		if (verdict === NEED_MORE) {
			assert.ok(found < 0, `headEnd says ${found}, and ${length} bytes are not enough`);
			assert.equal(~found, said.scanFrom);
			assert.ok(said.needBytes > length);
			if (whole === COMPLETE) assert.ok(said.needBytes <= headLength);
		} else {
			// A fault may show before the end that headEnd looks for.
			assert.equal(verdict, whole);
			assert.equal(said.headLength, headLength);
			assert.equal(said.cause, cause);
			break;
		}
		assert.notEqual(found, HEAD_BROKEN);
		from = ~found;
	}
	if (whole === COMPLETE && framing === FRAMING_CHUNKED) compareChunkCuts(bytes, headLength, random);
}

/** Scanned whole, and in pieces by another scanner that is loaded with three numbers each time. */
function compareChunkCuts(bytes: Uint8Array, start: number, random: Random): void {
	const atOnce = bytes.slice();
	const copy = bytes.slice();
	const kept: number[] = [];
	scanner.reset();
	const whole = scanner.scan(atOnce, start, bytes.length);
	const { position, cause, keptBytes } = scanner;
	const pieces = new ChunkedScanner();
	let verdict: Verdict = NEED_MORE;
	for (let from = start; from < bytes.length && verdict === NEED_MORE; ) {
		const end = Math.min(bytes.length, from + random.magnitude(30));
		const { phase, left, spent } = pieces;
		pieces.reset();
		pieces.load(phase, left, spent, false);
		verdict = pieces.scan(copy, from, end);
		kept.push(...copy.subarray(from, from + pieces.keptBytes));
		from = end;
	}
	assert.equal(verdict, whole);
	if (start === bytes.length) return;
	assert.equal(pieces.position, position);
	if (whole === MALFORMED) assert.equal(pieces.cause, cause);
	assert.deepEqual(
		kept,
		[...atOnce.subarray(start, start + keptBytes)],
		"cut differently, something else goes on",
	);
}
