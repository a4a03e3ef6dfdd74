/** TCP_INFO is read where the kernel writes it: each figure is held against what was done to the connection. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { type TcpInfo, tcpInfo } from "../../src/kernel/tcp-info.js";
import { eventually } from "../support/waiting.js";

function infoOf(socket: Socket): TcpInfo {
	const { _handle: handle } = socket as Socket & { readonly _handle: { readonly fd: number } };
	const info = tcpInfo(handle.fd);
	assert.ok(info !== undefined);
	return info;
}

test("when bytes went each way last, and how long their way is", async (t) => {
	const server = createServer().listen(0, "127.0.0.1");
	t.after(() => server.close());
	await once(server, "listening");
	const { port } = server.address() as { port: number };
	const client = connect(port, "127.0.0.1");
	const [accepted] = (await once(server, "connection")) as [Socket];
	t.after(() => {
		client.destroy();
		accepted.destroy();
	});
	client.write("there");
	await once(accepted, "data");
	// The kernel counts in ticks of up to 10 ms.
	await eventually(
		() => infoOf(client).sentAgoMs >= 200 || undefined,
		() => "200 ms pass",
	);
	accepted.write("back");
	await once(client, "data");
	const info = infoOf(client);
	assert.ok(info.sentAgoMs - info.receivedAgoMs >= 150, JSON.stringify(info));
	const other = infoOf(accepted);
	assert.ok(other.receivedAgoMs - other.sentAgoMs >= 150, JSON.stringify(other));
	for (const { roundTripMicroseconds, variationMicroseconds, retransmits, congestionWindow } of [
		info,
		other,
	]) {
		assert.ok(roundTripMicroseconds > 0 && roundTripMicroseconds < 1_000_000, `${roundTripMicroseconds} µs`);
		assert.ok(variationMicroseconds > 0 && variationMicroseconds < 1_000_000, `${variationMicroseconds} µs`);
		assert.equal(retransmits, 0);
		assert.ok(congestionWindow >= 1 && congestionWindow < 10_000, `${congestionWindow} segments`);
	}
});

test("what is no TCP connection has none", () => {
	assert.equal(tcpInfo(-1), undefined);
	assert.equal(tcpInfo(0x7fff_fff0), undefined);
});
