/** The bench of tunnels, small: every row has numbers. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Report } from "../../bench/report.js";
import { TUNNEL_ROWS } from "../../bench/tunnels/rows/index.js";

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
