/** Every drill on every kind of listener, small. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { fileURLToPath } from "node:url";
import { LISTENER_KINDS } from "../../src/drill/drill.js";
import { DRILLS } from "../../src/drill/drills/index.js";
import { assertOnlyLate, drillSmall, leavesNothing, parse, QUICK, runDrill } from "../support/drills.js";
import { startUpstream } from "../support/peers.js";
import { Child } from "../support/processes.js";
import { scenario } from "../support/scenario.js";

const BARE_SERVER = fileURLToPath(new URL("../../src/drill/bare-server.js", import.meta.url));

const PLANS = DRILLS.flatMap(({ name, on }) =>
	LISTENER_KINDS.filter((kind) => typeof on[kind] === "object").map((kind) => [name, kind] as const),
);

// Mostly waiting for deadlines, so several at a time.
describe("drills", { concurrency: 6 }, () => {
	for (const [name, listener] of PLANS) {
		// It has a test of its own, with what it needs.
		if (name === "slowhttptest") continue;
		if (QUICK.some(([quick, kind]) => quick === name && kind === listener)) continue;
		drillSmall(name, listener);
	}

	drillSmall("slow-subscriber", "hub", true);

	scenario("a server that never closes anybody does not pass, and the verdict says why", async (scenario) => {
		const upstream = await startUpstream(scenario, ({ socket }) => {
			let said = "";
			socket.on("data", (bytes: Buffer) => {
				said += bytes.toString("latin1");
				if (said.endsWith("\r\n\r\n")) socket.end("HTTP/1.1 204 No Content\r\n\r\n");
			});
		});
		const bare = new Child(process.execPath, [BARE_SERVER, "0", String(upstream.port)]);
		scenario.defer(() => bare.stop());
		const [, port] = await bare.printed(/^(\d+)\n/);
		const small = ["--connections", "30", "--seconds", "1"];
		const outcome = await runDrill(
			scenario,
			"slowloris",
			"--target",
			`127.0.0.1:${port}`,
			...small,
			"--json",
		);
		assert.equal(outcome.status, 1);
		const [target] = parse(outcome).targets;
		assert.equal(target?.kind, "given");
		const judged = (measure: string) => target.verdict.find((each) => each.measure === measure);
		assert.equal(judged("neverGone")?.value, 30);
		assert.equal(judged("neverGone")?.held, false);
		assertOnlyLate(target);
		assert.ok(target.noise !== null || target.phases.some(({ client }) => client.succeeded > 0));
		// Its process was found by the port it listens on.
		assert.ok((target.phases[1]?.descriptorsMax ?? 0) >= 60);
		await leavesNothing(scenario);
	});
});
