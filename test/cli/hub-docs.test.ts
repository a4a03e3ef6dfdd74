/** What docs/hub-tokens.md tells people to do does what it says: its blocks are run, one after the other, in one folder. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { SECRET_MIN_BYTES } from "../../src/hub/algorithms.js";
import { readTokenKeys } from "../../src/hub/key-file.js";
import { KEYS_MAX } from "../../src/hub/keys.js";
import { AUDIENCE, CLOCK_TOLERANCE_S, PATTERNS_MAX, WHO_MAX_BYTES } from "../../src/hub/rights.js";
import { type HubRights, TOKEN_MAX_BYTES } from "../../src/hub/tokens.js";
import { blocksOf, fileOf, workshop } from "../support/guide.js";
import { ROOT } from "../support/pieces.js";
import { run } from "../support/processes.js";
import { scenario } from "../support/scenario.js";

const page = readFileSync(`${ROOT}docs/hub-tokens.md`, "utf8");

const blocks = blocksOf("docs/hub-tokens.md");

/** Node 20.19.0 says so of Ed25519, once in a process; later ones do not. */
const EXPERIMENTAL = /^\(node:\d+\) ExperimentalWarning: The Ed25519 .*\n\(Use .*\)\n/;

scenario(
	"every command and program of the page runs, and each token that one prints is good at that moment",
	async (scenario) => {
		const { home, path } = workshop(scenario.directory, ["jose"]);
		const rights: HubRights[] = [];
		for (const block of blocks) {
			if (block.language === "json") JSON.parse(block.text);
			else if (block.language !== "sh") {
				const file = fileOf(block);
				assert.ok(file !== undefined, `a block does not name its file:\n${block.text}`);
				writeFileSync(join(home, file), block.text);
			} else {
				const outcome = await run("sh", ["-euc", block.text], { directory: home, env: { PATH: path } });
				assert.deepEqual([outcome.status, outcome.stderr.replace(EXPERIMENTAL, "")], [0, ""], block.text);
				const keys = readTokenKeys(join(home, "hub-keys.json"));
				for (const [token] of outcome.stdout.matchAll(/^\w+\.[\w-]+\.[\w-]+$/gm))
					rights.push(await keys.verify(token));
			}
		}
		assert.deepEqual(
			rights.map((each) => [
				each.who,
				["prices", "rooms/42", "rooms/43"].filter((channel) => each.maySubscribe(channel)),
				["prices", "rooms/42", "rooms/43"].filter((channel) => each.mayPublish(channel)),
			]),
			[
				["alice", ["prices", "rooms/42", "rooms/43"], ["rooms/42"]],
				["alice", ["prices", "rooms/42"], ["rooms/42"]],
				["alice", ["prices", "rooms/42"], ["rooms/42"]],
				[null, ["prices"], []],
			],
		);
		assert.equal(readTokenKeys(join(home, "hub-keys.json")).size, 2);
	},
	{ needs: ["python3"] },
);

test("bounds and names are those of the program", () => {
	assert.ok(page.includes(`\`${AUDIENCE}\``));
	assert.ok(page.includes(`lists of up to ${PATTERNS_MAX} channels`));
	assert.ok(page.includes(`1 to ${WHO_MAX_BYTES} bytes`));
	assert.ok(page.includes(`differ by ${CLOCK_TOLERANCE_S} seconds`));
	assert.ok(page.includes(`${TOKEN_MAX_BYTES.toLocaleString("en")} bytes at most`));
	assert.match(page, new RegExp(`up to ${KEYS_MAX}\\s+keys`));
	assert.ok(page.includes(`secrets under ${SECRET_MIN_BYTES} bytes`));
});

test("every sentence that the page quotes is one that the program has", () => {
	const sources = ["tokens", "rights"]
		.map((name) => readFileSync(`${ROOT}src/hub/${name}.ts`, "utf8"))
		.join("");
	const table = page.slice(page.indexOf("| it says |"), page.indexOf("## New tokens"));
	const quoted = [...table.matchAll(/^\| ([^|]+?) \|/gm)].map(([, text = ""]) => text).slice(2);
	assert.ok(quoted.length > 4);
	for (const sentence of quoted) {
		const written = sentence
			.replace("entry 2", `entry \${index + 1}`)
			.replace("hub.subscribe", `hub.\${right}`);
		assert.ok(sources.includes(written), sentence);
	}
});

test("every flag of the two commands is on the page", () => {
	const program = readFileSync(`${ROOT}src/cli/program.ts`, "utf8");
	const section = program.slice(
		program.indexOf('command("hub-key")'),
		program.indexOf("Flags that are none"),
	);
	const flags = [...section.matchAll(/ption\(\s*"(--[a-z-]+)/g)].map(([, name = ""]) => name);
	assert.ok(flags.length > 9);
	for (const flag of flags) assert.ok(page.includes(flag), flag);
});
