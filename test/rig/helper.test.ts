import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Helper } from "../../src/rig/helper.js";
import { installCleanup } from "../../src/rig/processes.js";

installCleanup();

function start(t: TestContext): Helper<string, string> {
	const helper = new Helper<string, string>(new URL("echo-helper.js", import.meta.url), { answerMs: null });
	t.after(() => helper.stop());
	return helper;
}

test("news that came before anybody asked is kept, in its order", async (t) => {
	const helper = start(t);
	helper.order("a");
	helper.order("b");
	// By then all before it has come, too.
	await helper.answer((news): news is "b" => news === "b");
	assert.deepEqual([await helper.next(), await helper.next(), await helper.next()], ["begun", "a", "a"]);
	assert.equal(await helper.next(), "b");
});

test("whoever listens hears all news but the answers that are waited for", async (t) => {
	const helper = start(t);
	assert.equal(await helper.next(), "begun");
	const heard: string[] = [];
	helper.listen((news) => heard.push(news));
	helper.order("a");
	helper.order("b");
	assert.equal(await helper.answer((news): news is "b" => news === "b"), "b");
	helper.order("c");
	await helper.answer((news): news is "c" => news === "c");
	// The second "c" may have come by now as well.
	assert.deepEqual(heard.slice(0, 3), ["a", "a", "b"]);
});

test("a helper that ends by itself fails whoever waits for it, after its last news", async (t) => {
	const helper = start(t);
	helper.order("a");
	helper.order("end");
	for (const news of ["begun", "a", "a"]) assert.equal(await helper.next(), news);
	await assert.rejects(helper.next(), /test\/rig\/echo-helper\.js ended: exit code 3/);
	await assert.rejects(helper.failure, /ended/);
});

test("a helper that is stopped has not failed", async () => {
	const helper = new Helper<string, string>(new URL("echo-helper.js", import.meta.url));
	await helper.next();
	await helper.stop();
	const first = await Promise.race([helper.failure.catch(() => "failed"), Promise.resolve("stopped")]);
	assert.equal(first, "stopped");
});

test("an answer that does not come in time is an error", async (t) => {
	const helper = new Helper<string, string>(new URL("echo-helper.js", import.meta.url), { answerMs: 1 });
	t.after(() => helper.stop());
	await assert.rejects(
		helper.answer((news): news is "never" => news === "never"),
		/test\/rig\/echo-helper\.js did not answer/,
	);
});
