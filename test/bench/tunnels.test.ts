import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../bench/command-line.js";
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
