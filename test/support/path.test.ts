/** The router of tests: what it drops, forgets and refuses, and that a kernel would believe its resets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Flows } from "./path/flows.js";
import { readSegment, resetFor, type Segment } from "./path/segment.js";

const AGENT_PORT = 40_000;

function segment(flags: Partial<Segment> = {}, port = AGENT_PORT): Segment {
	return {
		...{ source: 0xc6130102, destination: 0xc6130101, sourcePort: port, destinationPort: 4_443 },
		...{ sequence: 1_000, acknowledged: 2_000, length: 10 },
		...{ opens: false, ends: false, resets: false, hasAcknowledgement: true },
		...flags,
	};
}

/** The same connection, seen from the gateway. */
function back(flags: Partial<Segment> = {}, port = AGENT_PORT): Segment {
	return segment({ sourcePort: 4_443, destinationPort: port, ...flags });
}

test("while it is silent nothing passes, and afterwards all goes on", () => {
	const flows = new Flows();
	assert.equal(flows.fate(segment({ opens: true }), true, 0), "pass");
	flows.isSilent = true;
	assert.equal(flows.fate(back(), false, 1), "drop");
	assert.equal(flows.fate(segment({ opens: true }, 40_001), true, 2), "drop");
	flows.isSilent = false;
	assert.equal(flows.fate(segment(), true, 3), "pass");
	assert.equal(flows.open, 1);
});

test("a flow that was silent for too long is forgotten, and one that speaks is not", () => {
	for (const [answer, fate] of [
		["silence", "drop"],
		["reset", "reset"],
	] as const) {
		const flows = new Flows();
		flows.forget(3_000, answer);
		flows.fate(segment({ opens: true }), true, 0);
		assert.equal(flows.fate(back(), false, 2_999), "pass");
		assert.equal(flows.fate(segment(), true, 5_998), "pass");
		assert.equal(flows.fate(segment(), true, 8_998), fate);
		assert.equal(flows.fate(back(), false, 8_999), fate);
		// Nobody answers a reset by one.
		assert.equal(flows.fate(back({ resets: true }), false, 9_000), "drop");
		assert.equal(flows.open, 0);
		assert.equal(flows.fate(segment({ opens: true }), true, 9_001), "pass");
	}
});

test("half of them die for ever but for the oldest; those that have ended do not count", () => {
	const flows = new Flows();
	for (let port = 1; port <= 6; port++) flows.fate(segment({ opens: true }, port), true, 0);
	flows.fate(segment({ ends: true }, 2), true, 1);
	flows.fate(back({ ends: true }, 2), false, 1);
	flows.fate(segment({ resets: true }, 3), true, 1);
	assert.equal(flows.open, 4);
	assert.equal(flows.killHalf(), 2);
	const fates = [1, 4, 5, 6].map((port) => flows.fate(segment({}, port), true, 2));
	assert.deepEqual(fates, ["pass", "drop", "pass", "drop"]);
	assert.equal(flows.open, 2);
});

test("a reset is what the sender waits for: its own acknowledgement, and sums that are right", () => {
	const packet = resetFor(segment());
	const read = readSegment(packet);
	assert.ok(read !== undefined);
	assert.deepEqual(
		[read.source, read.destination, read.sourcePort, read.destinationPort],
		[0xc6130101, 0xc6130102, 4_443, AGENT_PORT],
	);
	assert.deepEqual([read.sequence, read.resets, read.opens, read.length], [2_000, true, false, 0]);
	assert.equal(sumOf(packet.subarray(0, 20)), 0xffff);
	const pseudo = Buffer.from([...packet.subarray(12, 20), 0, 6, 0, 20]);
	assert.equal(sumOf(Buffer.concat([pseudo, packet.subarray(20)])), 0xffff);
	assert.equal(readSegment(packet.subarray(0, 30)), undefined);
	const opening = readSegment(resetFor(segment({ opens: true, hasAcknowledgement: false, length: 0 })));
	assert.deepEqual([opening?.acknowledged, opening?.hasAcknowledgement], [1_001, true]);
});

function sumOf(bytes: Buffer): number {
	let sum = 0;
	for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
	return (sum & 0xffff) + (sum >>> 16);
}
