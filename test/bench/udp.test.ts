/** The bench of datagrams, small: every row has numbers, and what is lost or goes astray is noticed. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../bench/command-line.js";
import type { Report } from "../../bench/report.js";
import { readUdpOptions } from "../../bench/udp/options.js";
import { UDP_ROWS } from "../../bench/udp/rows/index.js";
import { missingPeer } from "../support/quic/programs.js";

/** The checkout that this test was built in. */
const HERE = fileURLToPath(new URL("../../..", import.meta.url));

async function quickRun(rows: readonly string[], systems: readonly string[]): Promise<Report> {
	const main = fileURLToPath(new URL("../../bench/main.js", import.meta.url));
	const args = ["udp", "--quick", "--rounds", "1", "--json", "-"];
	const chosen = ["--only", rows.join(","), "--systems", systems.join(",")];
	const child = spawn(process.execPath, [main, ...args, ...chosen]);
	const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
	assert.notEqual(output, "", errors);
	return JSON.parse(output) as Report;
}

/** Of each figure without a number, why. */
function absences({ figures }: Report, system: string): string[] {
	return figures.flatMap(({ id, results }) => {
		const result = results[system];
		assert.ok(result !== undefined, id);
		if ("absent" in result) return [`${id}: ${result.absent}`];
		assert.ok(Number.isFinite(result.median), id);
		return [];
	});
}

test("a quick run without peers goes through every kind of row, and has a number for each figure", async () => {
	// Of two sizes, one shows as much.
	const ids = UDP_ROWS.map(({ id }) => id).filter((id) => !id.endsWith("-200"));
	const [own, bare] = await Promise.all([
		quickRun(ids, ["sluice"]),
		quickRun(["thousand-200", "both-batch-1200", "sni"], ["bare-relay"]),
	]);
	assert.deepEqual(
		own.rows.map(({ id }) => id),
		ids,
	);
	const missing = missingPeer("quic-go");
	const noQuic = ["cpu", "rate"].map((part) => `quic-download.${part}: ${missing}`);
	assert.deepEqual(absences(own, "sluice"), missing === undefined ? [] : noQuic);
	assert.deepEqual(
		absences(bare, "bare-relay"),
		["cpu", "rate", "lost"].map((part) => `sni.${part}: it reads nothing`),
	);
	// Nothing is judged by one round, and without whom ratios are to.
	assert.ok([...own.figures, ...bare.figures].every(({ verdict }) => verdict?.judged !== true));
});

test("all rows and systems are the default, and an unknown one is an error that names those there are", () => {
	const { rounds, rows, systems } = readUdpOptions([]);
	assert.equal(rounds, 15);
	assert.deepEqual(rows, UDP_ROWS);
	assert.ok(systems.some(({ id }) => id === "nginx-again"));
	assert.throws(() => readUdpOptions(["--only", "two"]), /unknown row "two"; there are: one-200, /);
	assert.throws(() => readUdpOptions(["--systems", "haproxy"]), UsageError);
});

test("an older checkout stands behind this one", () => {
	const { systems } = readUdpOptions(["--systems", "sluice,nginx", "--against", HERE]);
	assert.deepEqual(
		systems.map(({ id }) => id),
		["sluice", "sluice-before", "nginx"],
	);
	assert.throws(() => readUdpOptions(["--against", "/nowhere"]), /no built checkout of Sluice/);
});
