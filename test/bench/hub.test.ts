/** The bench of the hub, small: every row has numbers, and what does not come, or comes twice, is noticed. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../bench/command-line.js";
import { coresIn, maskOf } from "../../bench/hub/apart.js";
import { readHubOptions } from "../../bench/hub/options.js";
import { HUB_ROWS } from "../../bench/hub/rows/index.js";
import type { Report } from "../../bench/report.js";
import { Followed } from "../../src/rig/subscribers/followed.js";
import type { HearNumbered, Subscribers } from "../../src/rig/subscribers/subscribers.js";

/** The checkout that this test was built in. */
const HERE = fileURLToPath(new URL("../../..", import.meta.url));

async function quickRun(rows: readonly string[], systems: string): Promise<Report> {
	const main = fileURLToPath(new URL("../../bench/main.js", import.meta.url));
	const args = ["hub", "--quick", "--rounds", "1", "--json", "-", "--systems", systems];
	const child = spawn(process.execPath, [main, ...args, "--only", rows.join(",")]);
	const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
	assert.notEqual(output, "", errors);
	return JSON.parse(output) as Report;
}

test("a quick run without peers that must be installed goes through every kind of row, and has a number for each figure", async () => {
	// Of idle subscribers without TLS, one row shows as much as the other.
	const ids = HUB_ROWS.map(({ id }) => id).filter((id) => id !== "idle-garbage");
	const { rows, figures } = await quickRun(ids, "sluice,ws");
	assert.deepEqual(
		rows.map(({ id }) => id),
		ids,
	);
	for (const { id, results, verdict } of figures) {
		for (const system of systemsIn(id)) {
			const result = results[system];
			assert.ok(result !== undefined && "median" in result, `${id}: ${JSON.stringify(result)}`);
			assert.ok(Number.isFinite(result.median), id);
		}
		// Nothing is judged by one round.
		assert.ok(verdict?.judged !== true);
	}
});

/** Who has a number for it. */
function systemsIn(figure: string): string[] {
	if (figure === "deaf.outbox") return ["sluice-deaf"];
	if (figure.startsWith("deliveries.")) return ["sluice", "ws", "ws-again"];
	const all = ["sluice", "ws"];
	return figure.startsWith("deaf.") ? all.flatMap((id) => [id, `${id}-again`, `${id}-deaf`]) : all;
}

/** Two subscribers, to whom so many numbers come at the next look. */
function subscribersWho(hear: readonly (readonly number[])[]): Subscribers {
	const subscribers: Pick<Subscribers, "count" | "isAlive" | "sweepOne"> = {
		count: hear.length,
		isAlive: () => true,
		sweepOne: (place: number, take: HearNumbered) => {
			for (const number of hear[place] ?? []) take(place, number, true);
		},
	};
	return subscribers as Subscribers; // what is followed asks for no more
}

test("who has not got a message is counted, and one that is left out or comes twice is an error", () => {
	const look = (...hear: number[][]): number =>
		new Followed(subscribersWho(hear), null, 5).lookFor(5, (arrivedUs) => assert.ok(Number.isNaN(arrivedUs)));
	assert.equal(look([5], [5]), 0);
	assert.equal(look([5], []), 1);
	assert.throws(() => look([5], [6]), /subscriber 1 got message 6 behind 4/);
	assert.throws(() => look([5, 5], [5]), /subscriber 0 got message 5 behind 5/);
});

test("who chooses a system gets its further instances, and an unknown one is an error that names those there are", () => {
	const { rounds, rows, systems } = readHubOptions(["--systems", "ws,nchan"]);
	assert.equal(rounds, 15);
	assert.deepEqual(rows, HUB_ROWS);
	assert.deepEqual(
		systems.map(({ id }) => id),
		["ws", "ws-again", "ws-deaf", "nchan", "nchan-deaf"],
	);
	assert.throws(() => readHubOptions(["--only", "idel"]), /unknown row "idel"; there are: deliveries, /);
	assert.throws(() => readHubOptions(["--systems", "ws-again"]), UsageError);
	assert.equal(readHubOptions(["--together", "--rounds", "1"]).isTogether, true);
});

test("an older checkout stands behind this one, once for each manner", () => {
	const { systems } = readHubOptions(["--systems", "sluice", "--against", HERE]);
	assert.deepEqual(
		systems.map(({ id }) => id),
		["sluice", "sluice-before", "sluice-again", "sluice-deaf", "sluice-before-deaf"],
	);
});

test("cores are read as the kernel lists them, and told it as it reads masks", () => {
	assert.deepEqual(coresIn("0-2,5"), [0, 1, 2, 5]);
	assert.equal(maskOf([1]), "00000002");
	assert.equal(maskOf([0, 31, 32]), "00000001,80000001");
});
