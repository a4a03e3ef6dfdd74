import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeInternet } from "../../src/kernel/sockaddr.js";
import { Loops } from "../../src/reactor/links/loops.js";
import type { Place } from "../../src/reactor/table/numbers.js";

const ipv4 = (text: string) => Uint8Array.from(text.split(".").map(Number));

/** Two reactors' views of one gateway with a listener on port 443. */
function reactors(): readonly [Loops, Loops] {
	const first = new Loops(4);
	first.listen([443]);
	return [first, new Loops(4, first.buffer)];
}

/** Whether who comes from `source` and that port to `local` is the gateway itself. */
function isOurs(loops: Loops, source: string, port: number, local: string): boolean {
	const address = ipv4(source);
	return loops.maybeOurs(port, 443) && loops.isOurs(port, encodeInternet(ipv4(local), 443), 0, address, 0);
}

test("who comes with both ends of a connection of ours is ourselves, in whichever reactor", () => {
	for (const [dialled, source, local] of [
		["127.0.0.1", "127.0.0.1", "127.0.0.1"],
		["127.0.77.1", "127.0.0.1", "127.0.77.1"],
		["10.0.0.5", "10.0.0.5", "10.0.0.5"],
		["0.0.0.0", "127.0.0.1", "127.0.0.1"],
	] as const) {
		const [one, other] = reactors();
		assert.ok(one.mayLeadHere(443) && !one.mayLeadHere(80));
		one.opened(2 as Place, 40_000, encodeInternet(ipv4(dialled), 443));
		assert.ok(isOurs(other, source, 40_000, local), dialled);
		one.closed(2 as Place);
		assert.ok(!isOurs(other, source, 40_000, local), dialled);
	}
});

test("other programs and other machines may have the same port", () => {
	const [loops] = reactors();
	loops.opened(0 as Place, 40_000, encodeInternet(ipv4("127.0.0.2"), 443));
	assert.ok(!isOurs(loops, "127.0.0.1", 40_001, "127.0.0.2"), "another port");
	assert.ok(!isOurs(loops, "127.0.0.1", 40_000, "127.0.0.1"), "another program, to another address of ours");
	loops.opened(1 as Place, 40_002, encodeInternet(ipv4("10.0.0.5"), 443));
	assert.ok(!isOurs(loops, "10.0.0.9", 40_002, "10.0.0.5"), "another machine");
});

test("of two connections from one port the later counts, and the end of the earlier one does not erase it", () => {
	const [loops] = reactors();
	loops.opened(0 as Place, 40_000, encodeInternet(ipv4("127.0.0.2"), 443));
	loops.opened(1 as Place, 40_000, encodeInternet(ipv4("127.0.0.1"), 443));
	loops.closed(0 as Place);
	assert.ok(isOurs(loops, "127.0.0.1", 40_000, "127.0.0.1"));
	loops.closed(1 as Place);
	loops.closed(1 as Place);
	assert.ok(new Uint32Array(loops.buffer).every((word) => word === 0));
});

test("an address of IPv6, and one of IPv4 that came through a socket of both, are compared as well", () => {
	const [loops] = reactors();
	const local = new Uint8Array(16);
	local[15] = 1;
	loops.opened(0 as Place, 40_000, encodeInternet(new Uint8Array(16), 443));
	assert.ok(loops.isOurs(40_000, encodeInternet(local, 443), 0, local, 0), "[::] is [::1]");
	const mapped = new Uint8Array(16);
	mapped.set([0xff, 0xff, 10, 0, 0, 5], 10);
	loops.opened(1 as Place, 40_001, encodeInternet(ipv4("10.0.0.5"), 443));
	assert.ok(loops.isOurs(40_001, encodeInternet(mapped, 443), 0, ipv4("10.0.0.5"), 0));
});
