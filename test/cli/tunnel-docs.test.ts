/** What docs/tunnels.md says is there is there, and nothing is left out. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Figures } from "../../src/tunnel/agent/figures.js";
import { AGENT_KEYS, TUNNEL_KEYS } from "../../src/tunnel/agent/schema.js";
import { ROOT } from "../support/pieces.js";

const page = readFileSync(`${ROOT}docs/tunnels.md`, "utf8");
const program = readFileSync(`${ROOT}src/cli/program.ts`, "utf8");

test("every key of the file is a flag that the page explains, and the program has no other", () => {
	const section = program.slice(program.indexOf('command("tunnel")'), program.indexOf('command("token")'));
	const flags = [...section.matchAll(/option\("(?:-c, )?--([a-z-]+)/g)].map(([, name = ""]) => name);
	const keys = [...AGENT_KEYS, ...TUNNEL_KEYS].filter(
		(key) => !["tunnels", "http", "tcp", "tls", "udp", "quic"].includes(key),
	);
	assert.deepEqual(
		flags.filter((flag) => flag !== "config").sort(),
		keys.map((key) => key.replaceAll("_", "-")).sort(),
	);
	for (const flag of flags) if (flag !== "config") assert.ok(page.includes(`\`--${flag}`), flag);
});

test("the page names every metric", () => {
	const text = new Figures().page(true, { opening: 0, parked: 0, visitor: 0, requests: 0 });
	for (const [, name = ""] of text.matchAll(/^# TYPE (\S+)/gm)) assert.ok(page.includes(`\`${name}`), name);
});

test("the page names every event", () => {
	const events = readFileSync(`${ROOT}src/tunnel/agent/events.ts`, "utf8");
	for (const [, names = ""] of events.matchAll(/readonly event: ([^;]+);/g))
		for (const [, name = ""] of names.matchAll(/"([a-z_]+)"/g)) assert.ok(page.includes(`\`${name}\``), name);
});
