/** Operators and the hub: the commands of docs/operations.md do what it says, and what they publish comes to subscribers. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ChannelDetails } from "../../src/admin/hub-view.js";
import { MAIN } from "../../src/rig/gateway.js";
import { EventStream } from "../admin/events.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { ROOT } from "../support/pieces.js";
import { type Outcome, run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

const page = readFileSync(`${ROOT}docs/operations.md`, "utf8");
const section = page.slice(page.indexOf("### Publishing and subscribing"), page.indexOf("### Who may"));

function blockOf(language: string): string {
	const [, text] = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "ms").exec(section) ?? [];
	assert.ok(text !== undefined, `the page has a block of ${language}`);
	return text;
}

/** The page's configuration, on ports that are free. */
async function startAsWritten(scenario: Scenario): Promise<Gateway> {
	const yaml = blockOf("yaml")
		.replace("127.0.0.1:8080", "127.0.0.1:0")
		.replace(/^admin: .*\n/m, "");
	return startGateway(scenario, yaml);
}

scenario(
	"the page's commands run as they stand there, and tell of the last two messages",
	async (scenario) => {
		const gateway = await startAsWritten(scenario);
		const programs = join(scenario.directory, "bin");
		mkdirSync(programs);
		writeFileSync(join(programs, "sluice"), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
		chmodSync(join(programs, "sluice"), 0o755);
		const onPort = (text: string): string =>
			text.replaceAll("127.0.0.1:9090", `127.0.0.1:${gateway.adminPort}`);
		writeFileSync(join(scenario.directory, "sluice.yaml"), onPort(blockOf("yaml")));
		const { status, stdout, stderr } = await run("sh", ["-euc", onPort(blockOf("sh"))], {
			directory: scenario.directory,
			env: { PATH: `${programs}:${process.env["PATH"]}` },
		});
		assert.deepEqual([status, stderr], [0, ""]);
		const printed = [
			...stdout.matchAll(/^\{"channel":"prices","id":"[^"]+","key":"ACME","data":"(.*)"\}$/gm),
		];
		assert.deepEqual(
			printed.map(([, data]) => data),
			["42.30", "42.10"],
		);
		assert.match(stdout, /^prices +prices +conflate +0 +4 +4 /m);
		const { history } = JSON.parse(stdout.slice(stdout.lastIndexOf("\n{\n"))) as ChannelDetails;
		assert.deepEqual(
			history?.map(({ data }) => data),
			["42.30", "42.10"],
		);
	},
	{ needs: ["curl"] },
);

scenario(
	"what is published from the shell comes to subscribers, until one is unsubscribed",
	async (scenario) => {
		const gateway = await startAsWritten(scenario);
		const sluice = (args: readonly string[], input = ""): Promise<Outcome> =>
			run({ path: process.execPath }, [MAIN, ...args, "--admin", `127.0.0.1:${gateway.adminPort}`], {
				input,
			});
		const events = await EventStream.open(gateway.port(), "/channels/prices", {
			accept: "text/event-stream",
		});
		scenario.defer(async () => events.close());
		assert.equal((await events.next()).type, "subscribed");
		const lines = Array.from({ length: 40 }, (_, index) => `${index}`);
		assert.equal((await sluice(["publish", "prices"], lines.join("\n"))).status, 0);
		for (const line of lines) assert.equal((await events.next()).data["data"], line);
		const { stdout } = await sluice(["sessions", "--json"]);
		const [{ id } = { id: -1 }] = (JSON.parse(stdout) as { sessions: { id: number }[] }).sessions;
		assert.equal((await sluice(["unsubscribe", "prices", String(id)])).status, 0);
		assert.equal((await events.next()).type, "unsubscribed");
		// It can ask for no other channel.
		const last = await events.next();
		assert.deepEqual([last.type, last.data["code"]], ["end", 4410]);
		const again = await sluice(["unsubscribe", "prices", String(id)]);
		assert.deepEqual([again.status, again.stdout], [1, ""]);
		await eventually(
			async () =>
				(JSON.parse((await sluice(["sessions", "--json"])).stdout) as { total: number }).total === 0 ||
				undefined,
			() => "the session ends",
		);
	},
);

scenario(
	"a follower is told when a reload takes its channel, and when the gateway ends, which waits for nobody",
	async (scenario) => {
		const yaml = (channels: string): string => `
timeouts: { drain: 1h }
hub: { channels: [${channels}] }
listeners: [{ listen: 127.0.0.1:0, routes: [{ path: /channels/, to: hub }] }]
`;
		const prices = "{ match: prices, subscribe: public }";
		const rooms = "{ match: rooms/*, subscribe: public }";
		const gateway = await startGateway(scenario, yaml(`${prices}, ${rooms}`), { own: "it is ended" });
		const follow = (channel: string): Promise<EventStream> =>
			EventStream.open(gateway.adminPort, `/api/hub/${channel}?follow=1`);
		const taken = await follow("prices");
		const kept = await follow("rooms/42");
		for (const stream of [taken, kept]) assert.equal((await stream.next()).type, "subscribed");
		gateway.write(yaml(rooms));
		assert.equal((await gateway.hangUp()).message, "reloaded");
		const { type, data } = await taken.next();
		assert.deepEqual([type, data["code"]], ["end", 1_001]);
		assert.match(String(data["reason"]), /configuration/);
		await taken.ended;
		await assert.rejects(follow("prices"), /404/);
		gateway.child.signal("SIGTERM");
		assert.equal((await kept.next()).type, "end");
		await kept.ended;
		assert.equal(await gateway.exit(), 0);
	},
);
