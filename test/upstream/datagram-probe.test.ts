/** Checks of addresses that take datagrams: each has one verdict, whatever becomes of it. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { type DatagramTarget, datagramProbe } from "../../src/upstream/datagram-probe.js";

const BYTES = Uint8Array.of(1);

function verdictOn(target: DatagramTarget, timeoutMs = 10_000): Promise<NodeJS.ErrnoException | undefined> {
	return new Promise((resolve) => {
		// The check's own socket and deadline keep no process alive.
		const alive = setInterval(() => {}, 1_000);
		datagramProbe(target, BYTES, timeoutMs, (error) => {
			clearInterval(alive);
			resolve(error);
		});
	});
}

test("an address that cannot be connected to is down at once, and harms nobody", async () => {
	const error = await verdictOn({ address: "255.255.255.255", port: 9, family: 4 });
	assert.equal(error?.code, "EACCES");
});

test("where nobody listens, the kernel says so; who answers is up; who does not, is late", async () => {
	const server = createSocket("udp4");
	server.bind(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address();
	const late = await verdictOn({ address: "127.0.0.1", port, family: 4 }, 20);
	assert.match(late?.message ?? "", /no answer within 20ms/);
	server.on("message", (bytes, from) => server.send(bytes, from.port, from.address));
	assert.equal(await verdictOn({ address: "127.0.0.1", port, family: 4 }), undefined);
	server.close();
	await once(server, "close");
	assert.equal((await verdictOn({ address: "127.0.0.1", port, family: 4 }))?.code, "ECONNREFUSED");
});

test("a check that is ended sooner has no verdict", async () => {
	const server = createSocket("udp4");
	server.bind(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address();
	let verdicts = 0;
	const end = datagramProbe({ address: "127.0.0.1", port, family: 4 }, BYTES, 10_000, () => verdicts++);
	end();
	end();
	await verdictOn({ address: "127.0.0.1", port, family: 4 }, 20);
	assert.equal(verdicts, 0);
	server.close();
	await once(server, "close");
});
