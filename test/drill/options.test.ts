import assert from "node:assert/strict";
import { test } from "node:test";
import { type DrillArguments, DrillUsageError, readOptions } from "../../src/drill/options.js";

const MACHINE = { descriptors: 20_000, ephemeralPorts: { first: 32_768, last: 60_999 } };

function refusal(name: string, given: DrillArguments): string {
	try {
		readOptions(name, given, MACHINE);
	} catch (error) {
		assert.ok(error instanceof DrillUsageError);
		return error.message;
	}
	assert.fail(`${name} ${JSON.stringify(given)} was not refused`);
}

test("without options a drill has its own defaults", () => {
	const options = readOptions("hold", {}, MACHINE);
	assert.equal(options.connections, 8000);
	assert.equal(options.seconds, 10);
	assert.equal(options.target, null);
	assert.equal(options.svg, null);
});

test("an unknown drill is answered with the nearest name and the list", () => {
	assert.match(refusal("slowlori", {}), /did you mean "slowloris"\?.*accept-queue/);
});

test("only loopback addresses are attacked", () => {
	for (const target of ["10.0.0.1:80", "192.168.1.1:443", "0.0.0.0:80", "128.0.0.1:80", "8.8.8.8:53"])
		assert.match(refusal("hold", { target }), /refused, because it is not a loopback address/);
	for (const target of [
		"example.com:80",
		"127.1:80",
		"127.0.0.1",
		"127.0.0.256:80",
		"[::1]:80",
		":80",
		"1e2.0.0.1:8",
	])
		assert.match(refusal("hold", { target }), /not an IPv4 address and a port/);
	assert.match(refusal("hold", { target: "127.0.0.1:0" }), /a port is a number from 1/);
	assert.match(refusal("hold", { target: "127.0.0.1:65536" }), /a port is a number from 1/);
});

test("every address of 127.0.0.0/8 is loopback, and so is localhost", () => {
	assert.deepEqual(readOptions("hold", { target: "127.3.2.1:80" }, MACHINE).target, {
		address: "127.3.2.1",
		port: 80,
	});
	assert.deepEqual(readOptions("hold", { target: "localhost:8443" }, MACHINE).target, {
		address: "127.0.0.1",
		port: 8443,
	});
});

test("numbers are whole and positive", () => {
	for (const text of ["0", "-1", "1.5", "1e3", "", "many", "٣"]) {
		assert.match(refusal("hold", { connections: text }), /--connections .*not a whole number/);
		assert.match(refusal("hold", { seconds: text }), /--seconds .*not a whole number/);
	}
});

test("more connections than there are descriptors are refused with the sum", () => {
	// 2 × 9,936 + 128 = 20,000
	assert.equal(readOptions("hold", { connections: "9936" }, MACHINE).connections, 9936);
	assert.match(refusal("hold", { connections: "9937" }), /20002 in all, .* may have 20000 .*at most 9936/);
	// The descriptors of another's target are its own affair.
	assert.equal(
		readOptions("hold", { connections: "19872", target: "127.0.0.1:80" }, MACHINE).connections,
		19_872,
	);
	assert.match(refusal("hold", { connections: "19873", target: "127.0.0.1:80" }), /at most 19872/);
});

test("more connections than there are ports are refused with the range", () => {
	const many = { descriptors: 1_000_000, ephemeralPorts: MACHINE.ephemeralPorts };
	assert.throws(
		() => readOptions("hold", { connections: "27233" }, many),
		/ephemeral ports 32768 to 60999 .* 27232 remain/,
	);
});

test("sessions one after the other need no descriptor each", () => {
	assert.equal(readOptions("churn", {}, MACHINE).connections, 1_000_000);
});

test("a comparison has no place beside a given target", () => {
	assert.match(refusal("hold", { target: "127.0.0.1:80", bare: true }), /--bare/);
});

test("a chart that could not be written is refused before the drill, and not after it", () => {
	assert.match(refusal("hold", { svg: "/nonexistent/chart.svg" }), /--svg .*ENOENT/);
	assert.equal(readOptions("hold", { svg: "chart.svg" }, MACHINE).svg, "chart.svg");
});

test("a drill attacks the kind of listener that was asked for, or the first that it can", () => {
	assert.equal(readOptions("hold", {}, MACHINE).listener, "relay");
	assert.equal(readOptions("hold", { listener: "http" }, MACHINE).listener, "http");
	assert.equal(readOptions("slow-body", {}, MACHINE).listener, "http");
	assert.match(refusal("hold", { listener: "htpt" }), /there are relay, http, tls.*did you mean "http"\?/);
	assert.equal(readOptions("churn", { listener: "tls" }, MACHINE).listener, "tls");
	assert.match(refusal("burst", { listener: "tls", bare: true }), /no plain server that terminates TLS/);
	assert.match(refusal("slow-body", { listener: "relay" }), /does not know what a body is/);
	assert.match(
		refusal("accept-queue", { listener: "http" }),
		/no drill accept-queue of http listeners: the kernel/,
	);
});

test("datagrams are for drills of datagrams, which have a gateway of their own and no guard", () => {
	assert.equal(readOptions("udp-flood", {}, MACHINE).listener, "udp");
	assert.match(refusal("hold", { listener: "udp" }), /datagrams are for udp-flood and udp-expire alone/);
	assert.match(refusal("udp-flood", { listener: "relay" }), /its attackers send datagrams/);
	assert.match(refusal("udp-flood", { target: "127.0.0.1:443" }), /leave out --target/);
	assert.match(refusal("udp-flood", { guarded: true }), /datagrams have none/);
	assert.equal(readOptions("udp-flood", {}, MACHINE).bare, false);
	assert.equal(readOptions("udp-flood", { bare: true }, MACHINE).bare, true);
	assert.equal(readOptions("udp-expire", {}, MACHINE).bare, true);
});

test("subscribers are for the drill of the hub, which has a gateway of its own and makes do with fewer where descriptors are few", () => {
	assert.equal(readOptions("slow-subscriber", {}, MACHINE).listener, "hub");
	assert.match(refusal("hold", { listener: "hub" }), /subscribers are for slow-subscriber alone/);
	assert.match(refusal("slow-subscriber", { listener: "http" }), /does not lead to the hub/);
	assert.match(refusal("slow-subscriber", { target: "127.0.0.1:443" }), /leave out --target/);
	assert.match(refusal("slow-subscriber", { guarded: true }), /the library has outboxes/);
	const { connections, fewer } = readOptions("slow-subscriber", {}, MACHINE);
	assert.deepEqual([connections, fewer], [5000, null]);
	const few = { ...MACHINE, descriptors: 1024 };
	const makesDo = readOptions("slow-subscriber", {}, few);
	assert.equal(makesDo.connections, 896);
	assert.match(
		makesDo.fewer ?? "",
		/a descriptor for each and 128 besides, 5128 in all, .* may have 1024 here/,
	);
	assert.throws(() => readOptions("slow-subscriber", { connections: "897" }, few), /at most 896/);
});

test("a SYN flood has bounds, is compared with itself, and has no other target than its own", () => {
	assert.equal(readOptions("syn-flood", {}, MACHINE).bare, true);
	assert.match(refusal("syn-flood", { connections: "20001" }), /not a whole number from 1 to 20000/);
	assert.match(refusal("syn-flood", { seconds: "61" }), /not a whole number from 1 to 60/);
	assert.match(refusal("syn-flood", { target: "127.0.0.1:443" }), /in a network namespace of its own/);
	assert.match(refusal("syn-flood", { guarded: true }), /guard stands behind the handshake/);
	assert.match(refusal("syn-flood", { listener: "http" }), /the kernel's handshake is the same/);
});

test("--guarded compares as --bare does, and both may be asked for", () => {
	assert.match(refusal("hold", { target: "127.0.0.1:80", guarded: true }), /--guarded compares/);
	assert.match(refusal("hold", { listener: "tls", guarded: true }), /--guarded: there is no plain server/);
	const { bare, guarded } = readOptions("hold", { bare: true, guarded: true }, MACHINE);
	assert.deepEqual([bare, guarded], [true, true]);
});
