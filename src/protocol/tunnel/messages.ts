/**
 * What agent and gateway say to each other on a control connection: docs/tunnel-wire.md, "Control". One object for each message;
 * what stands as base64url on the wire is bytes here, and everything else has the name and the value that it has there.
 */
import {
	bytes,
	code,
	type Fields,
	flag,
	listOf,
	maybe,
	objectOf,
	readFields,
	reading,
	text,
	whole,
	word,
	writeFields,
} from "./fields.js";

/** The version of the wire that is spoken here. */
export const TUNNEL_VERSION = 1;

/** What a frame may hold: the longest message, `lines` with 256 tickets, has some 23 KiB. */
export const FRAME_MAX_BYTES = 65_536;

/** Tickets in one message; who needs more lines asks again. */
export const TICKETS_MAX = 256;

export const CHALLENGE_BYTES = 32;
export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;
export const INSTANCE_BYTES = 16;
export const TICKET_ID_BYTES = 16;
export const TICKET_KEY_BYTES = 32;

const MESSAGE_MAX = 1_024;
const NAME_MAX = 255;
const ALLOW_MAX = 256;
const PASSWORDS_MAX = 64;

/** The gateway speaks first. */
export interface Hello {
	readonly type: "hello";
	readonly version: number;
	/** Fresh; the agent signs it. */
	readonly challenge: Uint8Array;
	/** Its name and version, for logs. */
	readonly gateway: string;
	/** Who has sent nothing for so long sends a ping. */
	readonly heartbeat_ms: number;
	/** Who has said nothing for so long is dead. */
	readonly dead_after_ms: number;
}

export interface Login {
	readonly type: "login";
	readonly version: number;
	readonly id: string;
	/** The agent's public key. */
	readonly key: Uint8Array;
	readonly signature: Uint8Array;
	/** Drawn once when the agent's process starts. */
	readonly instance: Uint8Array;
	/** Its name and version, for logs. */
	readonly agent: string;
}

export interface Welcome {
	readonly type: "welcome";
	/** Higher than all that this identity had before. */
	readonly epoch: number;
}

/** The login, or the version, is not taken. The gateway closes behind it. */
export interface Refused {
	readonly type: "refused";
	readonly code: "version" | "unauthorized" | "busy" | "draining" | (string & {});
	readonly message: string;
	/** Trying again is of no use. */
	readonly final: boolean;
	/** Not before. */
	readonly retry_after_ms?: number;
}

export const TUNNEL_KINDS = ["http", "tcp", "tls", "udp", "quic"] as const;
export type TunnelKind = (typeof TUNNEL_KINDS)[number];

/** Visitors come to a port of the gateway's, and not by a name. */
export function hasPort(kind: TunnelKind): kind is "tcp" | "udp" {
	return kind === "tcp" || kind === "udp";
}

/** Its lines carry datagrams, in frames. */
export function carriesDatagrams(kind: TunnelKind): kind is "udp" | "quic" {
	return kind === "udp" || kind === "quic";
}

/**
 * What log, metrics and events call a tunnel: `app`, and `app/udp` where it carries datagrams. Those have names of their own, so that a site
 * may have a tunnel for HTTP/3 beside the one for its other requests, under one name.
 */
export function nameWithTransport({
	kind,
	name,
}: {
	readonly kind: TunnelKind;
	readonly name: string;
}): string {
	return carriesDatagrams(kind) ? `${name}/udp` : name;
}

/** What its visitors say is encrypted from end to end, so its lines need not be. */
export function isEndToEnd(kind: TunnelKind): kind is "tls" | "quic" {
	return kind === "tls" || kind === "quic";
}

export interface Open {
	readonly type: "open";
	/** A number of the agent's choice, never used again on this connection. */
	readonly tunnel: number;
	readonly kind: TunnelKind;
	readonly name: string;
	/** A tcp or udp tunnel asks for this one. */
	readonly port?: number;
	/** The agent takes lines without TLS for a tcp or udp tunnel; those of tls and quic may always come so. */
	readonly plain?: boolean;
	/** Blocks of addresses whose visitors are let in. */
	readonly allow?: readonly string[];
	/** Visitors at a time. */
	readonly connections?: number;
	readonly bytes_per_second?: number;
	/** Visitors of an http tunnel are asked for one of these names and its password. */
	readonly basic_auth?: readonly PasswordHash[];
}

/** A name, and the hash of its password (`config/passwords.ts`). */
export interface PasswordHash {
	readonly user: string;
	readonly hash: string;
}

export interface Opened {
	readonly type: "opened";
	readonly tunnel: number;
	/** What visitors are told: `https://app.example.com`, `gw.example.com:20003`. */
	readonly addresses: readonly string[];
	/** Its lines come without TLS. */
	readonly plain: boolean;
	/** Of a udp or quic tunnel: a session without a datagram ends after so long. */
	readonly idle_ms?: number;
	/** Visitors are asked for a password, as the agent wanted: gateways that know nothing of it do not say so. */
	readonly basic_auth?: boolean;
}

export type TunnelCode = "name" | "taken" | "port" | "limit" | "removed" | "superseded" | (string & {});

export interface RefusedTunnel {
	readonly type: "refused_tunnel";
	readonly tunnel: number;
	readonly code: TunnelCode;
	readonly message: string;
	readonly final: boolean;
}

/** From the agent: no new visitor; those that run go on. */
export interface Close {
	readonly type: "close";
	readonly tunnel: number;
}

/** The gateway has closed it. */
export interface Closed {
	readonly type: "closed";
	readonly tunnel: number;
	readonly code: TunnelCode;
	readonly message: string;
	/** Opening it again is of no use. */
	readonly final?: boolean;
}

/** What the agent's check of its local service says. */
export interface Local {
	readonly type: "local";
	readonly tunnel: number;
	readonly up: boolean;
	readonly message: string;
}

/** Good once, for one line. */
export interface Ticket {
	readonly id: Uint8Array;
	/** Never sent on the line itself. */
	readonly key: Uint8Array;
}

/** For each ticket the agent opens a line. */
export interface Lines {
	readonly type: "lines";
	readonly tunnel: number;
	readonly tickets: readonly Ticket[];
}

/** A line could not be opened. */
export interface Failed {
	readonly type: "failed";
	readonly ticket: Uint8Array;
	readonly message: string;
}

export interface Ping {
	readonly type: "ping";
	readonly sent_ms: number;
}

export interface Pong {
	readonly type: "pong";
	readonly sent_ms: number;
}

/** The sender closes behind it. */
export interface Bye {
	readonly type: "bye";
	readonly code: "ended" | "draining" | "superseded" | "removed" | "protocol" | "dead" | (string & {});
	readonly message: string;
}

export type Message =
	| Hello
	| Login
	| Welcome
	| Refused
	| Open
	| Opened
	| RefusedTunnel
	| Close
	| Closed
	| Local
	| Lines
	| Failed
	| Ping
	| Pong
	| Bye;

export type MessageType = Message["type"];

/** Of the others, this one. */
export type MessageOf<Type extends MessageType> = Extract<Message, { readonly type: Type }>;

const tunnel = whole(0, 0xffff_ffff);
const message = text(MESSAGE_MAX);
const version = whole(0, 0xffff);
const tunnelCode = code<TunnelCode>();

const TABLE: { readonly [Type in MessageType]: Fields<Omit<MessageOf<Type>, "type">> } = {
	hello: {
		version,
		challenge: bytes(CHALLENGE_BYTES),
		gateway: text(NAME_MAX),
		heartbeat_ms: whole(1),
		dead_after_ms: whole(1),
	},
	login: {
		version,
		id: text(NAME_MAX, 1),
		key: bytes(PUBLIC_KEY_BYTES),
		signature: bytes(SIGNATURE_BYTES),
		instance: bytes(INSTANCE_BYTES),
		agent: text(NAME_MAX),
	},
	welcome: { epoch: whole(0) },
	refused: { code: code(), message, final: flag, retry_after_ms: maybe(whole(0)) },
	open: {
		tunnel,
		kind: word(...TUNNEL_KINDS),
		name: text(NAME_MAX, 1),
		port: maybe(whole(1, 65_535)),
		plain: maybe(flag),
		allow: maybe(listOf(text(64, 1), ALLOW_MAX)),
		connections: maybe(whole(1)),
		bytes_per_second: maybe(whole(1)),
		basic_auth: maybe(
			listOf(objectOf<PasswordHash>({ user: text(128, 1), hash: text(128, 1) }), PASSWORDS_MAX),
		),
	},
	opened: {
		tunnel,
		addresses: listOf(text(NAME_MAX + 64), 64),
		plain: flag,
		idle_ms: maybe(whole(1)),
		basic_auth: maybe(flag),
	},
	refused_tunnel: { tunnel, code: tunnelCode, message, final: flag },
	close: { tunnel },
	closed: { tunnel, code: tunnelCode, message, final: maybe(flag) },
	local: { tunnel, up: flag, message },
	lines: {
		tunnel,
		tickets: listOf(
			objectOf<Ticket>({ id: bytes(TICKET_ID_BYTES), key: bytes(TICKET_KEY_BYTES) }),
			TICKETS_MAX,
		),
	},
	failed: { ticket: bytes(TICKET_ID_BYTES), message },
	ping: { sent_ms: reading },
	pong: { sent_ms: reading },
	bye: { code: code(), message },
};

/** The other side has said what no version of the wire says: it is told `bye` with `protocol`. */
export class TunnelProtocolError extends Error {
	override readonly name = "TunnelProtocolError";
	readonly code = "TUNNEL_PROTOCOL";
}

/**
 * The message in a frame's payload; `undefined` for one of a type that is not known, which is ignored.
 *
 * @throws TunnelProtocolError when it is no object with a type, or lacks a field
 */
export function readMessage(payload: Uint8Array): Message | undefined {
	const value = parse(payload);
	if (typeof value !== "object" || value === null || Array.isArray(value))
		throw new TunnelProtocolError("a frame holds one JSON object");
	const type: unknown = Object.hasOwn(value, "type") ? (value as { type?: unknown }).type : undefined;
	if (typeof type !== "string") throw new TunnelProtocolError("a message has no type");
	if (!Object.hasOwn(TABLE, type)) return undefined;
	const fields = readFields<object>(value, TABLE[type as MessageType] as unknown as Fields<object>);
	if (typeof fields === "string")
		throw new TunnelProtocolError(`the field "${fields}" of "${type}" is missing, or is not what it must be`);
	return { type, ...fields } as Message;
}

function parse(payload: Uint8Array): unknown {
	try {
		return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload));
	} catch {
		throw new TunnelProtocolError("a frame holds no JSON");
	}
}

/**
 * A message as a frame, its length included.
 *
 * @throws RangeError for one that is longer than a frame may be
 */
export function writeMessage(said: Message): Buffer {
	const fields = TABLE[said.type] as unknown as Fields<object>;
	const json = JSON.stringify({ type: said.type, ...writeFields<object>(said, fields) });
	const length = Buffer.byteLength(json);
	if (length > FRAME_MAX_BYTES)
		throw new RangeError(`a message "${said.type}" of ${length} bytes exceeds ${FRAME_MAX_BYTES}`);
	const frame = Buffer.allocUnsafe(4 + length);
	frame.writeUInt32BE(length);
	frame.write(json, 4);
	return frame;
}

/** A text that somebody else made, as long as a field `message` may be. */
export function shortened(words: string): string {
	return words.length <= MESSAGE_MAX ? words : `${words.slice(0, MESSAGE_MAX - 1)}…`;
}
