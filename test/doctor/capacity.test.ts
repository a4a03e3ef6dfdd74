/** `docs/capacity.md`: made again from what it was made from, and its names held against the code. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { sectionKeys } from "../../src/config/schema.js";
import { capacityPage, recordedIn } from "../../src/doctor/capacity/page.js";
import { record } from "../../src/doctor/capacity/record.js";
import { RESOURCES } from "../../src/doctor/capacity/resources.js";
import { REASONS } from "../../src/parts/reasons.js";

const FILE = fileURLToPath(new URL("../../../docs/capacity.md", import.meta.url));
const written = readFileSync(FILE, "utf8");

/** `hub.channels.*.outbox` is the key `outbox` of the mapping `hub.channels.*`. */
function isKey(name: string): boolean {
	const at = name.lastIndexOf(".");
	return (
		sectionKeys()
			.get(name.slice(0, at))
			?.includes(name.slice(at + 1)) === true
	);
}

test("the page is what the code makes of what was measured for it", () => {
	const made = capacityPage(recordedIn(written)).split("\n");
	const lines = written.split("\n");
	const at = made.findIndex((line, index) => line !== lines[index]);
	assert.equal(
		at,
		-1,
		`from line ${at + 1} on: run "npm run capacity -- --recorded"\n${lines[at]}\n${made[at]}`,
	);
	assert.equal(lines.length, made.length);
});

test("each deadline and each bound that it names is a key of the configuration", () => {
	for (const { name, deadlines, bounds } of RESOURCES)
		for (const key of [...deadlines, ...bounds]) assert.ok(isKey(key), `${name}: ${key} is no key`);
	assert.ok(!isKey("timeouts.handsake") && !isKey("handshake"));
});

test("each deadline that there is gives something back", () => {
	const named = new Set(RESOURCES.flatMap(({ deadlines }) => deadlines));
	// What ends the wait for a protocol gives nothing back: the session goes on.
	const others = (sectionKeys().get("timeouts") ?? []).filter((key) => key !== "silence");
	assert.ok(others.length > 8);
	for (const section of ["timeouts", "keepalive"])
		for (const key of section === "timeouts" ? others : (sectionKeys().get(section) ?? []))
			assert.ok(named.has(`${section}.${key}`), `${section}.${key} is in no row`);
});

test("each resource has a row that says what gives it back, and the reasons are those of sessions", () => {
	const kinds = [
		"descriptor",
		"TCB",
		"buffer",
		"row",
		"chunk",
		"TLS session",
		"line",
		"session of datagrams",
		"subscriber",
	];
	for (const kind of kinds)
		assert.equal(RESOURCES.filter(({ name }) => name.includes(kind)).length > 0, true, kind);
	for (const { name, freed, deadlines, reasons } of RESOURCES) {
		assert.ok(freed.length > 10 && deadlines.length > 0, name);
		for (const reason of reasons) assert.ok(REASONS.includes(reason), reason);
	}
});

test("what is measured of this machine makes a page, from which the same can be read again", async () => {
	const recorded = await record();
	const { door, sockets } = recorded;
	// What the kernel does at the door is the same on all machines; what it takes is not.
	assert.deepEqual(
		[door.established, door.retrying, door.halfOpen],
		[door.backlog + 1, door.clients - door.backlog - 1, 0],
	);
	assert.deepEqual([door.descriptorsBefore, door.descriptorsAccepted], [0, door.established]);
	assert.ok(sockets.empty < 8_192 && sockets.full >= sockets.taken && sockets.taken > 65_536);
	const page = capacityPage(recorded);
	assert.deepEqual(recordedIn(page), JSON.parse(JSON.stringify(recorded)));
	for (const size of ["100", "1,000", "10,000", "100,000", "1,000,000"])
		assert.equal(page.split(`\n| ${size} | `).length, 3, size);
	assert.doesNotMatch(page, /undefined|NaN|Infinity/);
});
