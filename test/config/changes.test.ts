/** What a reload changes, in the words of the file. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ConfigChanges, changesBetween, shortened } from "../../src/config/changes.js";
import { loadConfigText } from "../../src/config/load.js";
import { shownConfig } from "../../src/config/shown.js";

const BEFORE = `
watch: on
timeouts: { idle: 5m, stall: 30s }
listeners:
  - { listen: 127.0.0.1:8443, routes: [{ sni: a.test, to: web }, { to: git }] }
  - { listen: "127.0.0.1:8080", routes: [{ to: git }] }
upstreams:
  web: { addresses: [10.0.0.5:443], balance: least_connections }
  git: 10.0.0.9:22
`;

function changes(...edits: readonly (readonly [string, string])[]): ConfigChanges {
	const after = edits.reduce((text, [from, to]) => {
		assert.ok(text.includes(from), from);
		return text.replace(from, to);
	}, BEFORE);
	return changesBetween(loadConfigText(BEFORE).parts, loadConfigText(after).parts);
}

const NOTHING: ConfigChanges = { added: [], removed: [], changed: [] };

test("what says the same in other words of YAML has not changed", () => {
	assert.deepEqual(changes(), NOTHING);
	assert.deepEqual(changes(["watch: on", "# on\nwatch: on"]), NOTHING);
	assert.deepEqual(changes(["{ sni: a.test, to: web }", "{ to: web, sni: a.test }"]), NOTHING);
	assert.deepEqual(
		changes(["{ idle: 5m, stall: 30s }", "\n  stall: 30s\n  idle: 5m"], ["git: 10", "git: 10"]),
		NOTHING,
	);
});

test("keys that say something else are named, whoever has them", () => {
	const cases: readonly (readonly [readonly [string, string], readonly string[]])[] = [
		[["idle: 5m", "idle: 6m"], ["timeouts.idle"]],
		[["watch: on", "watch: on\nledger: {}"], ["ledger"]],
		[["idle: 5m, ", ""], ["timeouts.idle"]],
		[["idle: 5m", "idle: 5m, connect: 1s"], ["timeouts.connect"]],
		[["watch: on", "watch: off"], ["watch"]],
		[
			["watch: on", "log: { level: debug }"],
			["log.level", "watch"],
		],
		[["sni: a.test", "sni: b.test"], ["listeners[127.0.0.1:8443].routes"]],
		[["10.0.0.5:443", "10.0.0.6:443"], ["upstreams.web.addresses"]],
		[["balance: least_connections", "balance: source_hash"], ["upstreams.web.balance"]],
		[["git: 10.0.0.9:22", "git: 10.0.0.8:22"], ["upstreams.git"]],
	];
	for (const [edit, expected] of cases) {
		const { added, removed, changed } = changes(edit);
		assert.deepEqual([added, removed, [...changed].sort()], [[], [], expected], edit.join(" → "));
	}
});

test("listeners and upstreams come and go as a whole", () => {
	assert.deepEqual(changes(["127.0.0.1:8080", "127.0.0.1:8081"]), {
		added: ["listeners[127.0.0.1:8081]"],
		removed: ["listeners[127.0.0.1:8080]"],
		changed: [],
	});
	assert.deepEqual(changes(["  git:", "  more: 10.0.0.1:1\n  git:"]), {
		...NOTHING,
		added: ["upstreams.more"],
	});
});

test("of two listeners that take any port each is told", () => {
	const parts = (first: string, second: string) =>
		loadConfigText(`
listeners:
  - { listen: "127.0.0.1:0", routes: [{ to: ${first} }] }
  - { listen: "127.0.0.1:0", routes: [{ to: ${second} }] }
upstreams: { a: "x:1", b: "x:2" }
`).parts;
	const before = parts("a", "a");
	assert.deepEqual(changesBetween(before, parts("b", "a")).changed, ["listeners[127.0.0.1:0].routes"]);
	assert.deepEqual(changesBetween(before, parts("a", "b")).changed, ["listeners[127.0.0.1:0]#2.routes"]);
});

test("a line of the log names a few, and how many more there are", () => {
	const many = Array.from({ length: 30 }, (_, index) => `upstreams.u${index}`);
	const { added, changed } = shortened({ added: many, removed: [], changed: many.slice(0, 20) }, 20);
	assert.deepEqual([added.length, added[19], added[20]], [21, "upstreams.u19", "… and 10 more"]);
	assert.deepEqual(changed, many.slice(0, 20));
});

test("nothing of a secret is kept, or shown", () => {
	const secret = "0123456789abcdef0123456789abcdef";
	const config = loadConfigText(`admin: 127.0.0.1:1\nadmin_tokens: { full: ${secret} }${BEFORE}`);
	const kept = [...config.parts].map(([part, keys]) => [part, ...keys]);
	assert.ok(!JSON.stringify(kept).includes(secret));
	assert.ok(!JSON.stringify(shownConfig(config)).includes("parts"));
});
