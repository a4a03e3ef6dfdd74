/** What the doctor makes of tunnels and of the hub. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Case, findingsOf, lineOf, one, PLAIN, toDo } from "./machine.js";

const GIB = 1_073_741_824;
const KEY = "kDHCDoIsa0cXLjlRXO5jr7uPu913jCo34lbFr3lDrUk";

function tunnels(more: string, names = "[app, api]"): string {
	return `
tunnels:
  listen: 127.0.0.1:4443
  insecure: true
  domain: t.test
  ${more}
  agents: [{ id: a, public_key: ${KEY}, names: ${names} }]
listeners: [{ listen: "0.0.0.0:443", routes: [{ to: tunnels }] }]
`;
}

function hub(more = ""): string {
	return `
hub: { ${more}channels: [{ match: news, subscribe: public }] }
listeners: [{ listen: "0.0.0.0:80", routes: [{ path: /channels/, to: hub }] }]
`;
}

const ofTunnels = (given: Case): string => lineOf(one(given, "tunnels.lines"));

test("without tunnels and without a hub nothing is said of them", () => {
	const ids = findingsOf({ yaml: PLAIN }).map(({ id }) => id);
	assert.deepEqual(
		ids.filter((id) => id.startsWith("tunnels.") || id.startsWith("hub.")),
		[],
	);
});

test("lines of all names together are held against the sessions that there is room for", () => {
	assert.equal(
		ofTunnels({ yaml: tunnels("lines: 8"), connections: 10_000 }),
		"fine tunnels.lines | agents may open 2 names, whose tunnels park 8 lines each, 64 at most: 16 to 128 lines | - | -",
	);
	// As many as there may be, when many visitors come.
	assert.equal(
		ofTunnels({ yaml: tunnels("lines_max: 1024"), connections: 1_000 }),
		"advice tunnels.lines | agents may open 2 names, whose tunnels park 8 lines each, 1,024 at most: 16 to 2,048 lines, where there is room for 1,000 sessions | - | sluice.yaml: tunnels: { lines_max: 500 }",
	);
	// As many as there are, when nobody comes.
	assert.equal(
		ofTunnels({ yaml: tunnels("lines: 64"), connections: 100 }),
		"fails tunnels.lines | agents may open 2 names, whose tunnels park 64 lines each, 64 at most: 128 to 128 lines, where there is room for 100 sessions | - | sluice.yaml: tunnels: { lines: 25 }",
	);
	// Nobody says how many sessions: what descriptors allow.
	const few = { "open files": { soft: 1_024, hard: 1_024 } };
	assert.match(
		ofTunnels({ yaml: tunnels("lines: 256\n  lines_max: 256"), limits: few }),
		/^fails .* room for \d+ sessions/,
	);
});

test("more sessions than one channel may have subscribers is advised against, and fewer descriptors are a note", () => {
	const few = "limits: { subscribers_per_channel: 100 }, ";
	assert.deepEqual(
		toDo({ yaml: hub(few), connections: 1_000 }).filter((line) => line.includes(" hub.")),
		[
			"advice hub.subscribers | a channel may have 100 subscribers, and 1,000 sessions are asked for: not all of them can be in one channel | - | sluice.yaml: hub: { limits: { subscribers_per_channel: 1000 } }",
		],
	);
	assert.equal(one({ yaml: hub(few), connections: 100 }, "hub.subscribers").level, "fine");
	const narrow = { "open files": { soft: 1_024, hard: 1_024 } };
	const noted = one({ yaml: hub(), limits: narrow }, "hub.subscribers");
	assert.equal(noted.level, "note");
	assert.match(noted.found, /descriptors allow \d+ sessions/);
});

test("the log of messages must fit beside what sessions may hold", () => {
	const at = (availableBytes: number, memory: string) =>
		one(
			{ yaml: hub(`memory: ${memory}, `), facts: { memoryBytes: availableBytes, availableBytes } },
			"hub.memory",
		);
	assert.equal(at(4 * GIB, "64MiB").level, "fine");
	const tight = at(GIB, "768MiB");
	assert.equal(tight.level, "advice");
	assert.match(tight.keep?.text ?? "", /^hub: \{ memory: \d+MiB \}$/);
	// With what is advised there is nothing to advise any more.
	const [, megabytes = ""] = /memory: (\d+MiB)/.exec(tight.keep?.text ?? "") ?? [];
	assert.equal(at(GIB, megabytes).level, "fine");
	assert.equal(at(GIB, "1GiB").level, "fails");
});
