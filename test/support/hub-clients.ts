/**
 * Subscribers of the hub in a test's hand, in each of its protocols (docs/hub-wire.md), by none of the gateway's own code: what they
 * read and write is written down here once more.
 */
import { createHash, randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { dial, type Peer } from "./peers.js";
import { head } from "./requests.js";
import type { Scenario } from "./scenario.js";
import { dialTls } from "./tls.js";
import { Changes } from "./waiting.js";

/** What the hub says, whatever the protocol: the objects of the wire. Of a message that was published as bytes, `bytes` has them. */
export interface Told {
	readonly type: string;
	readonly channel?: string;
	readonly id?: string;
	readonly data?: string;
	readonly bytes?: Buffer;
	readonly key?: string;
	readonly missed?: number;
	readonly code?: string | number;
	readonly reason?: string;
	readonly ref?: string | number;
	readonly [field: string]: unknown;
}

/** How it was told that it ends. */
export interface Farewell {
	readonly code: number;
	readonly reason: string;
	readonly retryMs?: number;
}

export interface Arrival {
	/** Through TLS, for this name. */
	readonly tls?: string;
	readonly localAddress?: string;
	/** Of a request: `X: y\r\n`. */
	readonly fields?: string;
	readonly host?: string;
	readonly token?: string;
	/** Of a request: what it asks with instead of GET. */
	readonly method?: string;
}

export abstract class HubClient {
	readonly peer: Peer;
	/** All that was said to it, in order. */
	readonly all: Told[] = [];
	/** Pings, comments, empty frames. */
	heartbeats = 0;
	/** The last words of the hub; `undefined`: there were none. */
	farewell: Farewell | undefined;
	/** What each read brought is noted at once; `next` goes over it. */
	#read = 0;
	#rest: Buffer = Buffer.alloc(0);
	protected readonly changes = new Changes();

	constructor(peer: Peer) {
		this.peer = peer;
		const { socket } = peer;
		socket.setNoDelay(true);
		socket.removeAllListeners("data").on("data", (bytes: Buffer) => this.#take(bytes));
		socket.once("end", () => socket.end());
		for (const event of ["end", "close", "error"]) socket.on(event, () => this.changes.announce());
	}

	/** Takes what has come before it was there. */
	begin(): this {
		const before = this.peer.received;
		if (before.length > 0) this.#take(before);
		return this;
	}

	/** Takes what is whole of it, and returns the rest. */
	protected abstract parse(bytes: Buffer): Buffer;
	abstract say(what: Readonly<Record<string, unknown>>): void;

	#take(bytes: Buffer): void {
		this.#rest = this.parse(this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]));
		this.changes.announce();
	}

	get socket(): Socket {
		return this.peer.socket;
	}

	/** What the log of the gateway calls it. */
	get name(): string {
		return this.peer.name;
	}

	protected hear(told: Told): void {
		this.all.push(told);
	}

	/** What is said next. */
	next(): Promise<Told> {
		return this.changes.until(
			() => (this.#read < this.all.length ? this.all[this.#read++] : this.#orThrowIfOver()),
			() => `nothing was said behind ${shown(this.all.slice(-5))}`,
		);
	}

	/** What is said next, which has to be of this type. */
	async expect(type: string): Promise<Told> {
		const told = await this.next();
		if (told.type !== type) throw new Error(`expected "${type}", and was told ${shown([told])}`);
		return told;
	}

	/** The next `count` messages, which nothing else comes between. */
	async texts(count: number): Promise<string[]> {
		const texts: string[] = [];
		while (texts.length < count) texts.push(String((await this.expect("message")).data));
		return texts;
	}

	/** Waits for the first that is so, of all that was or will be said. */
	heard(isSo: (told: Told) => boolean): Promise<Told> {
		return this.changes.until(
			() => this.all.find(isSo) ?? this.#orThrowIfOver(),
			() => `what was waited for was not said; last: ${shown(this.all.slice(-5))}`,
		);
	}

	/** Waits until something of it holds. */
	until(holds: () => boolean): Promise<true> {
		return this.changes.until(
			() => (holds() ? true : this.#orThrowIfOver()),
			() => `it does not hold; last: ${shown(this.all.slice(-5))}`,
		);
	}

	/** Messages, and what was left out between them, of one channel or all. */
	messages(channel?: string): Told[] {
		return this.all.filter(
			(told) => told.type === "message" && (channel === undefined || told.channel === channel),
		);
	}

	missed(channel?: string): number {
		return this.all
			.filter((told) => told.type === "gap" && (channel === undefined || told.channel === channel))
			.reduce((sum, { missed = 0 }) => sum + missed, 0);
	}

	/** Reads nothing more, until `resume`. */
	pause(): void {
		this.socket.pause();
	}

	resume(): void {
		this.socket.resume();
	}

	/** Waits until the hub has ended it: how it said so, or "ended", or the error that cut it off. */
	async over(): Promise<Farewell | string> {
		const how = await this.peer.over();
		return this.farewell ?? how;
	}

	#orThrowIfOver(): undefined {
		const { error, ended } = this.peer;
		if (error === undefined && !ended && !this.socket.destroyed) return undefined;
		const how = this.farewell === undefined ? (error ?? "ended") : shown([this.farewell]);
		throw new Error(`it is over (${how}); last: ${shown(this.all.slice(-5))}`);
	}
}

function shown(values: readonly unknown[]): string {
	return values.map((value) => JSON.stringify(value).slice(0, 120)).join(", ") || "nothing";
}

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

export class WebSocketClient extends HubClient {
	/** What the handshake was answered with. */
	readonly answer: string;
	/** Its pings are answered. */
	answers = true;
	pongs: Buffer[] = [];

	constructor(peer: Peer, answer: string) {
		super(peer);
		this.answer = answer;
	}

	protected override parse(bytes: Buffer): Buffer {
		for (let at = 0; ; ) {
			const frame = frameAt(bytes, at);
			if (frame === undefined) return bytes.subarray(at);
			at = frame.end;
			this.#frame(frame.opcode, frame.payload);
		}
	}

	#frame(opcode: number, payload: Buffer): void {
		if (opcode === TEXT) this.hear(JSON.parse(payload.toString()) as Told);
		else if (opcode === BINARY) this.hear(withBytes(payload));
		else if (opcode === PONG) this.pongs.push(payload);
		else if (opcode === PING) {
			this.heartbeats++;
			if (this.answers) this.frame(PONG, payload);
		} else if (opcode === CLOSE) this.#close(payload);
		else throw new Error(`a frame of opcode ${opcode}`);
	}

	#close(payload: Buffer): void {
		const reason = payload.subarray(2).toString();
		const [, retry] = /retry_after_ms=(\d+)$/.exec(reason) ?? [];
		this.farewell = {
			...{ code: payload.length < 2 ? 1005 : payload.readUInt16BE(0), reason },
			...(retry === undefined ? {} : { retryMs: Number(retry) }),
		};
		if (this.answers && this.socket.writable) this.socket.end(masked(CLOSE, payload));
	}

	override say(what: Readonly<Record<string, unknown>>): void {
		this.frame(TEXT, Buffer.from(JSON.stringify(what)));
	}

	/** As a binary frame: the object, and bytes behind it. */
	sayBytes(what: Readonly<Record<string, unknown>>, bytes: Uint8Array): void {
		this.frame(BINARY, headed(what, bytes));
	}

	/** `fin` and `opcode` as they stand in the first byte. */
	frame(opcode: number, payload: Uint8Array, fin = true): void {
		if (this.socket.writable) this.socket.write(masked(opcode, payload, fin));
	}

	ping(text = ""): void {
		this.frame(PING, Buffer.from(text));
	}

	close(code = 1000): void {
		const payload = Buffer.alloc(2);
		payload.writeUInt16BE(code);
		this.frame(CLOSE, payload);
	}
}

/** A client's frame. */
export function masked(opcode: number, payload: Uint8Array, fin = true): Buffer {
	const length = payload.length;
	const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
	const header = Buffer.alloc(2 + extended);
	header[0] = (fin ? 0x80 : 0) | opcode;
	header[1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127);
	if (extended === 2) header.writeUInt16BE(length, 2);
	if (extended === 8) header.writeBigUInt64BE(BigInt(length), 2);
	const mask = randomBytes(4);
	return Buffer.concat([header, mask, Buffer.from(payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0)))]);
}

/** A frame of the hub's, which has no mask; `undefined`: it has not come whole. */
function frameAt(bytes: Buffer, at: number): { opcode: number; payload: Buffer; end: number } | undefined {
	if (bytes.length < at + 2) return undefined;
	const [first = 0, second = 0] = bytes.subarray(at, at + 2);
	if ((first & 0xf0) !== 0x80) throw new Error("a frame of the hub's is whole, and has no reserved bits");
	if ((second & 0x80) !== 0) throw new Error("a frame of the hub's has no mask");
	const extended = second < 126 ? 0 : second === 126 ? 2 : 8;
	const from = at + 2 + extended;
	if (bytes.length < from) return undefined;
	const length =
		extended === 0
			? second
			: extended === 2
				? bytes.readUInt16BE(at + 2)
				: Number(bytes.readBigUInt64BE(at + 2));
	const end = from + length;
	return bytes.length < end ? undefined : { opcode: first & 0x0f, payload: bytes.subarray(from, end), end };
}

/** A header of four bytes of length, and bytes behind it. */
function withBytes(payload: Buffer): Told {
	const length = payload.readUInt32BE(0);
	const object = JSON.parse(payload.subarray(4, 4 + length).toString()) as Told;
	return { ...object, bytes: Buffer.from(payload.subarray(4 + length)) };
}

function headed(what: Readonly<Record<string, unknown>>, bytes: Uint8Array): Buffer {
	const object = Buffer.from(JSON.stringify(what));
	const length = Buffer.alloc(4);
	length.writeUInt32BE(object.length);
	return Buffer.concat([length, object, bytes]);
}

/** Server-sent events (HTML, 9.2.6), as far as the hub uses them. */
export class EventsClient extends HubClient {
	readonly answer: string;
	/** What it was told to wait before it comes again. */
	retryMs: number | undefined;

	constructor(peer: Peer, answer: string) {
		super(peer);
		this.answer = answer;
	}

	protected override parse(bytes: Buffer): Buffer {
		for (let at = 0; ; ) {
			const end = bytes.indexOf("\n\n", at);
			if (end < 0) return bytes.subarray(at);
			this.#event(bytes.subarray(at, end).toString());
			at = end + 2;
		}
	}

	#event(text: string): void {
		const fields = new Map<string, string>();
		for (const line of text.split("\n")) {
			const colon = line.indexOf(":");
			if (colon === 0) this.heartbeats++;
			else fields.set(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ""));
		}
		const retry = fields.get("retry");
		if (retry !== undefined) this.retryMs = Number(retry);
		const data = fields.get("data");
		if (data === undefined) return;
		const object = JSON.parse(data) as Readonly<Record<string, unknown>>;
		const id = fields.get("id");
		const { base64 } = object;
		const told: Told = {
			...object,
			...(typeof base64 === "string" ? { bytes: Buffer.from(base64, "base64") } : {}),
			...(id === undefined ? {} : { id }),
			type: fields.get("event") ?? "message",
		};
		if (told.type === "end") this.farewell = farewellIn(told);
		else this.hear(told);
	}

	override say(): void {
		throw new Error("nothing is said behind a request for events");
	}
}

function farewellIn({ code, reason, retry_after_ms: retryMs }: Told): Farewell {
	return {
		...{ code: Number(code), reason: String(reason) },
		...(typeof retryMs === "number" ? { retryMs } : {}),
	};
}

export class FramedClient extends HubClient {
	/** Its heartbeats are answered. */
	answers = true;

	protected override parse(bytes: Buffer): Buffer {
		for (let at = 0; ; ) {
			if (bytes.length < at + 4) return bytes.subarray(at);
			const said = bytes.readUInt32BE(at);
			const length = said & 0x7fffffff;
			const end = at + 4 + length;
			if (bytes.length < end) return bytes.subarray(at);
			this.#frame(bytes.subarray(at + 4, end), said !== length);
			at = end;
		}
	}

	#frame(payload: Buffer, isBinary: boolean): void {
		if (payload.length === 0) {
			this.heartbeats++;
			if (this.answers && this.socket.writable) this.socket.write(Buffer.alloc(4));
			return;
		}
		const told = isBinary ? withBytes(payload) : (JSON.parse(payload.toString()) as Told);
		if (told.type === "end") this.farewell = farewellIn(told);
		else this.hear(told);
	}

	override say(what: Readonly<Record<string, unknown>>): void {
		this.frame(Buffer.from(JSON.stringify(what)));
	}

	sayBytes(what: Readonly<Record<string, unknown>>, bytes: Uint8Array): void {
		this.frame(headed(what, bytes), 0x80000000);
	}

	frame(payload: Uint8Array, bit = 0): void {
		const length = Buffer.alloc(4);
		length.writeUInt32BE((payload.length | bit) >>> 0);
		if (this.socket.writable) this.socket.write(Buffer.concat([length, payload]));
	}
}

async function arrive(scenario: Scenario, port: number, { tls, localAddress }: Arrival): Promise<Peer> {
	if (tls !== undefined) return dialTls(scenario, port, tls);
	return dial(scenario, port, localAddress === undefined ? {} : { localAddress });
}

function requestOf(
	target: string,
	{ host = "hub.test", fields = "", token, method = "GET" }: Arrival,
): string {
	const authorization = token === undefined ? "" : `Authorization: Bearer ${token}\r\n`;
	return `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${authorization}${fields}`;
}

/** Asks, and returns the head of the answer and the connection, of which nothing else was read. */
async function ask(
	scenario: Scenario,
	port: number,
	request: string,
	arrival: Arrival,
): Promise<[peer: Peer, answer: string]> {
	const peer = await arrive(scenario, port, arrival);
	await peer.send(`${request}\r\n`);
	return [peer, await head(peer)];
}

/** Of the hub's listener of requests: what stands before a channel. */
export const CHANNELS = "/channels/";

/** `channel`: behind the path; also with a query. */
export async function openWebSocket(
	scenario: Scenario,
	port: number,
	channel: string,
	arrival: Arrival = {},
): Promise<WebSocketClient> {
	const key = randomBytes(16).toString("base64");
	const upgrade = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n`;
	const request = `${requestOf(CHANNELS + channel, arrival)}${upgrade}`;
	const [peer, answer] = await ask(scenario, port, request, arrival);
	if (!answer.startsWith("HTTP/1.1 101 ")) throw new Error(`no WebSocket: ${answer}${await peer.rest()}`);
	const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
	if (!answer.includes(`Sec-WebSocket-Accept: ${accept}\r\n`))
		throw new Error(`another handshake: ${answer}`);
	return new WebSocketClient(peer, answer).begin();
}

export async function openEvents(
	scenario: Scenario,
	port: number,
	channel: string,
	arrival: Arrival = {},
): Promise<EventsClient> {
	const request = `${requestOf(CHANNELS + channel, arrival)}Accept: text/event-stream\r\n`;
	const [peer, answer] = await ask(scenario, port, request, arrival);
	if (!answer.startsWith("HTTP/1.1 200 ")) throw new Error(`no events: ${answer}${await peer.rest()}`);
	return new EventsClient(peer, answer).begin();
}

/** `hello`: what it says first, where it says something. */
export async function openFramed(
	scenario: Scenario,
	port: number,
	hello?: Readonly<Record<string, unknown>>,
	arrival: Arrival = {},
): Promise<FramedClient> {
	const client = new FramedClient(await arrive(scenario, port, arrival)).begin();
	if (hello !== undefined) client.say({ type: "hello", version: 1, ...hello });
	return client;
}

export interface Answer {
	readonly status: number;
	readonly head: string;
	readonly body: string;
	/** Of a refusal of the hub's. */
	readonly code?: string;
}

/** What a request is answered with that becomes no subscriber; with `Upgrade` among the fields it asks for a WebSocket. */
export async function answerTo(
	scenario: Scenario,
	port: number,
	target: string,
	arrival: Arrival = {},
): Promise<Answer> {
	const [peer, answer] = await ask(scenario, port, requestOf(target, arrival), arrival);
	peer.end();
	const body = await peer.rest();
	const { code } = (body.startsWith("{") ? JSON.parse(body) : {}) as { code?: string };
	return {
		...{ status: Number(answer.split(" ")[1]), head: answer, body },
		...(code === undefined ? {} : { code }),
	};
}

/** Fields that ask for a WebSocket. */
export const UPGRADE =
	"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
/** And an event stream. */
export const EVENTS = "Accept: text/event-stream\r\n";
