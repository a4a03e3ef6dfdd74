/** An upstream behind a Unix socket, in the place of a harness's. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from "../../src/kernel/constants.js";
import * as libc from "../../src/kernel/libc.js";
import { encodeUnix } from "../../src/kernel/sockaddr.js";
import { startListening } from "../../src/kernel/sockets.js";
import type { Harness } from "./harness.js";

/** Has the reactor's upstream listen there from now on. Returns the listening socket. */
export function listenUnix(t: TestContext, harness: Harness): number {
	const directory = mkdtempSync(join(tmpdir(), "sluice-unix-"));
	t.after(() => rmSync(directory, { recursive: true, force: true }));
	const sockaddr = encodeUnix(join(directory, "app.sock"));
	const fd = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	harness.adopt(fd);
	assert.equal(libc.bind(fd, libc.addressOf(sockaddr), sockaddr.length), 0);
	startListening(fd, 8);
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
	return fd;
}
