/** A Unix upstream that has answered and gone by the time its connect is looked at. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { AF_UNIX, EAGAIN, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from "../../src/kernel/constants.js";
import * as libc from "../../src/kernel/libc.js";
import { encodeUnix } from "../../src/kernel/sockaddr.js";
import { startListening } from "../../src/kernel/sockets.js";
import { Harness, reasonOf } from "./harness.js";

function listenUnix(t: TestContext): { fd: number; sockaddr: Uint8Array } {
	const directory = mkdtempSync(join(tmpdir(), "sluice-unix-"));
	t.after(() => rmSync(directory, { recursive: true, force: true }));
	const sockaddr = encodeUnix(join(directory, "app.sock"));
	const fd = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert.equal(libc.bind(fd, libc.addressOf(sockaddr), sockaddr.length), 0);
	startListening(fd, 8);
	return { fd, sockaddr };
}

test("an answer that came with the hang-up arrives, and the address is not to blame", (t) => {
	const harness = new Harness(t, { sessions: 4, routes: [{}] });
	const { fd, sockaddr } = listenUnix(t);
	harness.adopt(fd);
	harness.command({
		kind: "upstream",
		upstream: {
			slot: 0,
			balance: "round_robin",
			proxyProtocol: "off",
			pool: null,
			host: null,
			trailers: false,
			ejectFailures: 1,
			authority: Uint8Array.of(0x75),
			ejectForMs: 60_000,
			addresses: [{ board: 0, sockaddr, hash: 0 }],
		},
	});
	const client = harness.client();
	// The connect is done within its call, in the turn that accepts; news of it is read in a later one.
	let upstream = -EAGAIN;
	harness.turnUntil(() => {
		upstream = harness.outside.accept(fd, 0);
		return upstream >= 0;
	}, "the dial");
	harness.send(upstream, "answer");
	harness.outside.close(upstream);

	let received: string | number = "";
	harness.turnUntil(() => {
		received = harness.receive(client);
		return received !== -EAGAIN;
	}, "the answer");
	assert.equal(received, "answer");
	harness.turnUntil(() => harness.receive(client) === "", "the end");
	harness.outside.shutdownWrite(client);
	harness.turnUntil(() => harness.live === 0, "the end of the session");
	assert.deepEqual(harness.records().map(reasonOf), ["upstream_closed"]);
	assert.equal(harness.counters.get("dialRetries"), 0);
	assert.equal(harness.counters.get("ejections"), 0);
	assert.equal(harness.board.isEjected(0, harness.outside.now()), false);
});
