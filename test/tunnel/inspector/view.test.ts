/** Exchanges as they are shown, whatever they are. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Exchange } from "../../../src/tunnel/inspector/exchange.js";
import { Exchanges } from "../../../src/tunnel/inspector/exchanges.js";
import { Follower } from "../../../src/tunnel/inspector/follower.js";
import { requestBytes, whyNoReplay } from "../../../src/tunnel/inspector/replay.js";
import { detailOf, summaryOf } from "../../../src/tunnel/inspector/view.js";

const BOUNDS = { most: 10, bodyMax: 2_000, bytesMax: 100_000 };

const name = fc.constantFrom("Cookie", "X-A", "Content-Type", "Content-Encoding", "Accept");
const value = fc.constantFrom(
	"a=b",
	"gzip",
	"br, gzip",
	"application/json",
	"text/plain; charset=utf-16",
	"\xe9\xff",
);
const fields = fc
	.array(fc.tuple(name, value), { maxLength: 6 })
	.map((list) => list.map((each) => `${each.join(": ")}\r\n`).join(""));
const body = fc.uint8Array({ maxLength: 3_000 }).map((bytes) => Buffer.from(bytes).toString("latin1"));

/** A message with its content by length or in chunks, which come as `cuts` says. */
const message = (line: string): fc.Arbitrary<string> =>
	fc
		.tuple(
			fields,
			body,
			fc.boolean(),
			fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 5 }),
		)
		.map(([more, content, isChunked, cuts]) => {
			if (!isChunked) return `${line}\r\n${more}Content-Length: ${content.length}\r\n\r\n${content}`;
			let chunks = "";
			for (let at = 0, turn = 0; at < content.length; turn++) {
				const chunk = content.slice(at, at + (cuts[turn % cuts.length] ?? 1));
				chunks += `${chunk.length.toString(16)}\r\n${chunk}\r\n`;
				at += chunk.length;
			}
			return `${line}\r\n${more}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\nX-Sum: 1\r\n\r\n`;
		});

const request = message("POST /a?b HTTP/1.1\r\nHost: app.test");
const response = message("HTTP/1.1 200 OK");

function pass(asked: string, answered: string): Exchange {
	const exchanges = new Exchanges(BOUNDS);
	const follower = new Follower(exchanges, "app");
	follower.fromVisitor(Buffer.from(asked, "latin1"));
	follower.toVisitor(Buffer.from(answered, "latin1"));
	const [exchange] = exchanges.list();
	assert.ok(exchange !== undefined);
	return exchange;
}

test("whatever passes can be shown, also when only a part of it has come", async () => {
	await fc.assert(
		fc.asyncProperty(
			request,
			response,
			fc.double({ min: 0, max: 1, noNaN: true }),
			async (asked, answered, part) => {
				const exchange = pass(asked, answered.slice(0, Math.ceil(part * answered.length)));
				const detail = await detailOf(exchange, { secrets: false, replays: 0 });
				assert.equal(detail.request?.complete, true);
				assert.equal(detail.request.line, "POST /a?b HTTP/1.1");
				const secrets = [...detail.request.fields, ...(detail.response?.fields ?? [])].filter(
					({ secret }) => secret,
				);
				assert.ok(secrets.every(({ value: shown }) => shown === null));
				assert.equal(detail.hidden, secrets.length);
				assert.ok(JSON.stringify(summaryOf(exchange)).length < 1_000);
			},
		),
	);
});

test("what is sent again is read as the same request", () => {
	fc.assert(
		fc.property(request, (asked) => {
			const first = pass(asked, "");
			if (first.request.body.total > BOUNDS.bodyMax) {
				assert.match(whyNoReplay(first) ?? "", /^only the first 2000 of its content's \d+ bytes were kept$/);
				return;
			}
			assert.equal(whyNoReplay(first), undefined);
			const second = pass(requestBytes(first).toString("latin1"), "");
			for (const part of ["head", "body", "trailers"] as const)
				assert.ok(first.request[part].bytes.equals(second.request[part].bytes), part);
			assert.ok(second.request.isOver);
		}),
	);
});

test("what is forgotten while it is looked at is shown without what was kept", async () => {
	const exchange = pass(
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	);
	exchange.forget();
	const {
		request: asked,
		response: answered,
		no_replay,
	} = await detailOf(exchange, { secrets: true, replays: 0 });
	assert.deepEqual(
		[asked?.line, asked?.fields, answered?.body.kind, answered?.body.bytes],
		["", [], "empty", 2],
	);
	assert.equal(no_replay, "it is not kept any more");
});
