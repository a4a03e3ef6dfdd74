import assert from "node:assert/strict";
import { test } from "node:test";
import { Part, type Turn } from "../../src/drill/part.js";
import type { Answer, Leaving, Script } from "../../src/drill/script.js";

const ANSWERED: Leaving = { when: "answered", halfCloses: false };
const HALVED: Leaving = { when: "answered", halfCloses: true };

function due(body: string | null, status = 200, head = false): Answer {
	return { kind: "response", status, body, head };
}

function part(answers: readonly Answer[], leaves: Leaving = ANSWERED): Part {
	const script: Script = { tls: false, says: Uint8Array.of(1), pieceBytes: 1, pauseMs: 0, answers, leaves };
	return new Part(script, 4711);
}

function response(body: string, status = 200, fields = ""): string {
	return `HTTP/1.1 ${status} Whatever\r\nContent-Length: ${body.length}\r\n${fields}\r\n${body}`;
}

function fault(turn: Turn): string {
	assert.ok(typeof turn === "object", `no fault: ${String(turn)}`);
	return turn.fault;
}

test("answers in their order, cut anywhere, are right, and behind the last one it leaves", () => {
	const whole = response("1.0") + response("1.1") + response("", 404);
	for (let at = 1; at < whole.length; at++) {
		const played = part([due("1.0"), due("1.1"), due(null, 404)]);
		assert.equal(played.take(whole.slice(0, at)), "goes on");
		assert.equal(played.take(whole.slice(at)), "leaves");
	}
});

test("another's answer is a fault, and so are its status, order and framing", () => {
	assert.match(
		fault(part([due("1.0")]).take(response("2.0"))),
		/4711.*answer 1 of 1: not the answer to 1\.0/,
	);
	assert.match(fault(part([due("1.0"), due("1.1")]).take(response("1.1"))), /not the answer to 1\.0/);
	assert.match(fault(part([due("1.0")]).take(response("1.0", 502))), /status 502 where 200 was due/);
	assert.match(fault(part([due("1.0")]).take("HTTP/1.1 200 OK\r\n\r\n1.0")), /without Content-Length/);
	assert.match(fault(part([due("1.0")]).take("1.0\r\n\r\n")), /no response of HTTP/);
	assert.match(fault(part([due("1.0")]).take(`${response("1.0")}x`)), /bytes behind the last answer: "x"/);
});

test("a HEAD's answer has a length and no body", () => {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
	assert.equal(part([due("1.0", 200, true), due("1.1")]).take(head + response("1.1")), "leaves");
});

test("who halved the connection, or was told that this answer is the last, waits for the end", () => {
	const halved = part([due("1.0")], HALVED);
	assert.equal(halved.take(response("1.0")), "goes on");
	assert.equal(halved.end("closed"), null);
	const told = part([due("1.0")]);
	assert.equal(told.take(response("1.0", 200, "Connection: close\r\n")), "goes on");
	assert.equal(told.end("closed"), null);
});

test("an end before all answers is a fault, and so is a reset behind them", () => {
	const early = part([due("1.0"), due("1.1")], HALVED);
	assert.equal(early.take(response("1.0")), "goes on");
	assert.match(early.end("closed") ?? "", /closed by the target after 1 of 2 answers/);
	const reset = part([due("1.0")], HALVED);
	assert.equal(reset.take(response("1.0")), "goes on");
	assert.match(reset.end("reset") ?? "", /reset by the target after 1 of 1 answers/);
});

test("the impatient leave when so many answers have come, and not before", () => {
	const impatient = part([due("1.0"), due("1.1"), due("1.2")], { when: "impatient", afterAnswers: 2 });
	assert.equal(impatient.take(response("1.0")), "goes on");
	assert.equal(impatient.take(response("1.1")), "leaves");
});

test("where nobody knows what comes, anything may, and any end", () => {
	const open = part([due("1.0"), { kind: "anything" }], { when: "timed", afterMs: 9, resets: true });
	assert.equal(open.take(`${response("1.0")}what`), "goes on");
	assert.equal(open.take("ever"), "goes on");
	assert.equal(open.end("reset"), null);
	const hello = part([{ kind: "anything" }], { when: "impatient", afterAnswers: 0 });
	assert.equal(hello.take("\x16"), "leaves");
});

test("bytes that are passed on come exactly, and then the end", () => {
	const bytes: Answer = { kind: "bytes", bytes: Buffer.from("abc") };
	const right = part([bytes]);
	assert.equal(right.take("ab"), "goes on");
	assert.equal(right.take("c"), "goes on");
	assert.equal(right.end("closed"), null);
	assert.match(fault(part([bytes]).take("abd")), /the answer of another/);
	assert.match(fault(part([bytes]).take("abcd")), /bytes behind the last answer/);
});
