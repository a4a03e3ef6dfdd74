import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/** An exit takes milliseconds; a program that is stuck is stuck for ever. */
const STUCK_AFTER_MS = 60_000;

for (const [manner, expected] of [
	["exit", 7],
	["fault", 1],
] as const) {
	test(`a program that ends by ${manner} while its gateway runs does end`, async (t) => {
		const program = spawn(
			process.execPath,
			[fileURLToPath(new URL("./exiting-program.js", import.meta.url)), manner],
			{
				stdio: "ignore",
			},
		);
		t.after(() => program.kill("SIGKILL"));
		const timer = setTimeout(() => program.kill("SIGKILL"), STUCK_AFTER_MS);
		const [code, signal] = (await once(program, "exit")) as [number | null, string | null];
		clearTimeout(timer);
		assert.deepEqual({ code, signal }, { code: expected, signal: null });
	});
}
