/** Reads journals into objects, for tests: by the bytes alone, with none of the code that reads them in the gateway. */
import type { Journal } from "../../src/reactor/records/journal.js";

export interface SessionRecord {
	id: number;
	listener: number;
	route: number;
	upstream: number;
	address: number;
	reason: number;
	protocol: number;
	family: number;
	sourcePort: number;
	source: Uint8Array;
	name: string;
	/** Milliseconds on the kernel's clock; 0 = the session did not get that far. */
	acceptedMs: number;
	recognizedMs: number;
	connectedMs: number;
	securedMs: number;
	closedMs: number;
	bytesFromClient: number;
	bytesToClient: number;
	/** What there is to say about its TLS, as `tls-facts.ts` writes it; empty: nothing. */
	tls: string;
}

export interface RequestRecord {
	/** Of the session. */
	id: number;
	listener: number;
	route: number;
	upstream: number;
	address: number;
	/** 0: nobody answered. */
	status: number;
	/** Why it was not answered by its upstream, or not to the end; -1: it was. */
	reason: number;
	/** Of HTTP_CAUSES: what was wrong with a head that was not understood. */
	cause: number;
	/** REQUEST_… */
	flags: number;
	/** Empty, as path and host are, for one whose head was not understood or not whole. */
	method: string;
	path: string;
	host: string;
	startedMs: number;
	endedMs: number;
	bytesFromClient: number;
	bytesToClient: number;
}

/** Positions and counts stand in front of the ring. */
const RING_AT = 16;
const DOUBLES_AT = 32;
const SOURCE_AT = 96;
const SESSION_TEXT_AT = 112;
const REQUEST_TEXT_AT = 72;

/** Calls one of them for each record, oldest first. */
export function readJournal(
	journal: Journal,
	takeSession: (record: SessionRecord) => void,
	takeRequest: (record: RequestRecord) => void = () => {},
): void {
	journal.drain(
		(_, record) => takeSession(sessionAt(journal, record)),
		(_, record) => takeRequest(requestAt(journal, record)),
	);
}

interface Reading {
	readonly integer: (index: number) => number;
	readonly double: (index: number) => number;
	/** Characters of one byte each, from the record's byte `start` on. */
	readonly text: (start: number, length: number) => string;
}

function reading(journal: Journal, record: number): Reading {
	const at = RING_AT + record * 8;
	const view = new DataView(journal.buffer, at);
	const isLittle = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
	return {
		integer: (index) => view.getInt32(index * 4, isLittle),
		double: (index) => view.getFloat64(DOUBLES_AT + index * 8, isLittle),
		text: (start, length) => Buffer.from(journal.buffer, at + start, length).toString("latin1"),
	};
}

export function sessionAt(journal: Journal, record: number): SessionRecord {
	const { integer, double, text } = reading(journal, record);
	const kinds = integer(5);
	const nameLength = integer(7) & 0xff;
	return {
		listener: integer(1),
		route: integer(2),
		upstream: integer(3),
		address: integer(4),
		reason: kinds & 0xff,
		protocol: (kinds >> 8) & 0xff,
		family: (kinds >> 16) & 0xff,
		sourcePort: integer(6),
		id: double(0),
		acceptedMs: double(1),
		recognizedMs: double(2),
		connectedMs: double(3),
		securedMs: double(4),
		closedMs: double(5),
		bytesFromClient: double(6),
		bytesToClient: double(7),
		source: Uint8Array.from(Buffer.from(text(SOURCE_AT, 16), "latin1")),
		name: text(SESSION_TEXT_AT, nameLength),
		tls: text(SESSION_TEXT_AT + nameLength, integer(7) >>> 8),
	};
}

export function requestAt(journal: Journal, record: number): RequestRecord {
	const { integer, double, text } = reading(journal, record);
	const outcome = integer(5);
	const methodLength = integer(6) & 0xffff;
	const pathLength = integer(7) >>> 16;
	return {
		listener: integer(1),
		route: integer(2),
		upstream: integer(3),
		address: integer(4),
		status: outcome & 0xffff,
		reason: ((outcome >> 16) & 0xff) - 1,
		cause: integer(6) >>> 16,
		flags: outcome >>> 24,
		method: text(REQUEST_TEXT_AT, methodLength),
		path: text(REQUEST_TEXT_AT + methodLength, pathLength),
		host: text(REQUEST_TEXT_AT + methodLength + pathLength, integer(7) & 0xffff),
		id: double(0),
		startedMs: double(1),
		endedMs: double(2),
		bytesFromClient: double(3),
		bytesToClient: double(4),
	};
}
