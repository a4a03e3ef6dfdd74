/** What the inspector makes of the bytes of a line. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Exchange } from "../../../src/tunnel/inspector/exchange.js";
import { type Bounds, Exchanges } from "../../../src/tunnel/inspector/exchanges.js";
import { Follower } from "../../../src/tunnel/inspector/follower.js";

const BOUNDS: Bounds = { most: 100, bodyMax: 65_536, bytesMax: 16 * 1_048_576 };

/** `>` from the visitor, `<` to it, `.` the service ends, and the reason of the end. */
type Step = readonly [">" | "<" | "." | "end", string?];

const GET = "GET /a?b=1 HTTP/1.1\r\nHost: app.test\r\n\r\n";
const HEAD = GET.replace("GET", "HEAD");
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const POST = "POST /p HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED_POST = "POST /c HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n";
const CHUNKS = "5\r\nhello\r\n6;x=y\r\n there\r\n0\r\n";
const UPGRADE = "GET /ws HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCHED = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\n";

function follow(steps: readonly Step[], exchanges = new Exchanges(BOUNDS)): Exchanges {
	const follower = new Follower(exchanges, "app");
	for (const [what, bytes = ""] of steps) {
		if (what === ">") follower.fromVisitor(Buffer.from(bytes, "latin1"));
		else if (what === "<") follower.toVisitor(Buffer.from(bytes, "latin1"));
		else if (what === ".") follower.serviceEnded();
		else follower.ended(bytes as "client_closed");
	}
	return exchanges;
}

/** `GET /a 200 done`, and what is worth telling beyond it. */
function summary(exchange: Exchange): string {
	const { method, target, status, state, why, request, response, upgrade, interim } = exchange;
	const half = ({ body, trailers, isOver }: Exchange["request"]): string =>
		`${body.total}${body.bytes.length > 0 && body.total < 99 ? `=${body.bytes.toString("latin1")}` : ""}${trailers.total > 0 ? `+${trailers.total}` : ""}${isOver ? "" : "…"}`;
	return [
		`${method} ${target} ${[...interim, status].join(",")} ${state}`,
		`${half(request)} ${half(response)}`,
		...(upgrade === undefined
			? []
			: [`${upgrade.protocol} ${upgrade.bytesFromVisitor} ${upgrade.bytesToVisitor}`]),
		...(why === undefined ? [] : [why]),
	].join(" | ");
}

const summaries = (exchanges: Exchanges): string[] => exchanges.list().reverse().map(summary);

const CASES: Readonly<Record<string, readonly [readonly Step[], readonly string[]]>> = {
	"one after the other": [
		[
			[">", GET],
			["<", OK],
			[">", POST],
			["<", OK],
			["end", "client_closed"],
		],
		["GET /a?b=1 200 done | 0 2=ok", "POST /p 200 done | 5=hello 2=ok"],
	],
	"before their answers": [
		[
			[">", GET + POST + GET],
			["<", OK + OK.replace("200", "201")],
			["<", OK],
		],
		["GET /a?b=1 200 done | 0 2=ok", "POST /p 201 done | 5=hello 2=ok", "GET /a?b=1 200 done | 0 2=ok"],
	],
	"chunks both ways, with trailers": [
		[
			[">", `${CHUNKED_POST}${CHUNKS}\r\n`],
			["<", `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}X-Sum: 1\r\n\r\n`],
			[">", GET],
			["<", OK],
		],
		["POST /c 200 done | 11=hello there+2 11=hello there+12", "GET /a?b=1 200 done | 0 2=ok"],
	],
	"answers without content": [
		[
			[">", HEAD],
			["<", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"],
			[">", GET],
			["<", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"],
			[">", GET],
			["<", "HTTP/1.1 204 No Content\r\n\r\n"],
		],
		["HEAD /a?b=1 200 done | 0 0", "GET /a?b=1 304 done | 0 0", "GET /a?b=1 204 done | 0 0"],
	],
	"answers before the answer": [
		[
			[">", POST.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n").slice(0, -5)],
			["<", "HTTP/1.1 100 Continue\r\n\r\n"],
			[">", "hello"],
			["<", `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}`],
		],
		["POST /p 100,103,200 done | 5=hello 2=ok"],
	],
	"a content that ends with the connection": [
		[[">", GET], ["<", "HTTP/1.1 200 OK\r\n\r\nall of"], ["<", " it"], ["."], ["end", "upstream_closed"]],
		["GET /a?b=1 200 done | 0 9=all of it"],
	],
	"the same, cut": [
		[
			[">", GET],
			["<", "HTTP/1.1 200 OK\r\n\r\nall of"],
			["end", "upstream_reset"],
		],
		["GET /a?b=1 200 aborted | 0 6=all of… | upstream_reset"],
	],
	"a WebSocket": [
		[
			[">", UPGRADE],
			[">", "ahead"],
			["<", `${SWITCHED}\x81\x01a`],
			[">", "\x81\x02bb"],
			["end", "client_closed"],
		],
		["GET /ws 101 done | 0 0 | websocket 9 3 | client_closed"],
	],
	"a WebSocket that is reset": [
		[
			[">", UPGRADE],
			["<", SWITCHED],
			["end", "client_reset"],
		],
		["GET /ws 101 aborted | 0 0 | websocket 0 0 | client_reset"],
	],
	"an upgrade that is refused": [
		[
			[">", UPGRADE + GET],
			["<", OK.replace("200", "400")],
			["<", OK],
			[">", UPGRADE],
			["<", SWITCHED],
		],
		[
			"GET /ws 400 done | 0 2=ok",
			"GET /a?b=1 200 done | 0 2=ok",
			"GET /ws 101 upgraded | 0 0 | websocket 0 0",
		],
	],
	"an upgrade with a content, refused before all of it was there": [
		[
			[">", UPGRADE.replace("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\nhel")],
			["<", OK.replace("200", "400")],
			[">", `lo${GET}`],
			["<", OK],
		],
		["GET /ws 400 done | 5=hello 2=ok", "GET /a?b=1 200 done | 0 2=ok"],
	],
	"an upgrade behind a request that is not answered yet": [
		[
			[">", `${GET}${UPGRADE}`],
			["<", OK],
			["<", SWITCHED],
			[">", "abc"],
		],
		["GET /a?b=1 200 done | 0 2=ok", "GET /ws 101 upgraded | 0 0 | websocket 3 0"],
	],
	"chunks that are none behind their answer": [
		[
			[">", `${CHUNKED_POST}5\r\nhel`],
			["<", OK],
			[">", "lozz"],
			["<", OK],
		],
		["POST /c 200 lost | 5=hello… 2=ok | the chunks of the request are not well-formed: chunk_end"],
	],
	"an answer before the whole request": [
		[
			[">", POST.slice(0, -2)],
			["<", OK.replace("200", "413")],
			[">", "lo"],
			[">", GET],
			["<", OK],
		],
		["POST /p 413 done | 5=hello 2=ok", "GET /a?b=1 200 done | 0 2=ok"],
	],
	"no answer": [
		[
			[">", POST.slice(0, -2)],
			["end", "client_reset"],
		],
		["POST /p 0 aborted | 3=hel… 0… | client_reset"],
	],
	"a request that is none": [
		[
			[">", GET],
			[">", "GET / HTTP/1.1\nHost: a\n\n"],
			["<", OK + OK],
			["end", "client_closed"],
		],
		[
			"GET /a?b=1 200 done | 0 2=ok",
			"  0 lost | 0… 0… | the head of the request is not well-formed: bare_lf",
		],
	],
	"chunks of a request that are none": [
		[
			[">", `${CHUNKED_POST}zz`],
			["<", OK],
			[">", GET],
			["<", OK],
		],
		["POST /c 0 lost | 0… 0… | the chunks of the request are not well-formed: chunk_size"],
	],
	"an answer that is none": [
		[
			[">", GET + POST],
			["<", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"],
			[">", GET],
			["<", OK],
		],
		[
			"GET /a?b=1 0 lost | 0 0… | the head of the answer is not well-formed: bare_lf",
			"POST /p 0 lost | 5=hello 0… | the head of the answer is not well-formed: bare_lf",
		],
	],
	"an answer that nobody has asked for": [
		[
			[">", GET],
			["<", OK],
			["<", OK],
			[">", GET],
		],
		["GET /a?b=1 200 done | 0 2=ok", "  0 lost | 0… 0… | the service has answered before it was asked"],
	],
	"another protocol that nobody has asked for": [
		[
			[">", GET],
			["<", SWITCHED],
		],
		["GET /a?b=1 101 lost | 0 0… | the service changes to another protocol, and nobody has asked it to"],
	],
	CONNECT: [
		[
			[">", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"],
			["<", "HTTP/1.1 200 OK\r\n\r\nx"],
		],
		["CONNECT a:1 200 lost | 0 0… | a tunnel by CONNECT is not followed"],
	],
	"a head that is too long": [
		[
			[">", GET.replace("\r\n\r\n", `\r\nX: ${"x".repeat(17_000)}\r\n\r\n`)],
			["<", OK],
		],
		["  0 lost | 0… 0… | the head of the request is not well-formed: head_too_large"],
	],
	"trailers that are too long": [
		[
			[">", CHUNKED_POST],
			[">", `0\r\n${"X: y\r\n".repeat(3_000)}\r\n`],
			["<", OK],
		],
		["POST /c 0 lost | 0+18002… 0… | the trailers of the request are too long"],
	],
};

for (const [name, [steps, expected]] of Object.entries(CASES))
	test(`followed: ${name}`, () => {
		assert.deepEqual(summaries(follow(steps)), expected);
	});

test("however the bytes are cut, the exchanges are the same", () => {
	const names = Object.keys(CASES);
	fc.assert(
		fc.property(
			fc.constantFrom(...names),
			fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
			(name, sizes) => {
				const [steps, expected] = CASES[name] ?? [[], []];
				const pieces = steps.flatMap(([what, bytes = ""]): Step[] => {
					if (what !== ">" && what !== "<") return [[what, bytes]];
					const cut: Step[] = [];
					for (let at = 0; at < bytes.length; ) {
						const size = sizes.next().value;
						cut.push([what, bytes.slice(at, at + size)]);
						at += size;
					}
					return cut;
				});
				const exchanges = follow(pieces);
				assert.deepEqual(summaries(exchanges).map(withoutAmounts), expected.map(withoutAmounts));
			},
		),
		{ numRuns: 150 },
	);
});

/** How far an endless section is read before it is given up depends on how it comes. */
function withoutAmounts(line: string): string {
	return line.replace(/\+\d{5}/, "+…");
}

test("no bytes make it throw, or keep more than it may", () => {
	const words = fc.constantFrom(
		GET,
		POST,
		HEAD,
		OK,
		CHUNKED_POST,
		CHUNKS,
		UPGRADE,
		SWITCHED,
		"\r\n",
		"0",
		"\n",
		" ",
	);
	const text = fc.oneof(words, fc.string({ unit: "binary-ascii", maxLength: 40 }));
	const step = fc.oneof(
		fc.tuple(fc.constantFrom<">" | "<">(">", "<"), text),
		fc.tuple(fc.constantFrom<"." | "end">(".", "end"), fc.constant("client_reset")),
	);
	fc.assert(
		fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
			const exchanges = follow(steps, new Exchanges({ most: 3, bodyMax: 600, bytesMax: 3_000 }));
			assert.ok(exchanges.bytes <= 3_000);
			assert.ok(exchanges.list().length <= 3);
			follow([["end", "client_reset"]], exchanges);
			exchanges.clear();
		}),
		{ numRuns: 2_000 },
	);
});

test("all memory is given back when its line has ended and it is forgotten", () => {
	const step = fc.constantFrom<Step>(
		[">", GET],
		[">", "POST /"],
		["<", OK],
		["<", "HTTP/1.1 2"],
		[">", UPGRADE],
		["<", SWITCHED],
		[">", "abc"],
	);
	fc.assert(
		fc.property(fc.array(step, { maxLength: 12 }), fc.integer({ min: 0, max: 12 }), (steps, clearAt) => {
			const exchanges = new Exchanges({ most: 3, bodyMax: 600, bytesMax: 2_500 });
			const follower = new Follower(exchanges, "app");
			for (const [index, [what, bytes = ""]] of steps.entries()) {
				if (index === clearAt) exchanges.clear();
				if (what === ">") follower.fromVisitor(Buffer.from(bytes));
				else follower.toVisitor(Buffer.from(bytes));
			}
			follower.ended("client_closed");
			exchanges.clear();
			assert.equal(exchanges.bytes, 0);
		}),
	);
});

test("what is needed no more is given back while the line goes on", () => {
	const cases: readonly (readonly Step[])[] = [
		[
			[">", UPGRADE],
			[">", "ahead"],
			["<", SWITCHED],
		],
		[
			[">", UPGRADE],
			[">", GET.slice(0, 9)],
			["<", OK],
			[">", "\n"],
		],
		[
			[">", GET],
			["<", "HTTP/1.1 "],
			["<", "no number"],
		],
	];
	for (const steps of cases) {
		const exchanges = follow(steps);
		exchanges.clear();
		assert.equal(exchanges.bytes, 0);
	}
});

test("bodies are kept up to their bound, and told whole", () => {
	const exchanges = new Exchanges({ ...BOUNDS, bodyMax: 1_000 });
	const body = "0123456789".repeat(200);
	follow(
		[
			[">", GET],
			[
				"<",
				`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${"a\r\n0123456789\r\n".repeat(200)}0\r\n\r\n`,
			],
		],
		exchanges,
	);
	const [exchange] = exchanges.list();
	assert.equal(exchange?.response.body.total, 2_000);
	assert.equal(exchange?.response.body.bytes.toString(), body.slice(0, 1_000));
	assert.equal(exchange?.response.body.isWhole, false);
});

test("the oldest make room, also those that run, and these go on", () => {
	const exchanges = new Exchanges({ most: 2, bodyMax: 1_000, bytesMax: 10_000 });
	const running = new Follower(exchanges, "app");
	running.fromVisitor(Buffer.from(POST.slice(0, -2)));
	follow(
		[
			[">", GET],
			["<", OK],
			[">", GET],
			["<", OK],
		],
		exchanges,
	);
	assert.deepEqual(
		exchanges.list().map(({ id }) => id),
		[3, 2],
	);
	running.fromVisitor(Buffer.from("lo"));
	running.toVisitor(Buffer.from(OK));
	running.fromVisitor(Buffer.from(GET));
	assert.deepEqual(
		exchanges.list().map(({ id, state }) => `${id} ${state}`),
		["4 running", "3 done"],
	);
});

test("what the agent answers in the service's place is shown as such, whenever the request comes", () => {
	for (const isEarly of [true, false]) {
		const exchanges = new Exchanges(BOUNDS);
		const follower = new Follower(exchanges, "app");
		const bytes = Buffer.from(POST);
		follower.fromVisitor(bytes.subarray(0, isEarly ? 60 : 1));
		follower.unreachable("refused", Buffer.from(OK.replace("200 OK", "502 Bad Gateway")));
		follower.fromVisitor(bytes.subarray(isEarly ? 60 : 1));
		follower.ended("connect_refused");
		assert.deepEqual(summaries(exchanges), ["POST /p 502 done | 5=hello 2=ok | refused"]);
	}
});

test("times are told from the first byte of a request on", () => {
	const exchanges = new Exchanges(BOUNDS);
	const before = performance.now();
	const follower = new Follower(exchanges, "app");
	follower.fromVisitor(Buffer.from(GET));
	const [exchange] = exchanges.list();
	assert.ok(exchange !== undefined && exchange.beganMs >= performance.timeOrigin + before);
	assert.deepEqual([exchange.firstByteMs, exchange.durationMs], [undefined, undefined]);
	follower.toVisitor(Buffer.from(OK.slice(0, -1)));
	const { firstByteMs = -1 } = exchange;
	assert.ok(firstByteMs >= 0);
	assert.equal(exchange.durationMs, undefined);
	follower.toVisitor(Buffer.from("k"));
	assert.ok((exchange.durationMs ?? -1) >= firstByteMs);
	assert.equal(exchange.state, "done");
	const later = performance.now();
	follower.toVisitor(Buffer.from(OK));
	assert.ok((exchanges.list()[0]?.beganMs ?? 0) >= performance.timeOrigin + later);
});
