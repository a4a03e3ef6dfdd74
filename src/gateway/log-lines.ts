/** What the log says of a session and of a request: from the bytes of a journal's record to those of a line. */

import { f64 } from "../parts/at.js";
import { REASONS } from "../parts/reasons.js";
import { ADDRESS_TEXT_LIMIT_BYTES, writeShownAddress } from "../protocol/address.js";
import { HTTP_CAUSES, NO_CAUSE } from "../protocol/http/causes.js";
import { PROTOCOL_NAMES } from "../protocol/index.js";
import {
	ADDRESS,
	ID,
	integerOf,
	type Journal,
	LISTENER,
	REQUEST_ANSWERED_HERE,
	REQUEST_CAUSE,
	REQUEST_ENDED,
	REQUEST_FROM_CLIENT,
	REQUEST_LENGTHS,
	REQUEST_OUTCOME,
	REQUEST_PATH_CUT,
	REQUEST_REUSED,
	REQUEST_STARTED,
	REQUEST_TO_CLIENT,
	ROUTE,
	requestTextOf,
	SESSION_ACCEPTED,
	SESSION_CLOSED,
	SESSION_CONNECTED,
	SESSION_FROM_CLIENT,
	SESSION_KINDS,
	SESSION_LENGTHS,
	SESSION_PORT,
	SESSION_RECOGNIZED,
	SESSION_SECURED,
	SESSION_TO_CLIENT,
	sessionTextOf,
	sourceOf,
	UPSTREAM,
} from "../reactor/records/journal.js";
import { TLS_FACTS_SEPARATOR } from "../reactor/records/tls-facts.js";
import {
	ESCAPED_MAX_BYTES,
	JsonBytes,
	NUMBER_MAX_BYTES,
	OVERHANG_BYTES,
	Piece,
	TIME_MAX_BYTES,
} from "./json-bytes.js";
import type { LineSink } from "./log-writer.js";

/** What a number of a record means. */
export interface Naming {
	/** The name that a number stands for now: the same string each time, until the number becomes another's. */
	readonly of: (slot: number) => string;
	/** What a line says for that name. Default: the name. */
	readonly shown?: (name: string) => string;
}

export interface Names {
	readonly listener: Naming;
	readonly route: Naming;
	readonly upstream: Naming;
	readonly address: Naming;
}

function key(name: string): Piece {
	return new Piece(`,"${name}":`);
}

/** A key with each of its values, by their numbers, and for all other numbers. */
function keyWith(name: string, values: readonly string[], others: string): Piece[] {
	const texts = values.map((value) => new Piece(`,"${name}":${value}`));
	while (texts.length < 256) texts.push(new Piece(others));
	return texts;
}

const HEAD = new Piece('{"level":"info","time":"');
const HEAD_END = new Piece('","');
const KEY_ID = new Piece('id":');
const KEY_SESSION = new Piece('session":');
const KEY_NAME = key("name");
const KEY_SOURCE = new Piece(',"source":"');
const KEY_ACCEPTED = key("accepted");
const KEY_SECURED = key("secured");
const KEY_RECOGNIZED = key("recognized");
const KEY_CONNECTED = key("connected");
const KEY_CLOSED = key("closed");
const KEY_FROM_CLIENT = key("bytes_from_client");
const KEY_TO_CLIENT = key("bytes_to_client");
const KEY_METHOD = key("method");
const KEY_HOST = key("host");
const KEY_PATH = key("path");
const KEY_STATUS = key("status");
const KEY_STARTED = key("started");
const KEY_DURATION = key("duration_ms");
const NULL = new Piece("null");
const QUOTE = 0x22;
const COLON = 0x3a;
const LEFT_BRACKET = 0x5b;
const RIGHT_BRACKET = 0x5d;
const RIGHT_BRACE = 0x7d;
/** In place of a string's last quote. */
const CUT = new Piece('…"');

const SESSION_END = new Piece(',"message":"session"}\n');
const REQUEST_END = new Piece(',"message":"request"}\n');

const quoted = (text: string): string => JSON.stringify(text);
const PROTOCOLS = keyWith("protocol", PROTOCOL_NAMES.map(quoted), "");
const SESSION_REASONS = keyWith("reason", REASONS.map(quoted), "");
/** By one more than the reason: 0 is none. */
const REQUEST_REASONS = keyWith("reason", ["null", ...REASONS.map(quoted)], ',"reason":null');
const CAUSES = keyWith(
	"cause",
	HTTP_CAUSES.map(({ name }, cause) => (cause === NO_CAUSE ? "null" : quoted(name))),
	',"cause":"none"',
);
const ANSWERED_BY_NONE = new Piece(',"answered_by":null');
const ANSWERED_HERE = new Piece(',"answered_by":"sluice"');
const ANSWERED_BY_UPSTREAM = new Piece(',"answered_by":"upstream"');
const REUSED = new Piece(',"reused":true');
const NOT_REUSED = new Piece(',"reused":false');

const TLS_NONE = new Piece(',"tls":null');
const TLS_VERSION = new Piece(',"tls":{"version":');
const TLS_CIPHER = key("cipher");
const TLS_RESUMED = key("resumed");
const TLS_ALPN = key("alpn");
const TLS_SUBJECT = key("client_subject");
const TLS_ERROR = key("tls_error");
const TRUE = new Piece("true");
const FALSE = new Piece("false");
/** Of the facts about TLS, in their order. */
const FACTS = 6;
const [VERSION, CIPHER, RESUMED, ALPN, SUBJECT, ERROR] = [0, 1, 2, 3, 4, 5] as const;
const SEPARATOR = TLS_FACTS_SEPARATOR.charCodeAt(0);
const ONE = 0x31;

/** Of a line without its names and text: keys, closed words, and thirteen numbers or times. */
const FIXED_MAX_BYTES =
	1_024 + 13 * (NUMBER_MAX_BYTES + TIME_MAX_BYTES) + ADDRESS_TEXT_LIMIT_BYTES + OVERHANG_BYTES;

export class LogLines {
	readonly #sink: LineSink;
	readonly #listeners: NameTexts;
	readonly #routes: NameTexts;
	readonly #upstreams: NameTexts;
	readonly #addresses: NameTexts;
	readonly #json = new JsonBytes();
	/** When lines are written. */
	#time = new Piece(new Date(0).toISOString());
	/** One number: the wall clock minus the kernel's clock, so that lines carry real times. */
	readonly #wallOffsetMs = new Float64Array(1);
	/** Where the facts about TLS of the line at hand begin, and where the last one ends. */
	readonly #facts = new Int32Array(FACTS + 1);

	constructor(names: Names, sink: LineSink) {
		this.#sink = sink;
		this.#listeners = new NameTexts("listener", names.listener);
		this.#routes = new NameTexts("route", names.route);
		this.#upstreams = new NameTexts("upstream", names.upstream);
		this.#addresses = new NameTexts("address", names.address);
	}

	/** Lines from now on say that they are written now, which is `kernelMs` on the kernel's clock. */
	setClock(nowMs: number, kernelMs: number): void {
		this.#time = new Piece(new Date(nowMs).toISOString());
		this.#wallOffsetMs[0] = nowMs - kernelMs;
	}

	/** A line for a session, where the sink has room for it. */
	readonly session = (journal: Journal, record: number): void => {
		const listener = this.#listeners.of(integerOf(journal, record, LISTENER));
		const route = this.#routes.of(integerOf(journal, record, ROUTE));
		const upstream = this.#upstreams.of(integerOf(journal, record, UPSTREAM));
		const address = this.#addresses.of(integerOf(journal, record, ADDRESS));
		const lengths = integerOf(journal, record, SESSION_LENGTHS);
		const nameLength = lengths & 0xff;
		const tlsLength = lengths >>> 8;
		const names = listener.length + route.length + upstream.length + address.length;
		if (!this.#begin(names, nameLength + tlsLength, KEY_ID)) return;

		const json = this.#json;
		const { words, bytes } = journal;
		const kinds = integerOf(journal, record, SESSION_KINDS);
		const name = sessionTextOf(record);
		json.number(words, record + ID);
		json.piece(listener);
		json.piece(route);
		json.piece(PROTOCOLS[(kinds >> 8) & 0xff] as Piece);
		json.piece(KEY_NAME);
		json.text(bytes, name, nameLength);
		json.piece(KEY_SOURCE);
		this.#endpoint(journal, record, (kinds >> 16) & 0xff);
		json.piece(upstream);
		json.piece(address);
		const offset = this.#wallOffsetMs;
		json.piece(KEY_ACCEPTED);
		json.time(words, record + SESSION_ACCEPTED, offset);
		if (f64(words, record + SESSION_SECURED) !== 0) {
			json.piece(KEY_SECURED);
			json.time(words, record + SESSION_SECURED, offset);
		}
		json.piece(KEY_RECOGNIZED);
		json.time(words, record + SESSION_RECOGNIZED, offset);
		json.piece(KEY_CONNECTED);
		json.time(words, record + SESSION_CONNECTED, offset);
		json.piece(KEY_CLOSED);
		json.time(words, record + SESSION_CLOSED, offset);
		json.piece(KEY_FROM_CLIENT);
		json.number(words, record + SESSION_FROM_CLIENT);
		json.piece(KEY_TO_CLIENT);
		json.number(words, record + SESSION_TO_CLIENT);
		if (tlsLength > 0) this.#tls(bytes, name + nameLength, tlsLength);
		json.piece(SESSION_REASONS[kinds & 0xff] as Piece);
		json.piece(SESSION_END);
		this.#sink.end(json.at);
	};

	/** A line for a request, where the sink has room for it. */
	readonly request = (journal: Journal, record: number): void => {
		const listener = this.#listeners.of(integerOf(journal, record, LISTENER));
		const route = this.#routes.of(integerOf(journal, record, ROUTE));
		const upstream = this.#upstreams.of(integerOf(journal, record, UPSTREAM));
		const address = this.#addresses.of(integerOf(journal, record, ADDRESS));
		const cause = integerOf(journal, record, REQUEST_CAUSE);
		const lengths = integerOf(journal, record, REQUEST_LENGTHS);
		const methodLength = cause & 0xffff;
		const hostLength = lengths & 0xffff;
		const pathLength = lengths >>> 16;
		const names = listener.length + route.length + upstream.length + address.length;
		if (!this.#begin(names, methodLength + pathLength + hostLength, KEY_SESSION)) return;

		const json = this.#json;
		const { words, bytes } = journal;
		const outcome = integerOf(journal, record, REQUEST_OUTCOME);
		const status = outcome & 0xffff;
		const flags = outcome >>> 24;
		const method = requestTextOf(record);
		const path = method + methodLength;
		json.number(words, record + ID);
		json.piece(listener);
		json.piece(route);
		json.piece(upstream);
		json.piece(address);
		json.piece(KEY_METHOD);
		json.text(bytes, method, methodLength);
		json.piece(KEY_HOST);
		json.text(bytes, path + pathLength, hostLength);
		json.piece(KEY_PATH);
		json.text(bytes, path, pathLength);
		if (pathLength > 0 && (flags & REQUEST_PATH_CUT) !== 0) {
			json.at--;
			json.piece(CUT);
		}
		json.piece(KEY_STATUS);
		if (status === 0) json.piece(NULL);
		else json.small(status);
		json.piece(answeredBy(status, flags));
		json.piece(REQUEST_REASONS[(outcome >> 16) & 0xff] as Piece);
		json.piece(CAUSES[Math.min(cause >>> 16, 0xff)] as Piece);
		json.piece((flags & REQUEST_REUSED) === 0 ? NOT_REUSED : REUSED);
		json.piece(KEY_FROM_CLIENT);
		json.number(words, record + REQUEST_FROM_CLIENT);
		json.piece(KEY_TO_CLIENT);
		json.number(words, record + REQUEST_TO_CLIENT);
		json.piece(KEY_STARTED);
		json.time(words, record + REQUEST_STARTED, this.#wallOffsetMs);
		json.piece(KEY_DURATION);
		json.duration(words, record + REQUEST_STARTED, record + REQUEST_ENDED);
		json.piece(REQUEST_END);
		this.#sink.end(json.at);
	};

	/** Begins a line with names of so many bytes and text of so many, up to its first key. */
	#begin(nameBytes: number, textBytes: number, first: Piece): boolean {
		const sink = this.#sink;
		if (!sink.begin(FIXED_MAX_BYTES + nameBytes + ESCAPED_MAX_BYTES * textBytes)) return false;
		const json = this.#json;
		json.begin(sink.bytes, sink.start);
		json.piece(HEAD);
		json.piece(this.#time);
		json.piece(HEAD_END);
		json.piece(first);
		return true;
	}

	/** The client's address and port, behind a quote, and the quote after them. */
	#endpoint(journal: Journal, record: number, family: number): void {
		const json = this.#json;
		if (family === 6) json.byte(LEFT_BRACKET);
		json.at += writeShownAddress(json.bytes, json.at, family, journal.bytes, sourceOf(record));
		if (family === 6) json.byte(RIGHT_BRACKET);
		json.byte(COLON);
		json.small(integerOf(journal, record, SESSION_PORT));
		json.byte(QUOTE);
	}

	/** Only of sessions that have something to do with it: most lines have not. */
	#tls(bytes: Uint8Array, start: number, length: number): void {
		this.#findFacts(bytes, start, length);
		const json = this.#json;
		if (this.#factLength(VERSION) === 0) json.piece(TLS_NONE);
		else {
			json.piece(TLS_VERSION);
			this.#fact(bytes, VERSION);
			json.piece(TLS_CIPHER);
			this.#fact(bytes, CIPHER);
			json.piece(TLS_RESUMED);
			const resumed = this.#facts[RESUMED] as number;
			if (this.#factLength(RESUMED) === 0) json.piece(NULL);
			else json.piece(this.#factLength(RESUMED) === 1 && bytes[resumed] === ONE ? TRUE : FALSE);
			json.piece(TLS_ALPN);
			this.#fact(bytes, ALPN);
			json.piece(TLS_SUBJECT);
			this.#fact(bytes, SUBJECT);
			json.byte(RIGHT_BRACE);
		}
		if (this.#factLength(ERROR) === 0) return;
		json.piece(TLS_ERROR);
		this.#fact(bytes, ERROR);
	}

	/** Facts that are missing at the end are empty. */
	#findFacts(bytes: Uint8Array, start: number, length: number): void {
		const facts = this.#facts;
		const end = start + length;
		facts[0] = start;
		let fact = 1;
		for (let i = start; i < end && fact <= FACTS; i++) if (bytes[i] === SEPARATOR) facts[fact++] = i + 1;
		// Each ends a byte before the next begins.
		while (fact <= FACTS) facts[fact++] = end + 1;
	}

	#factLength(fact: number): number {
		return Math.max(0, (this.#facts[fact + 1] as number) - (this.#facts[fact] as number) - 1);
	}

	#fact(bytes: Uint8Array, fact: number): void {
		this.#json.text(bytes, this.#facts[fact] as number, this.#factLength(fact));
	}
}

function answeredBy(status: number, flags: number): Piece {
	if (status === 0) return ANSWERED_BY_NONE;
	return (flags & REQUEST_ANSWERED_HERE) === 0 ? ANSWERED_BY_UPSTREAM : ANSWERED_HERE;
}

/** Names by their numbers, each with its key as a line has it. */
class NameTexts {
	readonly #key: string;
	readonly #naming: Naming;
	readonly #none: Piece;
	/** What the text was made from, to see that a number has become another's. */
	readonly #names: string[] = [];
	readonly #texts: Piece[] = [];

	constructor(key: string, naming: Naming) {
		this.#key = key;
		this.#naming = naming;
		this.#none = new Piece(`,"${key}":null`);
	}

	/** Null for numbers below 0. */
	of(slot: number): Piece {
		if (slot < 0) return this.#none;
		const name = this.#naming.of(slot);
		const known = this.#texts[slot];
		return known !== undefined && this.#names[slot] === name ? known : this.#make(slot, name);
	}

	#make(slot: number, name: string): Piece {
		const shown = this.#naming.shown?.(name) ?? name;
		const text = new Piece(`,"${this.#key}":${JSON.stringify(shown)}`);
		this.#names[slot] = name;
		this.#texts[slot] = text;
		return text;
	}
}
