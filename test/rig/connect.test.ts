import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { EAGAIN } from "../../src/kernel/constants.js";
import { type ConnectOptions, connect, loopback } from "../../src/rig/connect.js";
import { countDescriptors } from "../../src/rig/proc.js";
import { ends, newKernel } from "./ends.js";

async function seenByServer(t: TestContext, options: ConnectOptions): Promise<Socket> {
	const server = createServer();
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	t.after(() => server.close());
	const kernel = newKernel(t);
	const fd = connect(kernel, loopback((server.address() as AddressInfo).port), options);
	assert.ok(fd >= 0);
	t.after(() => kernel.close(fd));
	const [socket] = (await once(server, "connection")) as [Socket];
	t.after(() => socket.destroy());
	return socket;
}

test("a connection comes from the address that was asked for, or from the system's choice", async (t) => {
	assert.equal((await seenByServer(t, {})).remoteAddress, "127.0.0.1");
	const source = Uint8Array.of(127, 0, 0, 77);
	assert.equal((await seenByServer(t, { source })).remoteAddress, "127.0.0.77");
});

test("an address that is not this machine's is an error and leaves no descriptor", (t) => {
	const kernel = newKernel(t);
	// 192.0.2.0/24 is nobody's: RFC 5737.
	const source = Uint8Array.of(192, 0, 2, 1);
	const before = countDescriptors([process.pid]);
	assert.throws(() => connect(kernel, loopback(9), { source }), /EADDRNOTAVAIL/);
	assert.equal(countDescriptors([process.pid]), before);
});

test("a small receive buffer and small segments hold back whoever sends to somebody who does not read", (t) => {
	const roomFor = (options: ConnectOptions): number => {
		const { kernel, address, far, taken, until } = ends(t, 0);
		const fd = connect(kernel, address, options);
		t.after(() => kernel.close(fd));
		until(() => taken.length === 1);
		let sent = 0;
		for (;;) {
			const count = far.send(taken[0] ?? -1, 0, 64 * 1024);
			if (count === -EAGAIN) return sent;
			assert.ok(count > 0);
			sent += count;
		}
	};
	assert.ok(
		roomFor({ receiveBufferBytes: 4096, segmentBytes: 536 }) < roomFor({ receiveBufferBytes: 1 << 20 }),
	);
});
