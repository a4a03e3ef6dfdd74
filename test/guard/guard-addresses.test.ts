/** What counts for which address, where the address is not simply that of the other end of a connection. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { guard } from "../../src/guard/guard.js";
import { sourceOf } from "../../src/guard/sources.js";
import { scenario } from "../support/scenario.js";
import { client, gone, stand } from "./standing.js";

test("an address with a zone counts with its /64", () => {
	assert.equal(sourceOf("fe80::1%eth0"), sourceOf("fe80::2%eth0"));
	assert.equal(sourceOf("fe80::1%eth0"), sourceOf("fe80::1"));
});

test("requests sent ahead by a proxy whose connection breaks are under way no more", async () => {
	const server = createHttpServer(() => server.emit("asked"));
	const trusted = { forwardedFor: { trusted: ["127.0.0.0/8"] }, limits: { connectionsPerAddress: 3 } };
	await stand(server, trusted, async ({ port, guarded, closed }) => {
		const head = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n";
		let asked = 0;
		const all = new Promise<void>((resolve) =>
			server.on("asked", () => {
				if (++asked === 3) resolve();
			}),
		);
		const socket = await client(port, head.repeat(3));
		await all;
		socket.destroy();
		await closed();
		assert.equal(guarded.counts.shed, 0);
		assert.match(guarded.metrics(), /sluice_guard_addresses\{server="default"\} 0\n/);
	});
});

scenario("clients of a Unix socket have no address, and are not limited as if they were one", async (t) => {
	const server = createServer((socket) => socket.resume());
	const guarded = guard(server, { limits: { connectionsPerAddress: 1, acceptsPerSecondPerAddress: 1 } });
	const path = join(t.directory, "socket");
	server.listen(path);
	await once(server, "listening");
	for (let turn = 0; turn < 3; turn++) {
		const socket = connect(path).resume();
		const closed = once(guarded, "closed");
		socket.end();
		const [{ reason }] = await closed;
		await gone(socket);
		assert.equal(reason, "client_closed");
	}
	await guarded.close({ drainMs: 0 });
	assert.equal(guarded.counts.shed, 0);
});
