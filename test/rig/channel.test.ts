import assert from "node:assert/strict";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { Helper } from "../../src/rig/helper.js";
import { installCleanup } from "../../src/rig/processes.js";
import { eventually } from "../support/waiting.js";
import type { ServingNews, ServingOrder } from "./serving-helper.js";

installCleanup();

test("orders are heard beside connections, in their order, and news come back", async (t) => {
	const helper = new Helper<ServingOrder, ServingNews>(new URL("serving-helper.js", import.meta.url));
	t.after(() => helper.stop());
	helper.order({ say: "first" });
	const { port } = await helper.next();
	assert.equal(await text(connect(port, "127.0.0.1")), "first");
	for (let i = 0; i < 100; i++) helper.order({ say: `saying ${i}` });
	// An order is heard when it is heard: nobody is told.
	await eventually(
		async () => ((await text(connect(port, "127.0.0.1"))) === "saying 99" ? true : undefined),
		() => "the last of many orders was not obeyed",
	);
});
