/** The soak of tunnels, for seconds instead of minutes; `npm run soak -- tunnels` is the whole. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { soakTable } from "../soak/report.js";
import { soakTunnels } from "../soak/tunnels.js";
import { verdictOf } from "../soak/verdict.js";

test("fifty users of WebSockets stay connected through a tunnel, and neither end grows", async (t) => {
	const figures = await soakTunnels({ users: 50, seconds: 20 });
	t.diagnostic(soakTable(figures));
	assert.deepEqual(verdictOf(figures), []);
	assert.ok(figures.messages > 500);
});
