/** Which listener accepts at which of the sockets that a service manager holds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfigText } from "../../src/config/load.js";
import { Inherited } from "../../src/gateway/inherited.js";
import { type InheritedSocket, takeInheritedSockets } from "../../src/kernel/inherited-sockets.js";
import { parseIpv4, parseIpv6 } from "../../src/protocol/index.js";

function socket(address: string, port = 443, isV6Only = false): InheritedSocket {
	const bytes = parseIpv4(address) ?? parseIpv6(address) ?? new Uint8Array();
	return { ...{ fd: -1, name: address, kind: "tcp", listens: true }, ...{ address: bytes, port, isV6Only } };
}

function matched(listen: string, ...sockets: InheritedSocket[]): string | undefined {
	const [listener] = loadConfigText(
		`listeners: [{ listen: "${listen}", routes: [{ to: reject }] }]`,
	).listeners;
	assert.ok(listener !== undefined);
	return new Inherited(sockets).socketOf(listener)?.name;
}

test("a listener takes the socket that is bound as it would be, and no other", () => {
	for (const [listen, address, isV6Only] of [
		["*:443", "::", false],
		[":443", "::", false],
		["[::]:443", "::", true],
		["0.0.0.0:443", "0.0.0.0", false],
		["192.0.2.7:443", "192.0.2.7", false],
		["[2001:db8::7]:443", "2001:db8::7", true],
		["[2001:db8::7]:443", "2001:db8::7", false],
	] as const)
		assert.equal(matched(listen, socket("127.0.0.1"), socket(address, 443, isV6Only)), address, listen);
	for (const [listen, other] of [
		["*:443", socket("::", 443, true)],
		["*:443", socket("0.0.0.0")],
		["[::]:443", socket("::")],
		["0.0.0.0:443", socket("::")],
		["0.0.0.0:443", socket("0.0.0.0", 444)],
		["0.0.0.0:443/udp", socket("0.0.0.0")],
	] as const)
		assert.equal(matched(listen, other), undefined, listen);
});

test("what is said to another process, or makes no sense, is nothing, and is not passed on", () => {
	for (const said of [
		{ LISTEN_PID: "1", LISTEN_FDS: "1" },
		{ LISTEN_PID: String(process.pid), LISTEN_FDS: "one" },
		{ LISTEN_PID: String(process.pid), LISTEN_FDS: "0", LISTEN_FDNAMES: "" },
		{ LISTEN_FDS: "1" },
	]) {
		const environment: NodeJS.ProcessEnv = { ...said, OTHER: "1" };
		assert.deepEqual(takeInheritedSockets(environment), []);
		assert.deepEqual(environment, { OTHER: "1" });
	}
});
