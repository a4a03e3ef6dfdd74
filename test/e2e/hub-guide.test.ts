/** What docs/hub.md tells people to type does what it says: each of its blocks is run, on ports that are free. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadConfigText } from "../../src/config/load.js";
import { startBrowser } from "../support/browser.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { type Block, blocksOf, fileOf, workshop } from "../support/guide.js";
import { publish } from "../support/hub.js";
import { type Program, pathOf } from "../support/needs.js";
import { ROOT } from "../support/pieces.js";
import { Child, run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

const EXAMPLE = readFileSync(`${ROOT}examples/hub.yaml`, "utf8");
const blocks = blocksOf("docs/hub.md");
/** Of the page, which each has to be run by one of the tests below. */
const left = new Set(blocks);

function take(fits: (block: Block) => boolean): Block {
	const block = blocks.find(fits);
	assert.ok(block !== undefined, "the page has such a block");
	left.delete(block);
	return block;
}

const withText = (text: string) => take((block) => block.text.includes(text));
const inFile = (name: string) => take((block) => fileOf(block) === name);

/** A folder with the example in it, the gateway that it makes, and what the page says of its ports. */
interface Place {
	readonly gateway: Gateway;
	readonly start: (command: string) => Child;
	readonly sh: (text: string) => Promise<string>;
	readonly there: (text: string) => string;
	readonly home: string;
}

function onFreePorts(yaml: string): string {
	return yaml.replaceAll(/(listen|admin): 127\.0\.0\.1:\d+/g, "$1: 127.0.0.1:0");
}

async function startPlace(scenario: Scenario): Promise<Place> {
	const { home, path } = workshop(scenario.directory, ["ws"]);
	const gateway = await startGateway(scenario, onFreePorts(EXAMPLE));
	const there = (text: string): string =>
		text
			.replaceAll("127.0.0.1:8080", `127.0.0.1:${gateway.port()}`)
			.replaceAll('"127.0.0.1", 7000', `"127.0.0.1", ${gateway.port(1)}`)
			.replaceAll("127.0.0.1:9090", `127.0.0.1:${gateway.adminPort}`);
	mkdirSync(join(home, "examples"));
	writeFileSync(join(home, "examples/hub.yaml"), there(EXAMPLE));
	const start = (command: string): Child => {
		const child = new Child("sh", ["-c", `exec ${there(command)}`], { directory: home, env: { PATH: path } });
		scenario.defer(() => child.stop("SIGKILL"));
		return child;
	};
	const sh = async (text: string): Promise<string> => {
		const outcome = await run("sh", ["-euc", there(text)], { directory: home, env: { PATH: path } });
		assert.equal(outcome.status, 0, `${text}\n${outcome.output}`);
		return outcome.stdout;
	};
	return { gateway, start, sh, there, home };
}

/** Publishes it until it is heard: who has just begun may be on his way to the hub. */
async function isHeard(
	{ gateway }: Place,
	channel: string,
	data: string,
	hears: () => boolean | Promise<boolean>,
): Promise<void> {
	await eventually(
		async () => {
			await publish(gateway, channel, data);
			return (await hears()) ? true : undefined;
		},
		() => `${data} is not heard`,
	);
}

scenario(
	"the first run in three commands, and what follows from it",
	async (scenario) => {
		const place = await startPlace(scenario);
		const [runs, subscribes, publishes, ...others] = withText("sluice run").text.trim().split("\n");
		assert.deepEqual(others, []);
		// This gateway runs already: the command is tried with a file of its own.
		writeFileSync(join(place.home, "examples/other.yaml"), onFreePorts(EXAMPLE));
		const own = place.start((runs ?? "").replace("examples/hub.yaml", "examples/other.yaml"));
		await own.printed(/"message":"ready"/);
		const curl = place.start(subscribes ?? "");
		await curl.printed(/event: subscribed/);
		await place.sh(publishes ?? "");
		await curl.printed(/data: \{"channel":"prices","data":"42.07"\}\n\n/);
		const shown =
			/```\n(event: subscribed.*?)```/s.exec(readFileSync(`${ROOT}docs/hub.md`, "utf8"))?.[1] ?? "";
		const withoutIds = (text: string): string => text.replaceAll(/\w+:(\d)\b/g, "ID:$1").trim();
		assert.equal(withoutIds(curl.stdout), withoutIds(shown));

		const last = place.start(withText("?last=1").text);
		await last.printed(/"data":"42.07"/);
		await place.sh(withText("Sluice-Operator: shop").text);
		await last.printed(/"data":"42.09"/);
		assert.deepEqual(
			[...last.stdout.matchAll(/^data: \{"channel":"prices","data":(.*)\}$/gm)].map(([, data]) => data),
			['"42.07"', '"{\\"price\\": 42.07}"', '"42.08"', '"42.09"'],
		);
		await own.stop();
	},
	{ needs: ["curl"] },
);

scenario(
	"subscribers in Node and Python print what is published, also after they were cut, and so does a device",
	async (scenario) => {
		const place = await startPlace(scenario);
		const started = ["subscribe.mjs", "subscribe.py", "device.py"].map((name) => {
			// They come back after a second and more, and here at once.
			const text = inFile(name)
				.text.replace("1_000 + 4_000 * Math.random()", "100")
				.replace("1 + 4 * random.random()", "0.1");
			writeFileSync(join(place.home, name), place.there(text));
			return place.start(`${name.endsWith(".py") ? "python3" : "node"} ${name}`);
		});
		for (const child of started) await isHeard(place, "prices", "one", () => /^one$/m.test(child.stdout));
		await place.gateway.admin("/api/sessions/close?all=true", "POST");
		const returning = started.slice(0, 2);
		for (const child of returning) await isHeard(place, "prices", "two", () => /^two$/m.test(child.stdout));
		// Each once, and none is missing, although they were away for a while.
		const { body } = await place.gateway.admin("/api/hub/prices?history=1000");
		const { history } = JSON.parse(body) as { history: readonly { readonly data: string }[] };
		const all = history.map(({ data }) => data).join();
		const printed = (child: Child) => child.stdout.trim().split("\n").join();
		for (const child of returning)
			await eventually(
				() => (all.endsWith(printed(child)) && printed(child).endsWith("two") ? true : undefined),
				() => `of ${all} it has printed ${printed(child)}, and said ${child.stderr}`,
			);
		for (const child of started) await child.stop();
	},
	{ needs: ["python3"] },
);

scenario(
	"in a browser each block logs what it says",
	async (scenario) => {
		const place = await startPlace(scenario);
		const page = await startBrowser(scenario);
		for (const [text, channel] of [
			['new WebSocket("ws://127.0.0.1:8080/channels/prices", "sluice-hub.v1");\nsocket', "prices"],
			["new EventSource", "prices"],
			["rooms/42", "rooms/42"],
		] as const) {
			// Any answer of the same host is a page of it.
			await page.open(`http://127.0.0.1:${place.gateway.port()}/channels/`, { width: 400, height: 300 });
			await page.until(`location.pathname === "/channels/" && document.readyState === "complete"`);
			await page.evaluate(
				"globalThis.logged = []; console.log = (...words) => logged.push(words.join(' ')); 0",
			);
			await page.evaluate(`${place.there(withText(text).text)}; 0`);
			await isHeard(place, channel, "42.07", () =>
				page.evaluate("logged.some((line) => line.includes('42.07'))"),
			);
			if (channel !== "rooms/42") continue;
			await page.until(`logged.some((line) => JSON.parse(line).type === "ack")`);
			await page.until(`logged.some((line) => JSON.parse(line).data === "hello")`);
		}
		await page.call("Browser.close");
	},
	{ needs: ["chromium"] },
);

test("its files are good, and no block was left out", () => {
	const files = blocks.filter(({ language }) => language === "yaml");
	for (const { text } of files) assert.deepEqual(loadConfigText(text).warnings, [], text);
	for (const block of files) left.delete(block);
	// Where a program is missing, the runner names what was not run.
	const needed: readonly Program[] = ["chromium", "curl", "python3"];
	if (needed.every((program) => pathOf(program) !== undefined)) assert.deepEqual([...left], []);
});
