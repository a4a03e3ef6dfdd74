import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
	FRAME_MAX_BYTES,
	type Message,
	readMessage,
	shortened,
	TICKETS_MAX,
	TunnelProtocolError,
	writeMessage,
} from "../../../src/protocol/tunnel/index.js";
import { ControlDecoder } from "../../../src/tunnel/control-decoder.js";

const filled = (length: number, byte = 7): Uint8Array => Buffer.alloc(length, byte);
const ticket = { id: filled(16), key: filled(32) };

/** One of each, with every field. */
const ALL: readonly Message[] = [
	{
		...{ type: "hello", version: 1, challenge: filled(32), gateway: "sluice/1" },
		...{ heartbeat_ms: 15_000, dead_after_ms: 45_000 },
	},
	{
		...{ type: "login", version: 1, id: "laptop", key: filled(32), signature: filled(64) },
		...{ instance: filled(16), agent: "sluice/1" },
	},
	{ type: "welcome", epoch: 7 },
	{ type: "refused", code: "busy", message: "too many", final: false, retry_after_ms: 1_000 },
	{
		...{ type: "open", tunnel: 1, kind: "tcp", name: "ssh", port: 20_000, plain: true },
		...{ allow: ["10.0.0.0/8"], connections: 5, bytes_per_second: 1_000_000 },
	},
	{ type: "opened", tunnel: 1, addresses: ["gw.example.com:20000"], plain: false },
	{ type: "refused_tunnel", tunnel: 1, code: "name", message: "not yours", final: true },
	{ type: "close", tunnel: 1 },
	{ type: "closed", tunnel: 1, code: "removed", message: "gone", final: true },
	{ type: "local", tunnel: 1, up: false, message: "ECONNREFUSED" },
	{ type: "lines", tunnel: 1, tickets: [ticket, ticket] },
	{ type: "failed", ticket: filled(16), message: "ETIMEDOUT" },
	{ type: "ping", sent_ms: 12.5 },
	{ type: "pong", sent_ms: 0 },
	{ type: "bye", code: "ended", message: "" },
];

/** The optional ones. */
const OPTIONAL: Readonly<Record<string, readonly string[]>> = {
	refused: ["retry_after_ms"],
	open: ["port", "plain", "allow", "connections", "bytes_per_second"],
	closed: ["final"],
};

const payload = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** As it stands in its frame. */
function json(message: Message): Record<string, unknown> {
	return JSON.parse(writeMessage(message).subarray(4).toString()) as Record<string, unknown>;
}

test("every message comes out as it went in, and bytes stand in base64url", () => {
	for (const message of ALL) {
		const frame = writeMessage(message);
		assert.equal(frame.readUInt32BE(), frame.length - 4);
		const read = readMessage(frame.subarray(4));
		assert.deepEqual(JSON.parse(JSON.stringify(read)), JSON.parse(JSON.stringify(normal(message))));
	}
	assert.equal(
		json({ type: "failed", ticket: filled(16, 255), message: "" })["ticket"],
		"_____________________w",
	);
});

/** Bytes are Buffers when they have been read. */
function normal(value: unknown): unknown {
	if (value instanceof Uint8Array) return Buffer.from(value);
	if (Array.isArray(value)) return value.map(normal);
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, normal(each)]));
}

test("a stream of messages is cut into the same ones wherever its pieces end", () => {
	const stream = Buffer.concat(ALL.map((message) => writeMessage(message)));
	const types = ALL.map(({ type }) => type);
	fc.assert(
		fc.property(fc.array(fc.nat(stream.length), { maxLength: 20 }), (cuts) => {
			const decoder = new ControlDecoder();
			const ends = [...cuts.sort((a, b) => a - b), stream.length];
			let from = 0;
			const read: string[] = [];
			for (const end of ends) {
				for (const { type } of decoder.take(stream.subarray(from, end))) read.push(type);
				from = end;
			}
			assert.deepEqual(read, types);
		}),
	);
});

test("a message without one of its fields is a fault, and one without an optional field is none", () => {
	for (const message of ALL) {
		const whole = json(message);
		for (const name of Object.keys(whole)) {
			const { [name]: _, ...rest } = whole;
			if (OPTIONAL[message.type]?.includes(name))
				assert.equal(readMessage(payload(rest))?.type, message.type, name);
			else assert.throws(() => readMessage(payload(rest)), TunnelProtocolError, `${message.type}.${name}`);
		}
	}
});

test("a field of another kind is a fault, whatever it is", () => {
	const bad = [null, {}, [{}], "\u0000not it", -1, 1.5, Number.MAX_VALUE, [["a"]]];
	for (const message of ALL) {
		const whole = json(message);
		for (const [name, good] of Object.entries(whole)) {
			for (const value of bad) {
				if (typeof value === typeof good && (typeof good === "string" || name === "sent_ms")) continue;
				if (name === "type") continue;
				assert.throws(
					() => readMessage(payload({ ...whole, [name]: value })),
					TunnelProtocolError,
					`${message.type}.${name} = ${JSON.stringify(value)}`,
				);
			}
		}
	}
});

test("bytes have one spelling only", () => {
	const good = json({ type: "failed", ticket: filled(16), message: "" });
	for (const ticket of [
		`${good["ticket"]}=`,
		`${good["ticket"]}==`,
		"",
		" ".repeat(22),
		`${"A".repeat(21)}B`,
	])
		assert.throws(() => readMessage(payload({ ...good, ticket })), TunnelProtocolError, ticket);
});

test("what is not known is ignored: fields, and whole messages", () => {
	assert.deepEqual(readMessage(payload({ type: "welcome", epoch: 1, color: "green" })), {
		type: "welcome",
		epoch: 1,
	});
	for (const type of ["sing", "", "__proto__", "toString"])
		assert.equal(readMessage(payload({ type })), undefined);
});

test("what is no message is a fault", () => {
	for (const text of ["", "{", "[]", "null", "1", '"hello"', "{}", '{"type":1}', '{"type":null}', '{"a":1}x'])
		assert.throws(() => readMessage(Buffer.from(text)), TunnelProtocolError, text);
	assert.throws(
		() => readMessage(Buffer.from('{"type":"ping","sent_ms":1}\xff', "latin1")),
		TunnelProtocolError,
	);
});

test("garbage is a fault, or waits for the rest of a frame; it is never anything else", () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
			const decoder = new ControlDecoder();
			try {
				for (const message of decoder.take(bytes)) assert.ok(message.type);
			} catch (error) {
				assert.ok(error instanceof TunnelProtocolError);
			}
		}),
		{ numRuns: 500 },
	);
});

test("a frame that is too long is a fault as soon as its length has come, behind the messages before it", () => {
	const length = Buffer.alloc(4);
	length.writeUInt32BE(FRAME_MAX_BYTES + 1);
	const messages = new ControlDecoder().take(
		Buffer.concat([writeMessage({ type: "ping", sent_ms: 1 }), length]),
	);
	assert.equal(messages.next().value?.type, "ping");
	assert.throws(() => messages.next(), TunnelProtocolError);
	length.writeUInt32BE(FRAME_MAX_BYTES);
	assert.deepEqual([...new ControlDecoder().take(length)], []);
});

test("as many tickets as a message may have fit into a frame, and one more is a fault", () => {
	const tickets = new Array(TICKETS_MAX).fill(ticket);
	const frame = writeMessage({ type: "lines", tunnel: 0xffff_ffff, tickets });
	assert.ok(frame.length <= 4 + FRAME_MAX_BYTES);
	const more = writeMessage({ type: "lines", tunnel: 1, tickets: [...tickets, ticket] });
	assert.throws(() => readMessage(more.subarray(4)), TunnelProtocolError);
});

test("a message that is longer than a frame is not written", () => {
	const allow = new Array(2_000).fill("x".repeat(40));
	assert.throws(() => writeMessage({ type: "open", tunnel: 1, kind: "tcp", name: "a", allow }), RangeError);
	const words = shortened("x".repeat(5_000));
	const frame = writeMessage({ type: "bye", code: "ended", message: words });
	assert.equal(readMessage(frame.subarray(4))?.type, "bye");
});
