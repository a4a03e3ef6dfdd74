import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIpv4, parseIpv6 } from "../../../src/protocol/address.js";
import { NO_CAUSE } from "../../../src/protocol/http/causes.js";
import { FieldEditError, FieldEdits } from "../../../src/protocol/http/edits.js";
import { METHOD_GET } from "../../../src/protocol/http/methods.js";
import { parseRequest, RequestHead, refusalOfMethod } from "../../../src/protocol/http/request.js";
import { parseResponse, ResponseHead } from "../../../src/protocol/http/response.js";
import {
	NO_ROOM,
	RequestRewrite,
	ResponseRewrite,
	writeRequestHead,
	writeResponseHead,
} from "../../../src/protocol/http/rewrite.js";
import { COMPLETE } from "../../../src/protocol/index.js";
import { Random } from "../../../src/rig/random.js";
import { latin1 } from "../samples.js";
import { generate } from "./generator.js";
import { Llhttp } from "./llhttp.js";

function options(set: Partial<RequestRewrite> = {}): RequestRewrite {
	const rewrite = new RequestRewrite();
	rewrite.peerFamily = 4;
	rewrite.peer = parseIpv4("192.0.2.7") ?? new Uint8Array(4);
	return Object.assign(rewrite, set);
}

/** Writes a request's head at every capacity around the one that fits, and returns what was written. */
function rewritten(request: string, rewrite = options()): string {
	const source = latin1(request);
	const head = new RequestHead();
	assert.equal(parseRequest(source, 0, source.length, head), COMPLETE, request);
	const target = new Uint8Array(4096).fill(0x21);
	const length = writeRequestHead(source, head, rewrite, target, 100);
	assert.ok(length > 0);
	assert.deepEqual([target[99], target[100 + length]], [0x21, 0x21], "nothing is written outside");
	for (let room = 0; room < length; room++) {
		assert.equal(writeRequestHead(source, head, rewrite, target.subarray(0, 100 + room), 100), NO_ROOM);
	}
	// Within one array, the source behind the target.
	const arena = new Uint8Array(8192);
	arena.set(source, 5000);
	assert.equal(parseRequest(arena, 5000, 5000 + source.length, head), COMPLETE);
	assert.equal(writeRequestHead(arena, head, rewrite, arena, 0), length);
	const written = Buffer.from(target.subarray(100, 100 + length)).toString("latin1");
	assert.equal(Buffer.from(arena.subarray(0, length)).toString("latin1"), written);
	return written;
}

/** The lines of a rewritten head. */
function lines(request: string, rewrite = options()): string[] {
	const written = rewritten(request, rewrite);
	assert.ok(written.endsWith("\r\n\r\n"));
	return written.slice(0, -4).split("\r\n");
}

const XFF = ["X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: http", "X-Forwarded-Host: a.example"];

test("what belongs to one connection is taken out, everything else stays in its order", () => {
	const request = [
		"POST /x HTTP/1.1",
		...[
			"Host: a.example",
			"A: 1",
			"Connection: close, X-Hop",
			"Keep-Alive: timeout=5",
			"Proxy-Connection: close",
		],
		...[
			"X-Hop: 1",
			"TE: trailers",
			"Upgrade: h2c",
			"Proxy-Authorization: x",
			"Proxy: x",
			"X_Forwarded_For: 1",
			"X.Forwarded.For: 1",
		],
		...[
			"Content_Length: 7",
			"Trailer: Sum",
			"Transfer-Encoding: chunked",
			"Expect: 100-continue",
			"A:  2 ",
			"E:",
			"x-hop:",
		],
	];
	const expected = [
		"POST /x HTTP/1.1",
		"Host: a.example",
		"A: 1",
		"Trailer: Sum",
		"A: 2",
		"E: ",
		"Transfer-Encoding: chunked",
		"Expect: 100-continue",
		...XFF,
	];
	const text = `${request.join("\r\n")}\r\n\r\n`;
	assert.deepEqual(lines(text, options({ keepsTrailers: true })), expected);
	// Trailers that do not go on are not announced.
	assert.deepEqual(
		lines(text),
		expected.filter((line) => line !== "Trailer: Sum"),
	);
});

test("Host comes first, is that of an absolute target, or the one that is set", () => {
	assert.deepEqual(lines("GET / HTTP/1.1\r\nX: y\r\nHost:  A.example:81 \r\n\r\n").slice(1, 3), [
		"Host: A.example:81",
		"X: y",
	]);
	const target = (line: string) => lines(`${line}\r\nHost: other.example\r\n\r\n`);
	assert.deepEqual(target("GET http://b.example:81/x?y HTTP/1.1"), [
		"GET /x?y HTTP/1.1",
		"Host: b.example:81",
		...XFF.slice(0, 2),
		"X-Forwarded-Host: b.example:81",
	]);
	assert.equal(target("GET http://b.example HTTP/1.1")[0], "GET / HTTP/1.1");
	assert.equal(target("GET http://b.example?q HTTP/1.1")[0], "GET /?q HTTP/1.1");
	assert.equal(target("OPTIONS http://b.example HTTP/1.1")[0], "OPTIONS * HTTP/1.1");
	assert.equal(target("OPTIONS * HTTP/1.1")[0], "OPTIONS * HTTP/1.1");
	const set = lines("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", options({ host: latin1("inside:8080") }));
	assert.deepEqual(set, ["GET / HTTP/1.1", "Host: inside:8080", ...XFF]);
	const none = ["GET / HTTP/1.1", "Host: 10.0.0.7:80", ...XFF.slice(0, 2)];
	for (const request of ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\nHost:\r\n\r\n"])
		assert.deepEqual(lines(request, options({ authority: latin1("10.0.0.7:80") })), none);
	assert.deepEqual(lines("OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n")[1], "Host: ");
});

test("a stranger's word on who the client is is dropped, a trusted peer's is added to", () => {
	const request =
		"GET / HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 203.0.113.1\r\nX-Forwarded-Proto: https\r\nx-forwarded-host: w\r\nForwarded: for=x\r\nX-Real-IP: 1\r\nX-Forwarded-Port: 1\r\nX-Forwarded-For: 203.0.113.2\r\n\r\n";
	const forwarded = 'Forwarded: for=192.0.2.7;proto=http;host="a.example"';
	assert.deepEqual(lines(request, options({ sendsForwarded: true })).slice(2), [...XFF, forwarded]);
	assert.deepEqual(lines(request, options({ sendsForwarded: true, isTrusted: true })).slice(2), [
		"X-Real-IP: 1",
		"X-Forwarded-Port: 1",
		"X-Forwarded-For: 203.0.113.1, 203.0.113.2, 192.0.2.7",
		"X-Forwarded-Proto: https",
		"X-Forwarded-Host: w",
		'Forwarded: for=x, for=192.0.2.7;proto=http;host="a.example"',
	]);
	assert.deepEqual(lines(request, options({ sendsXForwarded: false })).slice(2), []);
	assert.equal(lines(request, options({ sendsXForwarded: false, isTrusted: true })).length, 9);
	// A client whose Connection field a trusted proxy lets pass must not be able to pass for that proxy.
	const nominated = request.replace("Host:", "Connection: x-forwarded-for, x-real-ip\r\nHost:");
	const trusted = options({ sendsForwarded: true, isTrusted: true });
	assert.deepEqual(lines(nominated, trusted), lines(request, trusted));
});

test("addresses are written as people write them", () => {
	const peers: [string, string, string][] = [
		["2001:db8::1", "2001:db8::1", '"[2001:db8::1]"'],
		["::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"],
	];
	for (const [text, plain, quoted] of peers) {
		const peer = parseIpv6(text) ?? new Uint8Array(16);
		const written = lines(
			"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
			options({ peerFamily: 6, peer, sendsForwarded: true, isSecure: true }),
		);
		assert.ok(written.includes(`X-Forwarded-For: ${plain}`));
		assert.ok(written.includes(`Forwarded: for=${quoted};proto=https;host="[::1]:8080"`));
	}
	const unknown = lines(
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		options({ peerFamily: 0, sendsForwarded: true }),
	);
	assert.deepEqual(unknown.slice(2), [
		...["X-Forwarded-For: unknown", "X-Forwarded-Proto: http", "X-Forwarded-Host: a"],
		'Forwarded: for=unknown;proto=http;host="a"',
	]);
});

test("a route sets and removes fields, in every spelling that a server behind might take for them", () => {
	const edits = new FieldEdits({ "X-User": "gateway", "X-Empty": "" }, ["Cookie"]);
	const request =
		"GET / HTTP/1.1\r\nHost: a\r\nx-user: root\r\nX_User: root\r\nX.User: root\r\ncookie: c\r\nCookies: d\r\n\r\n";
	const plain = options({ edits, sendsXForwarded: false });
	assert.deepEqual(lines(request, plain).slice(2), ["Cookies: d", "X-User: gateway", "X-Empty: "]);
	for (const name of [
		"Host",
		"content-length",
		"Transfer_Encoding",
		"Connection",
		"TE",
		"X-Forwarded-For",
		"Via",
		"a b",
		"",
	]) {
		assert.throws(() => new FieldEdits({ [name]: "x" }, []), FieldEditError, name);
		assert.throws(() => new FieldEdits({}, [name]), FieldEditError, name);
	}
	for (const value of ["a\r\nb", "a\0", " a", "a\t", "\u0100"]) {
		assert.throws(() => new FieldEdits({ X: value }, []), FieldEditError, JSON.stringify(value));
	}
});

test("the certificate's subject is ours to say, or nobody's", () => {
	const rewrite = options({ sendsXForwarded: false });
	rewrite.setSubjectField("X-Client-Subject");
	const request =
		"GET / HTTP/1.1\r\nHost: a\r\nx-client-subject: CN=root\r\nX_Client-Subject: CN=root\r\nX.Client.Subject: CN=root\r\n\r\n";
	assert.deepEqual(lines(request, rewrite), ["GET / HTTP/1.1", "Host: a"]);
	const subject = latin1("..CN=a\r\nX: y..");
	Object.assign(rewrite, { subject, subjectStart: 2, subjectEnd: subject.length - 2 });
	assert.deepEqual(lines(request, rewrite).slice(2), ["X-Client-Subject: CN=a??X: y"]);
	assert.throws(() => rewrite.setSubjectField("Host"), FieldEditError);
});

test("Via, Connection and Upgrade are written as the upstream needs them", () => {
	const rewrite = options({ sendsXForwarded: false, closes: true });
	rewrite.setVia("sluice");
	assert.deepEqual(lines("GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 x\r\n\r\n", rewrite).slice(2), [
		"Via: 1.0 x",
		"Via: 1.1 sluice",
		"Connection: close",
	]);
	assert.throws(() => rewrite.setVia("a b"), FieldEditError);
	const socket = options({ sendsXForwarded: false, keepsUpgrade: true });
	assert.deepEqual(
		lines("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Upgrade\r\nUpgrade: websocket\r\n\r\n", socket).slice(
			2,
		),
		["Upgrade: websocket", "Connection: upgrade"],
	);
	// Nothing else is offered beside it, and nothing that belongs to the offer goes on.
	const offers =
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket, h2c\r\nUpgrade: TLS/1.2\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
	assert.deepEqual(lines(offers, socket).slice(2), ["Upgrade: websocket", "Connection: upgrade"]);
	const bare = offers.replace("Connection: Upgrade, HTTP2-Settings\r\n", "");
	assert.deepEqual(lines(bare, options({ sendsXForwarded: false })), ["GET / HTTP/1.1", "Host: a"]);
});

test("framing and expectations are written in one spelling, and only where they mean something", () => {
	const written = (...fields: string[]) =>
		lines(
			`POST / HTTP/1.1\r\nHost: a\r\n${fields.map((line) => `${line}\r\n`).join("")}\r\n`,
			options({ sendsXForwarded: false }),
		).slice(2);
	assert.deepEqual(written("Transfer-Encoding:\tchunked"), ["Transfer-Encoding: chunked"]);
	assert.deepEqual(written("TRANSFER-ENCODING:ChunkeD "), ["Transfer-Encoding: chunked"]);
	assert.deepEqual(written("content-length:\t00042 "), ["Content-Length: 42"]);
	assert.deepEqual(written("Content-Length: 0"), ["Content-Length: 0"]);
	assert.deepEqual(written("Content-Length: 999999999999999"), ["Content-Length: 999999999999999"]);
	assert.deepEqual(written("Expect:\t100-Continue, x", "Content-Length: 1"), [
		"Content-Length: 1",
		"Expect: 100-continue",
	]);
	assert.deepEqual(written("Expect: 100-continue"), []);
	assert.deepEqual(written("Expect: x", "Content-Length: 1"), ["Content-Length: 1"]);
	assert.deepEqual(written("Connection: Expect", "Expect: 100-continue", "Content-Length: 1"), [
		"Content-Length: 1",
	]);
	const forwards = (value: string) =>
		lines(
			`OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: ${value}\r\n\r\n`,
			options({ sendsXForwarded: false }),
		).slice(2);
	assert.deepEqual(forwards("10"), ["Max-Forwards: 9"]);
	assert.deepEqual(forwards("99999999999999999999"), ["Max-Forwards: 998"]);
	assert.deepEqual(written("Max-Forwards: 10"), ["Max-Forwards: 10"]);
});

test("requests of HTTP/1.0 go on as HTTP/1.1, without what 1.0 does not know", () => {
	const request = "POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
	const rewrite = options({ sendsXForwarded: false });
	rewrite.setVia("sluice");
	const written = lines(request, rewrite);
	assert.deepEqual(written, ["POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Via: 1.0 sluice"]);
});

function rewrittenResponse(response: string, set: Partial<ResponseRewrite> = {}): string[] {
	const source = latin1(response);
	const head = new ResponseHead();
	assert.equal(parseResponse(source, 0, source.length, METHOD_GET, head), COMPLETE, response);
	const rewrite = Object.assign(new ResponseRewrite(), set);
	const target = new Uint8Array(4096);
	const length = writeResponseHead(source, head, rewrite, target, 10);
	for (let room = 0; room < length; room++) {
		assert.equal(writeResponseHead(source, head, rewrite, target.subarray(0, 10 + room), 10), NO_ROOM);
	}
	const written = Buffer.from(target.subarray(10, 10 + length)).toString("latin1");
	assert.ok(written.endsWith("\r\n\r\n"));
	return written.slice(0, -4).split("\r\n");
}

test("responses lose what belongs to the upstream's connection, and say what becomes of the client's", () => {
	const response =
		"HTTP/1.0 200\r\nContent-Length: 5\r\nConnection: close, X-Hop\r\nKeep-Alive: x\r\nX-Hop: 1\r\nUpgrade: h2c\r\nServer: s\r\n\r\n";
	const kept = ["HTTP/1.1 200 ", "Content-Length: 5", "Server: s"];
	assert.deepEqual(rewrittenResponse(response), kept);
	assert.deepEqual(rewrittenResponse(response, { closes: true }), [...kept, "Connection: close"]);
	assert.deepEqual(rewrittenResponse(response, { requestMinor: 0 }), [...kept, "Connection: keep-alive"]);
	assert.deepEqual(rewrittenResponse("HTTP/1.1 200 OK\r\n\r\n"), ["HTTP/1.1 200 OK", "Connection: close"]);
	const edits = new FieldEdits({ "X-Frame-Options": "DENY" }, ["Server"]);
	assert.deepEqual(rewrittenResponse(response, { edits, via: latin1("sluice") }), [
		...["HTTP/1.1 200 ", "Content-Length: 5", "Via: 1.0 sluice", "X-Frame-Options: DENY"],
	]);
});

test("framing is said in our own words", () => {
	const post = "POST / HTTP/1.1\r\nHost: a.example\r\n";
	for (const line of [
		"Transfer-Encoding:\tchunked",
		"transfer-encoding:chunked",
		"TRANSFER-ENCODING:  CHUNKED  ",
	])
		assert.equal(lines(`${post}${line}\r\n\r\n`)[2], "Transfer-Encoding: chunked", line);
	for (const line of ["Content-Length:\t007", "content-length:7", "CONTENT-LENGTH:  07  "])
		assert.equal(lines(`${post}${line}\r\n\r\n`)[2], "Content-Length: 7", line);
	const ok = "HTTP/1.1 200 OK\r\n";
	assert.equal(
		rewrittenResponse(`${ok}transfer-encoding:\tChunked\r\n\r\n`)[1],
		"Transfer-Encoding: chunked",
	);
	assert.equal(
		rewrittenResponse(`${ok}content-length:\t0012345678901\r\n\r\n`)[1],
		"Content-Length: 12345678901",
	);
	assert.equal(rewrittenResponse(`${ok}content-length: 0000\r\n\r\n`)[1], "Content-Length: 0");
});

test("a 1.0 client is told of no chunks: the end of its connection ends the answer", () => {
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\nServer: s\r\n\r\n";
	assert.deepEqual(rewrittenResponse(chunked, { requestMinor: 0 }), [
		...["HTTP/1.1 200 OK", "Server: s", "Connection: close"],
	]);
});

test("responses without a body say no length, and upgrades keep their fields", () => {
	assert.deepEqual(rewrittenResponse("HTTP/1.1 204 X\r\nContent-Length: 0\r\n\r\n"), ["HTTP/1.1 204 X"]);
	assert.deepEqual(rewrittenResponse("HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n")[1], "Content-Length: 9");
	for (const status of ["103", "204", "304"])
		for (const saying of ["Transfer-Encoding: chunked", "Content-Length: 5\r\nContent-Length: 5"])
			assert.deepEqual(rewrittenResponse(`HTTP/1.1 ${status} X\r\n${saying}\r\n\r\n`), [
				`HTTP/1.1 ${status} X`,
			]);
	assert.deepEqual(rewrittenResponse("HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\n"), ["HTTP/1.1 204 X"]);
	assert.deepEqual(
		rewrittenResponse("HTTP/1.1 103 X\r\nLink: y\r\nConnection: z\r\n\r\n", { closes: true }),
		[...["HTTP/1.1 103 X", "Link: y"]],
	);
	const upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n";
	assert.deepEqual(rewrittenResponse(`HTTP/1.1 101 X\r\nTransfer-Encoding: chunked\r\n${upgrade}`), [
		...["HTTP/1.1 101 X", "Upgrade: websocket", "Connection: upgrade"],
	]);
	assert.deepEqual(rewrittenResponse(`HTTP/1.1 426 X\r\nContent-Length: 0\r\n${upgrade}`, { closes: true }), [
		...["HTTP/1.1 426 X", "Content-Length: 0", "Upgrade: websocket", "Connection: upgrade, close"],
	]);
});

test("property: whatever is taken is sent on as one message that reads the same", () => {
	const head = new RequestHead();
	const again = new RequestHead();
	const peer = new Llhttp();
	const target = new Uint8Array(32768);
	const rewrite = options({ sendsForwarded: true, authority: latin1("a") });
	const hopByHop =
		/^(connection|keep-alive|proxy-connection|te|upgrade|proxy-authorization|proxy|x[-_]forwarded[-_](for|proto|host)|(content|transfer)_(length|encoding))$/i;
	let taken = 0;
	for (let seed = 1; seed <= 20_000; seed++) {
		const source = latin1(generate(new Random(seed), "request"));
		if (parseRequest(source, 0, source.length, head) !== COMPLETE) continue;
		if (refusalOfMethod(head.method) !== NO_CAUSE) continue;
		taken++;
		rewrite.isTrusted = seed % 2 === 0;
		rewrite.closes = seed % 3 === 0;
		const length = writeRequestHead(source, head, rewrite, target, 0);
		const message = `seed ${seed}`;
		assert.ok(length > 0, message);
		assert.equal(parseRequest(target, 0, length, again), COMPLETE, message);
		assert.equal(again.headLength, length, message);
		assert.deepEqual(
			[again.method, again.framing, again.contentLength, again.versionMinor, again.keepAlive],
			[head.method, head.framing, head.contentLength, 1, !rewrite.closes],
			message,
		);
		const hostOf = ({ authority: { host, hostLength } }: RequestHead) => host.slice(0, hostLength);
		if (head.authority.hostLength > 0) assert.deepEqual(hostOf(again), hostOf(head), message);
		peer.begin("request");
		peer.feed(target, 0, length);
		assert.deepEqual([peer.error, peer.headCount], ["", 1], message);
		const names = peer.fields.filter((_, index) => index % 2 === 0);
		const ours = ["connection", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"];
		for (const name of names) {
			if (!rewrite.isTrusted)
				assert.ok(!/^x.forwarded/i.test(name) || ours.includes(name.toLowerCase()), message);
			assert.ok(!hopByHop.test(name) || ours.includes(name.toLowerCase()), `${message}: ${name}`);
		}
		for (const name of ["host", ...ours]) {
			assert.ok(names.filter((other) => other.toLowerCase() === name).length <= 1, `${message}: ${name}`);
		}
	}
	assert.ok(taken > 5000);
});
