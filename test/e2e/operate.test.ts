/** What an operator does with sessions: finds them, looks at one, learns why one ended, closes one or all that fit. */
import assert from "node:assert/strict";
import { request } from "node:http";
import type {
	EndedListing,
	EndedSession,
	Listing,
	LiveSession,
	SessionDetails,
} from "../../src/admin/session-view.js";
import { MAIN } from "../../src/rig/gateway.js";
import { datagramEcho, datagramPeer } from "../support/datagrams.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, echo, type Peer, startUpstream } from "../support/peers.js";
import { type Outcome, run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { dialTls, entry, identity } from "../support/tls.js";
import { eventually } from "../support/waiting.js";

const SSH = "SSH-2.0-test\r\n";
const GET = "GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n";

async function start(scenario: Scenario): Promise<Gateway> {
	const { address } = await startUpstream(scenario, echo);
	return startGateway(
		scenario,
		`
timeouts: { idle: 1h, lifetime: 10h }
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { protocol: ssh, to: a }
      - { host: www.example.com, to: a, timeouts: { idle: 2h } }
upstreams: { a: "${address}" }
`,
	);
}

async function greeted(scenario: Scenario, gateway: Gateway, words: string): Promise<Peer> {
	const peer = await dial(scenario, gateway.port());
	peer.socket.write(words);
	await peer.expect(words);
	return peer;
}

interface Asked {
	readonly status: number;
	readonly value: unknown;
}

function ask(
	gateway: Gateway,
	path: string,
	{ method = "GET", headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Asked> {
	return new Promise((resolve, reject) => {
		const asked = request(
			{ host: "127.0.0.1", port: gateway.adminPort, path, method, headers, agent: false },
			(response) => {
				let text = "";
				response.setEncoding("utf8").on("data", (part: string) => {
					text += part;
				});
				response.on("end", () => resolve({ status: response.statusCode ?? 0, value: JSON.parse(text) }));
			},
		);
		asked.on("error", reject);
		asked.end();
	});
}

const OPERATOR = { "sluice-operator": "test" };

function sluice(gateway: Gateway, ...args: string[]): Promise<Outcome> {
	return run({ path: process.execPath }, [MAIN, ...args, "--admin", `127.0.0.1:${gateway.adminPort}`]);
}

scenario("sessions are found by what is known of them, and one is told whole", async (scenario) => {
	const gateway = await start(scenario);
	const ssh = await greeted(scenario, gateway, SSH);
	const http = await greeted(scenario, gateway, GET);
	const listed = async (query: string): Promise<Listing> => {
		const { status, value } = await ask(gateway, `/api/sessions?${query}`);
		assert.equal(status, 200, JSON.stringify(value));
		return value as Listing;
	};
	const all = await listed("");
	assert.deepEqual([all.total, all.matched], [2, 2]);
	for (const [query, peer] of [
		["protocol=ssh", ssh],
		["name=www.example.com", http],
		["name=*.example.com&upstream=a&state=relaying", http],
		["route=protocol%3Dssh&source=127.0.0.0/8&max_age=1h", ssh],
		["sort=bytes&limit=1", http],
		["sort=bytes&order=asc&limit=1", ssh],
		["sort=age&limit=1", ssh],
	] as const)
		assert.deepEqual(
			(await listed(query)).sessions.map(({ source }) => source),
			[peer.name],
			query,
		);
	for (const query of ["source=10.0.0.0/8", "min_age=1h", "name=other.example", "state=dialling"])
		assert.equal((await listed(query)).matched, 0, query);

	const [{ id } = { id: -1 }] = (await listed("protocol=http")).sessions;
	const { value } = await ask(gateway, `/api/sessions/${id}`);
	const details = value as SessionDetails;
	assert.deepEqual(
		[details.name, details.state, details.bytes_from_client, details.bytes_to_client, details.buffered_bytes],
		["www.example.com", "relaying", GET.length, GET.length, 0],
	);
	const due = new Map(details.deadlines.map(({ timeout, in_ms }) => [timeout, in_ms]));
	assert.deepEqual([...due.keys()], ["idle", "lifetime"], "its route's idle comes first");
	assert.ok(Math.abs((due.get("idle") ?? 0) - 7_200_000) < 60_000, `${due.get("idle")}`);
	assert.ok((details.client_tcp?.round_trip_ms ?? 0) > 0);
	assert.ok((details.upstream_tcp?.round_trip_ms ?? 0) > 0);
});

scenario("when TLS was terminated, each answer says when its handshake ended", async (scenario) => {
	const { address } = await startUpstream(scenario, echo);
	const own = identity(scenario, "www.example.com");
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(own, ["www.example.com"])}]
    routes: [{ host: www.example.com, to: a }, { protocol: ssh, to: a }]
upstreams: { a: "${address}" }
`,
	);
	const only = async (query: string): Promise<LiveSession> => {
		const { value } = await ask(gateway, `/api/sessions?${query}`);
		const [session] = (value as Listing).sessions;
		assert.ok(session, JSON.stringify(value));
		return session;
	};
	const client = await dialTls(scenario, gateway.port(), "www.example.com");
	// It has said nothing inside.
	const silent = await eventually(
		async () => {
			const session = await only("");
			return session.secured !== null && session.state === "recognizing" ? session : undefined;
		},
		() => "the handshake is over",
	);
	assert.equal(silent.recognized, null);
	await client.send(GET);
	await client.expect(GET);
	const ssh = await greeted(scenario, gateway, SSH);
	assert.equal((await only("protocol=ssh")).secured, null);

	const live = await only("protocol=http");
	const times = [live.accepted, live.secured, live.recognized, live.connected];
	// Each answer looks at both clocks anew, so that times of two answers may differ.
	const tookMs = ({ accepted, secured }: { accepted: string; secured?: string | null }): number =>
		Date.parse(secured ?? "") - Date.parse(accepted);
	const isSame = (told: Parameters<typeof tookMs>[0] | undefined): boolean =>
		told !== undefined && Math.abs(tookMs(told) - tookMs(live)) <= 1;
	assert.ok(isSame(silent), JSON.stringify([silent, live]));
	assert.deepEqual([...times].sort(), times);
	const why = await sluice(gateway, "why", String(live.id));
	assert.match(
		why.stdout,
		/\naccepted .*\nsecured +\S+Z {2}\+\d+\S*\nrecognized .* http www\.example\.com\n/,
	);
	client.end();
	await client.rest();
	const logged = await gateway.sessionOf(client);
	const { value } = await ask(gateway, `/api/ended?id=${live.id}`);
	const [ended] = (value as { sessions: EndedSession[] }).sessions;
	assert.ok(isSame(logged) && isSame(ended), JSON.stringify([logged, ended, live]));
	ssh.end();
	await ssh.rest();
	assert.equal("secured" in (await gateway.sessionOf(ssh)), false);
});

scenario("one session is closed by its number, and all others go on", async (scenario) => {
	const gateway = await start(scenario);
	const ssh = await greeted(scenario, gateway, SSH);
	const http = await greeted(scenario, gateway, GET);
	const listed = await sluice(gateway, "sessions", "--protocol", "ssh", "--json");
	const [session] = (JSON.parse(listed.stdout) as Listing).sessions;
	assert.ok(session);
	const closed = await sluice(gateway, "close", String(session.id));
	assert.deepEqual([closed.status, closed.stdout], [0, "1 session is being closed\n"], closed.stderr);
	// What was cut within a second of its last byte must not look complete.
	assert.match(await ssh.over(), /^(ECONNRESET|ended)$/);
	assert.equal((await gateway.onlySession()).reason, "operator");
	http.socket.write("still there");
	await http.expect("still there");

	const why = await sluice(gateway, "why", String(session.id));
	assert.match(
		why.stdout,
		/^session +\d+ has ended\nreason +operator\n +An operator closed it.*\nwhat to do +Nothing/,
	);
	const { value } = await ask(gateway, `/api/ended?id=${session.id}`);
	const [ended] = (value as { sessions: EndedSession[] }).sessions;
	assert.deepEqual(
		[ended?.reason, ended?.source, ended?.route, ended?.bytes_from_client],
		["operator", ssh.name, "protocol=ssh", SSH.length],
	);
	const again = await sluice(gateway, "close", String(session.id));
	assert.deepEqual([again.status, again.stdout], [1, ""]);
	assert.match(again.stderr, /there is no session \d+, or none any more/);
	const line = gateway.log.find(({ message }) => message === "an operator closes sessions");
	assert.match(JSON.stringify(line), /"operator":"[^"]+ \(127\.0\.0\.1\)","filter":"id=\d+","closing":1/);
	http.socket.end();
	await gateway.sessionOf(http);
	const part = async (query: string): Promise<readonly [number, ...number[]]> => {
		const { matched, sessions } = (await ask(gateway, `/api/ended?${query}`)).value as EndedListing;
		return [matched, ...sessions.map(({ id }) => id)];
	};
	const [matched, ...ids] = await part("limit=100");
	assert.equal(matched, ids.length);
	assert.deepEqual(await part("limit=1&offset=1"), [matched, ids[1]]);
	assert.deepEqual(await part(`offset=${matched}`), [matched]);
});

scenario("sessions of datagrams are found, looked at and closed as others are", async (scenario) => {
	const upstream = await datagramEcho(scenario);
	const gateway = await startGateway(
		scenario,
		`
listeners: [{ listen: 127.0.0.1:0/udp, timeouts: { idle: 1h, lifetime: 9h }, routes: [{ protocol: other, to: a }] }]
upstreams: { a: { udp: 127.0.0.1:${upstream.port} } }
`,
	);
	const client = await datagramPeer(scenario);
	client.send("\0", gateway.port());
	await client.next();
	const listed = await ask(gateway, "/api/sessions?protocol=other&state=relaying&upstream=a");
	const { sessions, total } = listed.value as Listing;
	const [session] = sessions;
	assert.deepEqual([total, session?.source, session?.state], [1, `127.0.0.1:${client.port}`, "relaying"]);
	const { value } = await ask(gateway, `/api/sessions/${session?.id}`);
	const { deadlines, client_tcp, upstream_tcp } = value as SessionDetails;
	assert.deepEqual(
		[deadlines.map(({ timeout }) => timeout), client_tcp, upstream_tcp],
		[["idle", "lifetime"], null, null],
	);
	const shown = await sluice(gateway, "why", String(session?.id));
	assert.match(shown.stdout, /ends next by +idle, in (1h|59m)/);
	const closed = await ask(gateway, "/api/sessions/close?protocol=other", {
		method: "POST",
		headers: OPERATOR,
	});
	assert.deepEqual([closed.status, closed.value], [200, { closing: 1 }]);
	assert.equal((await gateway.onlySession()).reason, "operator");
});

scenario("all that fit a filter are closed, and nothing is without one", async (scenario) => {
	const gateway = await start(scenario);
	const leaving = await Promise.all(Array.from({ length: 50 }, () => greeted(scenario, gateway, SSH)));
	const staying = await greeted(scenario, gateway, GET);
	const refused = await sluice(gateway, "close");
	assert.equal(refused.status, 1);
	assert.match(refused.stderr, /would close every session/);
	const { status, value } = await ask(gateway, "/api/sessions/close?protocol=ssh", {
		...{ method: "POST", headers: OPERATOR },
	});
	assert.deepEqual([status, value], [200, { closing: 50 }]);
	await Promise.all(leaving.map((peer) => peer.over()));
	assert.deepEqual(new Set((await gateway.sessions(50)).map(({ reason }) => reason)), new Set(["operator"]));
	staying.socket.write("still there");
	await staying.expect("still there");
	const ended = await sluice(gateway, "ended", "--reason", "operator", "--limit", "3");
	assert.equal(ended.stdout.split("\n").length, 5, ended.stdout);
});

scenario(
	"no page of a browser can change anything, and a wrong question is told what is wrong",
	async (scenario) => {
		const gateway = await start(scenario);
		const ssh = await greeted(scenario, gateway, SSH);
		const path = "/api/sessions/close?protocol=ssh";
		const host = `127.0.0.1:${gateway.adminPort}`;
		for (const [what, expected, options] of [
			["a link", 405, { method: "GET" }],
			["a form", 403, { method: "POST" }],
			[
				"a script of another site",
				403,
				{ method: "POST", headers: { ...OPERATOR, origin: "http://evil.example" } },
			],
			["a name of another site", 403, { method: "POST", headers: { ...OPERATOR, host: "evil.example" } }],
			["null, as of a sandbox", 403, { method: "POST", headers: { ...OPERATOR, origin: "null" } }],
		] as const)
			assert.equal((await ask(gateway, path, options).catch(() => ({ status: 403 }))).status, expected, what);
		for (const [path, words] of [
			["/api/sessions?protocl=ssh", /unknown parameter "protocl"; did you mean "protocol"/],
			["/api/sessions?source=10.0.0", /^source: /],
			["/api/sessions?min_age=10", /^min_age: /],
			["/api/sessions?limit=20000", /^limit: expected a whole number up to 10000/],
			["/api/sessions?state=relay", /^state: unknown "relay"/],
			["/api/ended?state=relaying", /unknown parameter "state"/],
			["/api/sessions/4711", /no session 4711/],
			["/api/session", /not found; there are /],
		] as const) {
			const { status, value } = await ask(gateway, path);
			assert.ok(status === 400 || status === 404, path);
			assert.match((value as { error: string }).error, words);
		}
		ssh.socket.write("still there");
		await ssh.expect("still there");
		const own = { method: "POST", headers: { ...OPERATOR, origin: `http://${host}`, host } };
		assert.equal((await ask(gateway, path, own)).status, 200);
		await ssh.over();
		await eventually(
			async () => ((await ask(gateway, "/api/sessions")).value as Listing).total === 0 || undefined,
			() => "no session",
		);
	},
);
