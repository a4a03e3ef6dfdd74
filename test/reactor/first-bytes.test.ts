/** First bytes that do not tell what a client speaks: its end decides, or its silence, by a clock that the test moves. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { RouteConditions } from "../../src/config/config.js";
import { EAGAIN } from "../../src/kernel/constants.js";
import { PROTOCOL_NAMES } from "../../src/protocol/index.js";
import { Harness, POLICY, reasonOf } from "./harness.js";

const { silenceMs, handshakeMs } = POLICY;
/** The wheel rounds up to its next tick. */
const TICKS_MS = 100;

/** Nothing of it says what it is, and each could go on as a request, as SSH or as HTTP/2. */
const UNDECIDED = [
	"\r",
	"\r\n",
	"H",
	"HZC",
	"HELLO",
	"GET",
	"DATA x",
	"SSH",
	"PRI * HTTP/2",
	"\r\nGE",
	"A-B_C d",
	"\x16",
];

/** These have begun as what has to go on. */
const UNFINISHED = ["\x16\x03", "\x16\x03\x01\x00", "GET /", "GET / HTTP/1.1\r\nHo", "PRI * HTTP/2.0\r\n"];

/** These are `other` for certain. */
const DECIDED = ["hello", "\x16\x01", "\x16\x02\x00", "\x16GET", "\x00", "QUIT\r\n", "\rx"];

const CATCH_ALL: readonly Partial<RouteConditions>[] = [{ sni: "never.example" }, {}];

class Sniffed {
	readonly harness: Harness;
	readonly client: number;
	readonly #listening: number;
	upstream = -EAGAIN;

	constructor(t: TestContext, routes: readonly Partial<RouteConditions>[], said: string) {
		// The upstream has to listen before the reactor knows of it, and so belongs to another harness.
		const { fd, port } = new Harness(t, { sessions: 1, routes: [{}] }).upstream();
		this.#listening = fd;
		this.harness = new Harness(t, { sessions: 8, routes, upstreamPorts: [port] });
		this.harness.kernel.stopClock();
		this.client = this.harness.client();
		if (said !== "") this.harness.send(this.client, said);
		this.harness.turnUntil(() => this.harness.live === 1, "the client");
		// What it said has been looked at: the kernel delivers within the call that sends.
		for (let turn = 0; turn < 3; turn++) this.harness.turn();
	}

	ends(): void {
		assert.equal(this.harness.outside.shutdownWrite(this.client), 0);
	}

	get isDialled(): boolean {
		if (this.upstream < 0) {
			this.upstream = this.harness.outside.accept(this.#listening, 0);
			if (this.upstream >= 0) this.harness.adopt(this.upstream);
		}
		return this.upstream >= 0;
	}

	/** The upstream is dialled, hears exactly this, and then the client's end when there was one. */
	reaches(heard: string, ended: boolean): void {
		this.harness.turnUntil(() => this.isDialled, "the dial");
		let text = "";
		let hasEnded = false;
		this.harness.turnUntil(() => {
			const more = this.harness.receive(this.upstream);
			if (more === "") hasEnded = true;
			else if (typeof more === "string") text += more;
			return text.length >= heard.length && hasEnded === ended;
		}, JSON.stringify(heard));
		assert.equal(text, heard);
	}

	/** Both ends are closed, and the session's record says so. */
	recordAfterwards(): { protocol: string | undefined; reason: string | undefined } {
		this.harness.reset(this.client);
		this.harness.turnUntil(() => this.harness.live === 0, "the session's end");
		const [record] = this.harness.records();
		return { protocol: PROTOCOL_NAMES[record?.protocol ?? -1], reason: reasonOf(record) };
	}
}

test("undecided first bytes are `other` when the client says nothing for `silence`, and not before", (t) => {
	for (const said of UNDECIDED) {
		const sniffed = new Sniffed(t, CATCH_ALL, said);
		sniffed.harness.pass(silenceMs - 1);
		assert.equal(sniffed.isDialled, false, said);
		sniffed.harness.pass(TICKS_MS);
		sniffed.reaches(said, false);
		assert.equal(sniffed.recordAfterwards().protocol, "other", said);
	}
});

test("undecided first bytes are `other` when the client ends behind them", (t) => {
	for (const said of UNDECIDED) {
		const sniffed = new Sniffed(t, CATCH_ALL, said);
		sniffed.ends();
		sniffed.reaches(said, true);
		assert.equal(sniffed.recordAfterwards().protocol, "other", said);
	}
});

test("first bytes that no known protocol begins with are `other` at once", (t) => {
	for (const said of DECIDED) {
		const sniffed = new Sniffed(t, CATCH_ALL, said);
		sniffed.reaches(said, false);
		assert.equal(sniffed.recordAfterwards().protocol, "other", said);
	}
});

test("what has begun as TLS, HTTP or HTTP/2 and stays unfinished reaches nobody", (t) => {
	for (const routes of [CATCH_ALL, [{ host: "a.example" }, { protocol: "any" as const }]])
		for (const said of UNFINISHED) {
			const silent = new Sniffed(t, routes, said);
			silent.harness.pass(handshakeMs - 1);
			assert.equal(silent.harness.live, 1, said);
			silent.harness.pass(TICKS_MS);
			silent.harness.turnUntil(() => silent.harness.live === 0, "its end");
			assert.deepEqual(silent.harness.records().map(reasonOf), ["handshake_timeout"], said);
			assert.equal(silent.isDialled, false, said);

			const ending = new Sniffed(t, routes, said);
			ending.ends();
			ending.harness.turnUntil(() => ending.harness.live === 0, "its end");
			assert.deepEqual(ending.harness.records().map(reasonOf), ["client_closed"], said);
			assert.equal(ending.isDialled, false, said);
		}
});

test("each word begins the silence anew, and a word that decides is believed", (t) => {
	const sniffed = new Sniffed(t, [{ host: "a.example", protocol: "http" }, { protocol: "ssh" }], "SS");
	const { harness, client } = sniffed;
	// No route takes what is undecided, so it may take its time.
	harness.pass(silenceMs * 3);
	assert.equal(sniffed.isDialled, false);
	harness.send(client, "H-2.0-x\r\n");
	sniffed.reaches("SSH-2.0-x\r\n", false);
	assert.equal(sniffed.recordAfterwards().protocol, "ssh");

	const slow = new Sniffed(t, CATCH_ALL, "H");
	for (const letter of "ELLO") {
		slow.harness.pass(silenceMs - TICKS_MS);
		slow.harness.send(slow.client, letter);
		slow.harness.turn();
		assert.equal(slow.isDialled, false);
	}
	slow.harness.pass(silenceMs + TICKS_MS);
	slow.reaches("HELLO", false);
	slow.recordAfterwards();
});

test("a client that ends without a word takes `protocol: any`, and no other route", (t) => {
	const any = new Sniffed(t, [{ sni: "never.example" }, { protocol: "any" }], "");
	any.ends();
	any.reaches("", true);
	assert.equal(any.recordAfterwards().protocol, "unknown");
	const none = new Sniffed(t, CATCH_ALL, "");
	none.ends();
	none.harness.turnUntil(() => none.harness.live === 0, "its end");
	assert.deepEqual(none.harness.records().map(reasonOf), ["client_closed"]);
	assert.equal(none.isDialled, false);
});

test("a client that resets behind undecided bytes reaches nobody", (t) => {
	const sniffed = new Sniffed(t, CATCH_ALL, "HELLO");
	assert.deepEqual(sniffed.recordAfterwards(), { protocol: "unknown", reason: "client_reset" });
	assert.equal(sniffed.isDialled, false);
});
