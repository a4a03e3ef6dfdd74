/** What docs/handshakes.md tells people to type does what it says: each of its blocks is run, on ports that are free. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Gateway, startGateway } from "../support/gateway.js";
import { type Block, blocksOf, fileOf, workshop } from "../support/guide.js";
import { pathOf } from "../support/needs.js";
import { ROOT } from "../support/pieces.js";
import { Child, run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

const blocks = blocksOf("docs/handshakes.md");
/** Of the page, which each has to be run by one of the tests below. */
const left = new Set(blocks);

function take(fits: (block: Block) => boolean): string {
	const block = blocks.find(fits);
	assert.ok(block !== undefined, "the page has such a block");
	left.delete(block);
	return block.text;
}

const inFile = (name: string) => take((block) => fileOf(block) === name);
const withText = (text: string) => take((block) => block.language === "sh" && block.text.includes(text));

const DOOR = inFile("door.yaml");
const CLIENTS = inFile("clients.sh");
const BURST = inFile("burst.mjs");
const START = withText("sluice run");
const RESUME = withText("sluice listeners resume");
const RUN_BURST = withText("node burst.mjs");
const FILTER = take((block) => block.language === "nft");

test("each block of the page is run here", () => {
	assert.deepEqual([...left], []);
});

interface Place {
	readonly gateway: Gateway;
	readonly there: (text: string) => string;
	readonly sh: (text: string) => Promise<string>;
	readonly home: string;
}

async function startPlace(scenario: Scenario): Promise<Place> {
	const { home, path } = workshop(scenario.directory, []);
	const yaml = DOOR.replaceAll(/(listen|admin): 127\.0\.0\.1:\d+/g, "$1: 127.0.0.1:0");
	const gateway = await startGateway(scenario, yaml);
	const there = (text: string): string =>
		text
			.replaceAll("8080", String(gateway.port()))
			.replaceAll("127.0.0.1:9090", `127.0.0.1:${gateway.adminPort}`);
	writeFileSync(join(home, "door.yaml"), there(DOOR));
	const sh = async (text: string): Promise<string> => {
		const outcome = await run({ path: "/bin/bash" }, ["-euc", there(text)], {
			directory: home,
			env: { PATH: path },
		});
		assert.equal(outcome.status, 0, `${text}\n${outcome.output}`);
		return outcome.stdout;
	};
	return { gateway, there, sh, home };
}

/** The listener's name, where it has a port that was chosen. */
function named(command: string): string {
	return command.replace(/(listeners \w+ )\S+/, "$1127.0.0.1:0");
}

scenario(
	"of 200 clients of a backlog of 128 so many are in, and none is half-open; all come in when they are let",
	async (scenario) => {
		const { gateway, there, sh, home } = await startPlace(scenario);
		const [start = "", wait = "", pause = ""] = START.trim().split("\n");
		assert.match(start, /^sluice run -c door\.yaml > gateway\.log &$/);
		const turns = (await gateway.metrics()).sum("sluice_turns_total");
		await sh(`${wait}\n${named(pause)}`);
		// The command has answered before the reactor has heard of it.
		await gateway.metricIs("sluice_turns_total", (now) => now > turns);
		writeFileSync(join(home, "clients.sh"), there(CLIENTS));
		const clients = new Child("/bin/bash", ["clients.sh"], { directory: home });
		scenario.defer(() => clients.stop("SIGKILL"));
		await clients.printed(/sluice_kernel_syn_received.* \d+\n/);
		const page = readFileSync(join(ROOT, "docs/handshakes.md"), "utf8");
		const [, shown = ""] = /^```\n(LISTEN .*?)^```$/ms.exec(page) ?? [];
		const said = clients.stdout
			.replaceAll(String(gateway.port()), "8080")
			.replaceAll('"127.0.0.1:0"', '"127.0.0.1:8080"');
		const lines = (text: string) => text.split("\n").map((line) => line.trimEnd().replaceAll(/ +/g, " "));
		assert.deepEqual(lines(said), lines(shown));
		await sh(named(RESUME));
		await eventually(
			async () => ((await gateway.metrics()).sum("sluice_accept_queue_depth") === 0 ? true : undefined),
			() => "they still wait",
		);
		await clients.exited;
	},
	{ needs: ["curl", "ss"] },
);

scenario("a burst of 5,000 is served, whoever was dropped a second later", async (scenario) => {
	const { gateway, sh, home } = await startPlace(scenario);
	writeFileSync(join(home, "burst.mjs"), BURST);
	const said = await sh(RUN_BURST.replace("5000", "500"));
	assert.match(said, /^500 connected: \d+ within a second, the last after \d+ ms\n$/);
	assert.ok((await gateway.metrics()).sum("sluice_connections_total") > 0);
});

scenario(
	"nft takes the packet filter as it stands, twice",
	async (scenario) => {
		const file = join(scenario.directory, "syn.nft");
		writeFileSync(file, FILTER);
		const nft = pathOf("nft") ?? "";
		const inside = async (command: string) => run("unshare", ["-rn", "sh", "-ec", command, nft, file]);
		const { status, output } = await inside(
			'"$0" -c -f "$1"; "$0" -f "$1"; "$0" -f "$1"; "$0" list table inet sluice_syn',
		);
		assert.equal(status, 0, output);
		assert.match(output, /update @fast4 .* drop/);
	},
	{ needs: ["nft", "unshare", "network namespaces"] },
);

/** Clients of one address, all at once, and how many of them the filter lets in within a while. */
const CROWD = `
import { spawnSync } from "node:child_process";
import { connect, createServer } from "node:net";
let connected = 0;
const server = createServer((socket) => socket.on("error", () => {})).listen(443, "127.0.0.1", () => {
	for (let index = 0; index < 1_500; index++)
		connect(443, "127.0.0.1", () => connected++).on("error", () => {});
	setTimeout(() => {
		const { stdout } = spawnSync(process.argv[2], ["list", "table", "inet", "sluice_syn"], { encoding: "utf8" });
		const dropped = [...stdout.matchAll(/counter packets (\\d+)/g)].map((match) => Number(match[1]));
		console.log(JSON.stringify({ connected, dropped }));
		process.exit(0);
	}, 700);
});
`;

scenario(
	"the packet filter lets in 400 of one address at once, and drops the others",
	async (scenario) => {
		const [filter, crowd] = ["syn.nft", "crowd.mjs"].map((name) => join(scenario.directory, name));
		writeFileSync(filter ?? "", FILTER);
		writeFileSync(crowd ?? "", CROWD);
		const inside = 'ip link set lo up; "$0" -f "$1"; exec "$2" "$3" "$0"';
		const args = [pathOf("nft") ?? "", filter ?? "", process.execPath, crowd ?? ""];
		const { status, output, stdout } = await run("unshare", ["-rn", "sh", "-ec", inside, ...args]);
		assert.equal(status, 0, output);
		const { connected, dropped } = JSON.parse(stdout) as { connected: number; dropped: number[] };
		// 400, and 200 more each second that this took.
		assert.ok(connected >= 400 && connected < 1_400, `${connected} connected`);
		assert.ok((dropped[0] ?? 0) > 0 && dropped[1] === 0 && dropped[2] === 0, `dropped ${dropped}`);
	},
	{ needs: ["nft", "unshare", "network namespaces"] },
);
