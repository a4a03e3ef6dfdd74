/** The API against its description: every operation is in it, and every answer is as it says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { askApi, OPERATIONS } from "../../src/admin/api.js";
import { openApi } from "../../src/admin/openapi.js";
import type { Operations } from "../../src/admin/operation-view.js";
import { PARAMETERS } from "../../src/admin/query.js";
import type { EndedSession, LiveSession, SessionDetails } from "../../src/admin/session-view.js";
import { MemoryHub } from "../support/memory-hub.js";
import { TUNNELS } from "./tunnels.js";
import { NO_SESSIONS, viewOf } from "./view.js";

const TIME = "2026-11-29T12:00:00.000Z";
const COMMON = {
	...{ id: 7, listener: "*:443", route: null, protocol: "tls", name: "a.test", source: "127.0.0.1:1" },
	...{
		upstream: "a",
		address: "10.0.0.1:1",
		accepted: TIME,
		secured: null,
		recognized: TIME,
		connected: null,
	},
	...{ bytes_from_client: 1, bytes_to_client: 2 },
} as const;
const LIVE: LiveSession = {
	...COMMON,
	...{ reactor: 0, state: "relaying", age_ms: 1, idle_ms: 0, buffered_bytes: 0 },
};
const TCP = {
	...{ round_trip_ms: 0.1, round_trip_variation_ms: 0.2, retransmits: 0, unacknowledged: 0 },
	congestion_window: 10,
	received_ago_ms: 12,
	sent_ago_ms: 8,
};
const DETAILS: SessionDetails = {
	...LIVE,
	routed: LIVE.recognized,
	dialled: LIVE.connected,
	waits_for_rate_ms: 0,
	deadlines: [{ timeout: "idle", at: TIME, in_ms: 5 }],
	...{ client_tcp: TCP, upstream_tcp: null },
};
const ENDED: EndedSession = { ...COMMON, closed: TIME, reason: "operator" };

const ADDRESS = {
	address: "10.0.0.1:1",
	state: "up",
	since: null,
	why: null,
	weight: 1,
	backup: false,
	sessions: 1,
	max_connections: null,
	failures: 0,
} as const;
const UPSTREAM = { name: "a", addresses: [ADDRESS] };
const OPERATIONS_OF_GATEWAY: Operations = {
	status: () => ({
		...{
			version: "0",
			state: "ready",
			pid: 1,
			started: TIME,
			sessions: 1,
			sessions_max: 9,
			descriptors_max: 20,
		},
		...{ buffered_bytes: 0, memory: { limit_bytes: 1, under_pressure: false, resident_bytes: 1 } },
		reloads: { succeeded: 0, failed: 0 },
		listeners: [{ name: "*:443", port: 443, sessions: 1, queued: 0, rests: false }],
		upstreams: [UPSTREAM],
	}),
	upstreams: () => [UPSTREAM],
	drain: () => 1,
	weigh: () => 1,
	sources: () => ({
		...{ addresses: 1, sources: [{ source: "127.0.0.1", sessions: 1 }] },
		bans: [{ source: "10.0.0.0/8", until: TIME, operator: "test" }],
	}),
	ban: () => 2,
	unban: () => true,
	rest: () => {},
	config: () => ({ listeners: [], upstreams: [] }),
	explain: () => [
		{
			...{
				listener: "*:443",
				route: null,
				passed: [{ route: "*", why: ["no"] }],
				users: null,
				terminated: false,
			},
			...{ answer: null, upstream: null, hub: null, addresses: [ADDRESS], banned: false },
			deadlines: [{ timeout: "idle", value: "10m", from: "default" }],
			limits: [{ limit: "connections", value: "5", from: "route" }],
		},
	],
	setLogLevel: () => {},
	reload: async () => ({ added: [], removed: [], changed: [], needs_restart: [] }),
	profile: () => 1,
	profileText: () => "{}",
};

/** What a question, or a change, has to say. */
const SAID: Readonly<Record<string, string>> = {
	"/api/sessions/close": "protocol=tls",
	"/api/upstreams/drain": "upstream=a",
	"/api/upstreams/resume": "upstream=a&address=10.0.0.1:1",
	"/api/upstreams/weight": "upstream=a&address=10.0.0.1:1&weight=3",
	"/api/sources/ban": "source=10.0.0.0/8&for=1h",
	"/api/sources/unban": "source=10.0.0.0/8",
	"/api/listeners/pause": "listener=*:443",
	"/api/listeners/resume": "listener=*:443",
	"/api/log": "level=debug",
	"/api/debug": "profile=cpu&thread=main&seconds=1",
	"DELETE /api/hub/{channel}": "session=7",
};

const HUB = new MemoryHub();
HUB.subscribe("rooms/42", 7, "alice");
HUB.publish("rooms/42", { data: "hello", key: "greeting" });
HUB.publish("rooms/42", { data: Buffer.from("hello") });

/** What is sent with a message. */
const BODY = { type: "text/plain", read: async () => Buffer.from("hello") };

function spelt(path: string): string {
	return path.replace("{id}", "7").replace("{channel}", "rooms/42");
}

const VIEW = viewOf({
	sessions: () => ({
		census: NO_SESSIONS.census,
		list: () => ({ total: 1, matched: 1, sessions: [LIVE] }),
		details: (id) => (id === 7 ? DETAILS : undefined),
		ended: ({ id }) => (id === 8 ? { matched: 0, sessions: [] } : { matched: 1, sessions: [ENDED] }),
		close: () => 3,
	}),
	operations: () => OPERATIONS_OF_GATEWAY,
	tunnels: () => TUNNELS,
	hub: () => HUB,
	certificates: () => [{ file: "/www.pem", expirySeconds: 1_800_000_000 }],
	checkLedger: async () => ({
		...{ checkedAt: TIME, tookMs: 1, descriptors: 3, kinds: viewOf().descriptors(), discrepancies: [] },
	}),
});

test("a gateway without tunnels says so when it is asked for them", async () => {
	const request = { method: "GET", path: "/api/tunnels", query: new URLSearchParams(), operator: "me" };
	const found = await askApi(viewOf(), request);
	assert.equal(found?.status, 404);
	assert.match(JSON.stringify(found?.value), /takes no agents/);
});

for (const { method, path, answer } of OPERATIONS)
	test(`${method} ${path} answers as its schema says`, async () => {
		const query = new URLSearchParams(SAID[path] ?? SAID[`${method} ${path}`] ?? "");
		const found = await askApi(VIEW, { method, path: spelt(path), query, operator: "test", body: BODY });
		assert.equal(found?.status, 200);
		answer.parse(found.value);
	});

test("every parameter of every operation is taken, described, and refused with another name", async () => {
	for (const { method, path, parameters } of OPERATIONS)
		for (const name of parameters) {
			assert.ok((PARAMETERS[name] ?? "") !== "", `${name} of ${path} is not described`);
			const query = new URLSearchParams({ [`${name}x`]: "1" });
			const request = { method, path: spelt(path), query, operator: "test" };
			const found = await askApi(VIEW, request);
			assert.equal(found?.status, 400);
			assert.match(JSON.stringify(found.value), new RegExp(`unknown parameter .*${name}x`));
		}
});

test("a session that has ended is no live one, and is told where to look", async () => {
	const of = (id: number) =>
		askApi(VIEW, { method: "GET", path: `/api/sessions/${id}`, query: new URLSearchParams(), operator: "" });
	assert.deepEqual(
		[(await of(9))?.status, JSON.stringify((await of(9))?.value).includes("ended at")],
		[404, true],
	);
	assert.deepEqual(
		[(await of(8))?.status, JSON.stringify((await of(8))?.value).includes("nor is it")],
		[404, true],
	);
});

test("the OpenAPI description names all operations, their parameters and their answers", () => {
	const { paths } = openApi() as {
		paths: Record<
			string,
			Record<string, { parameters: { name: string }[]; responses: Record<string, unknown> }>
		>;
	};
	for (const { method, path, parameters } of OPERATIONS) {
		const described = paths[path]?.[method.toLowerCase()];
		const names = described?.parameters.map(({ name }) => name) ?? [];
		for (const name of parameters) assert.ok(names.includes(name), `${name} of ${path}`);
		assert.deepEqual(Object.keys(described?.responses ?? {}), ["200", "default"]);
	}
	assert.equal(
		Object.values(paths).reduce((sum, methods) => sum + Object.keys(methods).length, 0),
		OPERATIONS.length,
	);
});
