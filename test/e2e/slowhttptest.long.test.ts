/** Attacks that others have written: the good client, beside them, notices nothing. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import type { DrillResult } from "../../src/drill/result.js";
import { MAIN } from "../../src/rig/gateway.js";
import { assertHeld, assertOnlyLate } from "../support/drills.js";
import { notRunBecause } from "../support/needs.js";
import { Child } from "../support/processes.js";
import { scenario } from "../support/scenario.js";

const skip = notRunBecause("a server of HTTP under slowhttptest", ["slowhttptest"]);

const MODE_SECONDS = 3;
const SMALL = ["--connections", "200", "--seconds", String(4 * MODE_SECONDS)];

describe("slowhttptest", { skip: skip ?? false }, () => {
	scenario("it is available throughout, to others and to slowhttptest's own probe", async (scenario) => {
		const drill = new Child(process.execPath, [MAIN, "drill", "slowhttptest", ...SMALL, "--json"], {
			env: { TMPDIR: scenario.directory },
		});
		scenario.defer(() => drill.stop());
		await drill.exited;
		assert.equal(drill.stderr, "");
		const [gateway] = (JSON.parse(drill.stdout) as DrillResult).targets;
		assert.ok(gateway !== undefined);
		assertHeld(gateway);
		assertOnlyLate(gateway);
		assert.ok((gateway.measures["heldShare"] ?? 0) > 0);
		// Its probe waits a second, and a busy machine may stand still for one; a mode that works leaves none free.
		for (const mode of ["headers", "body", "range", "read"])
			assert.ok((gateway.measures[`${mode}.unavailableSeconds`] ?? MODE_SECONDS) < MODE_SECONDS, mode);
	});
});
