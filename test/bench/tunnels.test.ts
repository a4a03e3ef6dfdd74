import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../bench/options.js";
import type { Report } from "../../bench/report.js";
import { readTunnelOptions } from "../../bench/tunnels/options.js";
import { TUNNEL_ROWS } from "../../bench/tunnels/rows/index.js";

/** The checkout that this test was built in. */
const HERE = fileURLToPath(new URL("../../..", import.meta.url));

test("all rows and systems are the default, and an unknown one is an error that names those there are", () => {
	const { rounds, rows, systems } = readTunnelOptions([]);
	assert.equal(rounds, 15);
	assert.deepEqual(rows, TUNNEL_ROWS);
	assert.ok(systems.some(({ id }) => id === "rathole-again"));
	assert.throws(() => readTunnelOptions(["--only", "visits"]), /unknown row "visits"; there are: requests, /);
	assert.throws(() => readTunnelOptions(["--systems", "ngrok"]), UsageError);
});

test("each of an older checkout's tunnels stands behind its own of this one", () => {
	const { systems } = readTunnelOptions(["--systems", "sluice-plain,sluice-http,rathole", "--against", HERE]);
	assert.deepEqual(
		systems.map(({ id }) => id),
		["sluice-plain", "sluice-before-plain", "sluice-http", "sluice-before-http", "rathole"],
	);
	assert.throws(() => readTunnelOptions(["--against", "/nowhere"]), /no built checkout of Sluice/);
});

async function quickRun(rows: readonly string[], systems: readonly string[]): Promise<Report> {
	const main = fileURLToPath(new URL("../../bench/main.js", import.meta.url));
	const args = ["tunnels", "--quick", "--rounds", "1", "--json", "-"];
	const chosen = ["--only", rows.join(","), "--systems", systems.join(",")];
	const child = spawn(process.execPath, [main, ...args, ...chosen]);
	const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
	assert.notEqual(output, "", errors);
	return JSON.parse(output) as Report;
}

/** Of each row, the systems that have a number for every figure. */
function measured({ rows, figures, columns }: Report): Record<string, string[]> {
	return Object.fromEntries(
		rows.map(({ id }) => {
			const own = figures.filter((figure) => figure.id.startsWith(`${id}.`));
			const whole = columns.filter((system) =>
				own.every(({ results }) => {
					const result = results[system];
					return result !== undefined && "median" in result && Number.isFinite(result.median);
				}),
			);
			return [id, whole];
		}),
	);
}

// Each tunnel that is started is two processes, so there are no more of them than there are kinds.
test("a quick run without peers goes through every row, by every kind of visitor", async () => {
	const [plain, others] = await Promise.all([
		quickRun(
			TUNNEL_ROWS.map(({ id }) => id),
			["sluice-plain"],
		),
		quickRun(["requests", "visitors", "bulk"], ["sluice-http", "sluice-passthrough"]),
	]);
	assert.deepEqual(
		measured(plain),
		Object.fromEntries(TUNNEL_ROWS.map(({ id }) => [id, ["sluice-plain"]])),
		JSON.stringify(plain.figures),
	);
	assert.deepEqual(measured(others), {
		requests: ["sluice-http", "sluice-passthrough"],
		visitors: ["sluice-http", "sluice-passthrough"],
		bulk: ["sluice-passthrough"],
	});
	// Nothing is judged by one round, and without those whom ratios are to.
	assert.ok(plain.figures.every(({ verdict }) => verdict?.judged !== true));
});
