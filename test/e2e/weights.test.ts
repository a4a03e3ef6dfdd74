/** Addresses of an upstream that are not alike: weights, backups, and how many sessions each may have. */
import assert from "node:assert/strict";
import type { UpstreamStatus } from "../../src/admin/operation-view.js";
import { MAIN } from "../../src/rig/gateway.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, type Peer, startUpstream, type Upstream } from "../support/peers.js";
import { type Outcome, run } from "../support/processes.js";
import { get, head, message, ok } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";

/** `say`: what is said of each address. */
async function start(
	scenario: Scenario,
	say: readonly string[],
	{ reactors = 1, upstream = "" } = {},
): Promise<{ gateway: Gateway; upstreams: Upstream[] }> {
	const upstreams: Upstream[] = [];
	// Says its number, and ends when the client does.
	for (const index of say.keys())
		upstreams.push(
			await startUpstream(scenario, ({ socket }) => {
				socket.write(String(index));
				socket.once("end", () => socket.end());
			}),
		);
	const addresses = upstreams.map(({ address }, index) => `{ address: "${address}"${say[index]} }`);
	const gateway = await startGateway(
		scenario,
		`
reactors: ${reactors}
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: { addresses: [${addresses.join(", ")}]${upstream} } }
`,
	);
	return { gateway, upstreams };
}

async function connected(scenario: Scenario, gateway: Gateway): Promise<{ client: Peer; place: number }> {
	const client = await dial(scenario, gateway.port());
	return { client, place: Number(await client.take(1)) };
}

async function ended(client: Peer): Promise<void> {
	client.end();
	await client.rest();
}

scenario("sessions are shared by weight, and not in bursts", async (scenario) => {
	const { gateway } = await start(scenario, [", weight: 3", ""]);
	const places: number[] = [];
	for (let count = 0; count < 40; count++) {
		const { client, place } = await connected(scenario, gateway);
		places.push(place);
		await ended(client);
	}
	// It begins anywhere in a round, and keeps to it from the second one on.
	assert.ok(Math.abs(places.filter((place) => place === 0).length - 30) <= 2, places.join(""));
	assert.ok(!/0000|11/.test(places.slice(8).join("")), places.join(""));
});

scenario(
	"a backup gets sessions while the others have all that they may, and when they refuse",
	async (scenario) => {
		const { gateway, upstreams } = await start(scenario, [", max_connections: 2", ", backup: true"]);
		const first = await connected(scenario, gateway);
		const second = await connected(scenario, gateway);
		const third = await connected(scenario, gateway);
		assert.deepEqual([first.place, second.place, third.place], [0, 0, 1]);
		await ended(second.client);
		await gateway.metricIs("sluice_upstream_sessions", (count) => count === 1, {
			upstream: "a",
			address: upstreams[0]?.address ?? "",
		});
		const fourth = await connected(scenario, gateway);
		assert.equal(fourth.place, 0);
		for (const { client } of [first, third, fourth]) await ended(client);
		await upstreams[0]?.close();
		const fifth = await connected(scenario, gateway);
		assert.equal(fifth.place, 1);
		await ended(fifth.client);
	},
);

scenario("all reactors together open no more sessions than an address may have", async (scenario) => {
	const { gateway, upstreams } = await start(scenario, [", max_connections: 5", ", max_connections: 3"], {
		reactors: 2,
		upstream: ", balance: least_connections",
	});
	const clients = await Promise.all(Array.from({ length: 24 }, () => dial(scenario, gateway.port())));
	await gateway.metricIs("sluice_sessions_closed_total", (count) => count === 16, {
		reason: "upstream_down",
	});
	assert.deepEqual(
		upstreams.map(({ peers }) => peers.length),
		[5, 3],
	);
	for (const client of clients) client.end();
	await Promise.all(clients.map((client) => client.rest()));
	// All places are free again.
	await gateway.metricIs("sluice_upstream_sessions", (count) => count === 0);
	const again = await connected(scenario, gateway);
	await ended(again.client);
});

scenario("a request finds no address that may have one more, and is answered 503", async (scenario) => {
	const upstream = await startUpstream(scenario);
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: { http: { url: "http://${upstream.address}", max_connections: 1 } } }
`,
	);
	const first = await dial(scenario, gateway.port());
	await first.send(get("/1"));
	const server = await upstream.accepted();
	await head(server);
	const second = await dial(scenario, gateway.port());
	await second.send(get("/2"));
	assert.match((await message(second)).head, /^HTTP\/1\.1 503 /);
	await server.send(ok("one"));
	assert.equal((await message(first)).body, "one");
	// Its connection is idle, and counts no longer.
	await second.send(get("/3"));
	await head(server);
	await server.send(ok("three"));
	assert.equal((await message(second)).body, "three");
	for (const client of [first, second]) await ended(client);
});

scenario(
	"a weight that an operator sets holds at once, and until the file says another one",
	async (scenario) => {
		const { gateway, upstreams } = await start(scenario, ["", ", backup: true, max_connections: 7"]);
		const [first] = upstreams;
		const address = first?.address ?? "";
		const sluice = (...args: string[]): Promise<Outcome> =>
			run({ path: process.execPath }, [
				...[MAIN, "upstreams", ...args],
				...["--admin", `127.0.0.1:${gateway.adminPort}`],
			]);
		const shown = async (): Promise<unknown[]> => {
			const { stdout } = await sluice("--json");
			const { upstreams } = JSON.parse(stdout) as { upstreams: UpstreamStatus[] };
			return (upstreams[0]?.addresses ?? []).map(({ weight, backup, max_connections: most }) => [
				...[weight, backup, most],
			]);
		};
		const spare = [1, true, 7];
		assert.deepEqual(await shown(), [[1, false, null], spare]);
		const set = await sluice("weight", "a", address, "5");
		assert.equal(set.stdout, `${address} of a has weight 5, 1 before\n`, set.stderr);
		assert.deepEqual(await shown(), [[5, false, null], spare]);
		await gateway.hangUp();
		assert.deepEqual(await shown(), [[5, false, null], spare], "the file says what it said before");
		gateway.write(gateway.yaml.replace(`"${address}"`, `"${address}", weight: 2`));
		await gateway.hangUp();
		assert.deepEqual(await shown(), [[2, false, null], spare]);

		for (const [args, said] of [
			[["weight", "a", address, "0"], /weight: at least 1; .*drain/],
			[["weight", "a", address, "257"], /a whole number up to 256/],
			[["weight", "a", "10.0.0.1:1", "2"], /"a" has no address 10\.0\.0\.1:1: there are /],
			[["weight", "b", address, "2"], /there is no upstream "b"/],
			[["weight", "a", address], /sluice upstreams weight UPSTREAM ADDRESS N/],
		] as const) {
			const { status, stderr } = await sluice(...args);
			assert.equal(status, 1, args.join(" "));
			assert.match(stderr, said);
		}
	},
);

scenario("sessions are shared by a weight that was set while the gateway runs", async (scenario) => {
	const { gateway, upstreams } = await start(scenario, ["", ""], { reactors: 2 });
	const set = await run({ path: process.execPath }, [
		...[MAIN, "upstreams", "weight", "a", upstreams[0]?.address ?? "", "3"],
		...["--admin", `127.0.0.1:${gateway.adminPort}`],
	]);
	assert.equal(set.status, 0, set.stderr);
	const places: number[] = [];
	for (let count = 0; count < 40; count++) {
		const { client, place } = await connected(scenario, gateway);
		places.push(place);
		await ended(client);
	}
	// Each reactor goes round for itself, and is two off at most.
	assert.ok(Math.abs(places.filter((place) => place === 0).length - 30) <= 4, places.join(""));
});

scenario("what is said of a name holds for each of its addresses", async (scenario) => {
	const upstream = await startUpstream(scenario, ({ socket }) => {
		socket.once("end", () => socket.end());
	});
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: { addresses: { address: "localhost:${upstream.port}", max_connections: 1 } } }
`,
	);
	const first = await dial(scenario, gateway.port());
	await first.send("x");
	await upstream.accepted();
	const second = await dial(scenario, gateway.port());
	assert.equal(await second.rest(), "");
	second.end();
	assert.equal((await gateway.sessionOf(second)).address, null);
	await ended(first);
});
