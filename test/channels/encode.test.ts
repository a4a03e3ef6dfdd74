/** What is encoded for subscribers is what clients read: of WebSocket by `ws`, of event streams by a parser of their own rules. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as ws from "ws";
import { encodeMessage, encodeNotice } from "../../src/channels/encode.js";
import { EVENT_STREAM, FRAMED, WEBSOCKET } from "../../src/channels/protocols.js";

/** One frame, as a client of `ws` reads it. */
function read(bytes: Uint8Array): { readonly isBinary: boolean; readonly data: Buffer } {
	const { Receiver } = ws as unknown as {
		Receiver: new (options: object) => NodeJS.WritableStream;
	};
	const receiver = new Receiver({ isServer: false, binaryType: "nodebuffer", allowSynchronousEvents: true });
	let got: { isBinary: boolean; data: Buffer } | undefined;
	receiver.on("message", (data: Buffer, isBinary: boolean) => {
		got = { isBinary, data };
	});
	receiver.write(Buffer.from(bytes));
	return got ?? assert.fail("no message was read");
}

/** By the rules of HTML, 9.2.6. */
function readEvent(bytes: Uint8Array): { type: string; id: string | undefined; data: string } {
	const event = { type: "message", id: undefined as string | undefined, data: [] as string[] };
	const lines = Buffer.from(bytes)
		.toString()
		.split(/\r\n|\n|\r/);
	assert.deepEqual(lines.slice(-2), ["", ""]);
	for (const line of lines.slice(0, -2)) {
		const [, field, value = ""] = /^([a-z]+): ?(.*)$/s.exec(line) ?? [];
		if (field === "event") event.type = value;
		else if (field === "id") event.id = value;
		else if (field === "data") event.data.push(value);
		else assert.fail(line);
	}
	return { ...event, data: event.data.join("\n") };
}

const id = { epoch: 36, sequence: 37 };

test("a text is the same for all protocols, whatever it holds", () => {
	fc.assert(
		fc.property(fc.string({ unit: "binary", maxLength: 200 }), fc.option(fc.string()), (data, key) => {
			const message = { channel: "rooms/1", id, data, ...(key === null ? {} : { key }) };
			const encodings = encodeMessage(message);
			const object = {
				type: "message",
				channel: "rooms/1",
				id: "10:11",
				...(key === null ? {} : { key }),
				data,
			};
			const frame = read(encodings[WEBSOCKET] ?? assert.fail());
			assert.deepEqual([frame.isBinary, JSON.parse(frame.data.toString())], [false, object]);
			const event = readEvent(encodings[EVENT_STREAM] ?? assert.fail());
			assert.deepEqual([event.type, event.id], ["message", "10:11"]);
			const { type: _type, id: _id, ...rest } = object;
			assert.deepEqual(JSON.parse(event.data), rest);
			const framed = Buffer.from(encodings[FRAMED] ?? assert.fail());
			assert.equal(framed.readUInt32BE(0), framed.length - 4);
			assert.deepEqual(JSON.parse(framed.subarray(4).toString()), object);
		}),
	);
});

test("bytes come behind a header", () => {
	for (const length of [0, 1, 100, 70_000]) {
		const data = Buffer.alloc(length, 0xff);
		const encodings = encodeMessage({ channel: "c", id, data });
		const parse = (bytes: Buffer): void => {
			const header = bytes.readUInt32BE(0);
			assert.deepEqual(JSON.parse(bytes.subarray(4, 4 + header).toString()), {
				...{ type: "message", channel: "c", id: "10:11" },
			});
			assert.ok(bytes.subarray(4 + header).equals(data));
		};
		const frame = read(encodings[WEBSOCKET] ?? assert.fail());
		assert.equal(frame.isBinary, true);
		parse(frame.data);
		const framed = Buffer.from(encodings[FRAMED] ?? assert.fail());
		assert.equal(framed.readUInt32BE(0), 0x80000000 + framed.length - 4);
		parse(framed.subarray(4));
		const event = JSON.parse(readEvent(encodings[EVENT_STREAM] ?? assert.fail()).data);
		assert.ok(Buffer.from(event.base64, "base64").equals(data));
	}
});

test("what the hub says is an event of its own type", () => {
	const encodings = encodeNotice({ type: "gap", channel: "c", missed: 3, id: "10:11" });
	const event = readEvent(encodings[EVENT_STREAM] ?? assert.fail());
	assert.deepEqual(
		[event.type, event.id, JSON.parse(event.data)],
		[...(["gap", undefined] as const), { channel: "c", missed: 3, id: "10:11" }],
	);
	const frame = read(encodings[WEBSOCKET] ?? assert.fail());
	assert.equal(JSON.parse(frame.data.toString()).type, "gap");
});
