/** What an operator does with the gateway: drains an address, bans a client, has a listener rest, asks what would become of a connection. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type {
	Explanation,
	ListenerStatus,
	SourcesStatus,
	UpstreamStatus,
} from "../../src/admin/operation-view.js";
import { MAIN } from "../../src/rig/gateway.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, echo, type Peer, startUpstream, type Upstream } from "../support/peers.js";
import { type Outcome, run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

async function start(scenario: Scenario): Promise<{ gateway: Gateway; first: Upstream; second: Upstream }> {
	const first = await startUpstream(scenario, echo);
	const second = await startUpstream(scenario, echo);
	const gateway = await startGateway(
		scenario,
		`
timeouts: { idle: 1h }
limits: { bytes_per_second_per_ip: 1GiB }
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { sni: "*.internal", source: 10.0.0.0/8, to: web }
      - { sni: git.example.com, to: web, timeouts: { idle: 3h }, sessions_per_second: 500 }
      - { protocol: ssh, to: reject }
      - { to: web }
upstreams:
  web: { addresses: ["${first.address}", "${second.address}"], balance: least_connections, timeouts: { stall: 2m } }
`,
	);
	return { gateway, first, second };
}

function sluice(gateway: Gateway, ...args: string[]): Promise<Outcome> {
	return run({ path: process.execPath }, [MAIN, ...args, "--admin", `127.0.0.1:${gateway.adminPort}`]);
}

async function asked<Value>(gateway: Gateway, ...args: string[]): Promise<Value> {
	const { status, stdout, stderr } = await sluice(gateway, ...args, "--json");
	assert.equal(status, 0, stderr);
	return JSON.parse(stdout) as Value;
}

async function connected(scenario: Scenario, gateway: Gateway): Promise<Peer> {
	const peer = await dial(scenario, gateway.port());
	peer.socket.write("hello there\n");
	await peer.expect("hello there\n");
	return peer;
}

scenario(
	"an address that is drained gets no new session, and those that it has end by themselves",
	async (scenario) => {
		const { gateway, first, second } = await start(scenario);
		const peers = [await connected(scenario, gateway), await connected(scenario, gateway)];
		const statusOf = async (address: string) => {
			const { upstreams } = await asked<{ upstreams: UpstreamStatus[] }>(gateway, "upstreams");
			const found = upstreams[0]?.addresses.find((each) => each.address === address);
			return [found?.state, found?.sessions];
		};
		assert.deepEqual(
			[await statusOf(first.address), await statusOf(second.address)],
			[
				["up", 1],
				["up", 1],
			],
		);
		const { stdout } = await sluice(gateway, "upstreams", "drain", "web", first.address);
		assert.equal(stdout, "1 address of web gets no new session\n");
		const later = [await connected(scenario, gateway), await connected(scenario, gateway)];
		assert.deepEqual(
			[await statusOf(first.address), await statusOf(second.address)],
			[
				["draining", 1],
				["up", 3],
			],
		);
		for (const peer of [...peers, ...later]) {
			peer.end();
			await peer.rest();
		}
		await eventually(
			async () => (await statusOf(first.address))[1] === 0 || undefined,
			() => "its sessions leave",
		);
		await sluice(gateway, "upstreams", "resume", "web");
		assert.deepEqual(await statusOf(first.address), ["up", 0]);
		const wrong = await sluice(gateway, "upstreams", "drain", "wbe");
		assert.deepEqual([wrong.status, /did you mean "web"/.test(wrong.stderr)], [1, true], wrong.stderr);
	},
);

scenario(
	"an address that is drained is drained by whom it was, whatever its checks find meanwhile",
	async (scenario) => {
		const upstream = await startUpstream(scenario, echo);
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - { listen: 127.0.0.1:0, routes: [{ to: web }] }
upstreams:
  web: { addresses: "${upstream.address}", health: { interval: 100ms, fall: 1, rise: 1 } }
`,
		);
		const status = async () => {
			const { upstreams } = await asked<{ upstreams: UpstreamStatus[] }>(gateway, "upstreams");
			return upstreams[0]?.addresses[0];
		};
		await sluice(gateway, "upstreams", "drain", "web");
		const drained = await status();
		assert.match(drained?.why ?? "", /^drained by /);
		await upstream.close();
		await gateway.logged(({ message }) => message === "an upstream address is down");
		const still = await status();
		assert.deepEqual([still?.state, still?.since, still?.why], ["draining", drained?.since, drained?.why]);
		await sluice(gateway, "upstreams", "resume", "web");
		const down = await status();
		assert.equal(down?.state, "down");
		assert.match(down?.why ?? "", /^a check failed: /);
		await sluice(gateway, "upstreams", "drain", "web");
		await startUpstream(scenario, echo, { port: upstream.port });
		await gateway.logged(({ message }) => message === "an upstream address is up");
		assert.deepEqual(
			[(await status())?.state, /^drained by /.test((await status())?.why ?? "")],
			["draining", true],
		);
		await sluice(gateway, "upstreams", "resume", "web");
		const up = await status();
		assert.deepEqual([up?.state, up?.since, up?.why], ["up", null, null]);
	},
);

scenario(
	"who holds most is found and banned, and may come again when the ban is lifted",
	async (scenario) => {
		const { gateway } = await start(scenario);
		const peers = [await connected(scenario, gateway), await connected(scenario, gateway)];
		const before = await asked<SourcesStatus>(gateway, "sources");
		assert.deepEqual(
			[before.addresses, before.sources, before.bans],
			[1, [{ source: "127.0.0.1", sessions: 2 }], []],
		);
		const { stdout } = await sluice(gateway, "sources", "ban", "127.0.0.0/30", "--for", "1h");
		assert.equal(stdout, "127.0.0.0/30 is shut out for 1h; 2 sessions are being closed\n");
		for (const peer of peers) assert.equal(await peer.over(), "ECONNRESET");
		// It may be reset before this side knows that it is connected.
		const refused = await dial(scenario, gateway.port()).then(
			(peer) => peer.over(),
			({ code }: NodeJS.ErrnoException) => code,
		);
		assert.equal(refused, "ECONNRESET");
		const elsewhere = await dial(scenario, gateway.port(), { localAddress: "127.0.0.9" });
		elsewhere.socket.write("hello");
		await elsewhere.expect("hello");
		assert.deepEqual(
			(await gateway.sessions(3)).map(({ reason }) => reason),
			["banned", "banned", "banned"],
		);
		const [ban] = (await asked<SourcesStatus>(gateway, "sources")).bans;
		assert.equal(ban?.source, "127.0.0.0/30");
		assert.equal((await sluice(gateway, "sources", "unban", "127.0.0.0/30")).status, 0);
		const again = await connected(scenario, gateway);
		assert.equal((await sluice(gateway, "sources", "unban", "127.0.0.0/30")).status, 1);
		for (const peer of [again, elsewhere]) {
			peer.end();
			await peer.rest();
		}
	},
);

scenario(
	"what would become of a connection is told, with why not by earlier routes, and whose deadlines",
	async (scenario) => {
		const { gateway } = await start(scenario);
		const of = async (...args: string[]): Promise<Explanation> => {
			const [found] = (await asked<{ listeners: Explanation[] }>(gateway, "explain", ...args)).listeners;
			assert.ok(found);
			return found;
		};
		const git = await of("--sni", "git.example.com", "--source", "192.0.2.1");
		assert.deepEqual([git.route, git.upstream, git.addresses.length], ["sni=git.example.com", "web", 2]);
		assert.deepEqual(git.passed, [
			{
				route: "sni=*.internal,source=10.0.0.0/8",
				why: ["sni is git.example.com, not *.internal", "source is 192.0.2.1, and not in 10.0.0.0/8"],
			},
		]);
		const due = new Map(git.deadlines.map(({ timeout, value, from }) => [timeout, `${value} by ${from}`]));
		assert.equal(due.get("idle"), "3h by route");
		assert.equal(due.get("stall"), "2m by upstream");
		assert.equal(due.get("connect"), "5s by default");
		assert.deepEqual(git.limits, [
			{ limit: "sessions_per_second", value: "500", from: "route" },
			{ limit: "bytes_per_second_per_ip", value: "1GiB", from: "limits" },
		]);
		const ssh = await of("--protocol", "ssh");
		assert.deepEqual([ssh.route, ssh.upstream], ["protocol=ssh", null]);
		const other = await of("--host", "www.example.com");
		assert.deepEqual(
			[other.route, other.deadlines.find(({ timeout }) => timeout === "idle")?.from],
			["*", "timeouts"],
		);
		const text = (await sluice(gateway, "explain", "--protocol", "ssh")).stdout;
		assert.match(text, /: route protocol=ssh rejects it\n {2}not sni=\*\.internal/);
	},
);

scenario("a listener that rests has who comes wait, and serves them when it goes on", async (scenario) => {
	const { gateway } = await start(scenario);
	const present = await connected(scenario, gateway);
	const paused = await sluice(gateway, "listeners", "pause", "127.0.0.1:0");
	assert.equal(paused.stdout, "127.0.0.1:0 rests: who comes waits in its accept queue\n", paused.stderr);
	const waiting = await dial(scenario, gateway.port());
	waiting.socket.write("hello");
	present.socket.write("still here");
	await present.expect("still here");
	const text = (await sluice(gateway, "status")).stdout;
	assert.match(text, /paused by an operator/);
	assert.equal(waiting.received.length, 0);
	assert.equal((await sluice(gateway, "listeners", "resume", "127.0.0.1:0")).status, 0);
	await waiting.expect("hello");
	for (const peer of [present, waiting]) {
		peer.end();
		await peer.rest();
	}
});

scenario(
	"a listener that rests does so over reloads, and one of its name that comes later does not",
	async (scenario) => {
		const { gateway } = await start(scenario);
		const rests = async () =>
			(await asked<{ listeners: ListenerStatus[] }>(gateway, "listeners")).listeners.map(
				({ rests }) => rests,
			);
		const reload = async (yaml: string, changes: string) => {
			gateway.write(yaml);
			assert.equal((await sluice(gateway, "reload")).stdout, `reloaded\n${changes}`);
		};
		await sluice(gateway, "listeners", "pause", "127.0.0.1:0");
		await reload(gateway.yaml.replace("idle: 1h", "idle: 2h"), "changed: timeouts.idle\n");
		assert.deepEqual(await rests(), [true]);
		const before = gateway.yaml;
		const [one, other] = ["listeners[127.0.0.1:0]", "listeners[127.0.0.2:0]"];
		await reload(before.replace("127.0.0.1:0", "127.0.0.2:0"), `added: ${other}\nremoved: ${one}\n`);
		await reload(before, `added: ${one}\nremoved: ${other}\n`);
		const line = await gateway.logged(({ message, added }) => message === "reloaded" && added?.[0] === one);
		assert.deepEqual([line.removed, line.changed], [[other], []]);
		assert.deepEqual(await rests(), [false]);
		gateway.rebase();
	},
);

scenario("top draws what moves most, as often as it is told to", async (scenario) => {
	const { gateway } = await start(scenario);
	const peer = await connected(scenario, gateway);
	const { status, stdout } = await sluice(gateway, "top", "--count", "1");
	assert.equal(status, 0);
	assert.match(stdout, /1 of \d+ sessions/);
	assert.ok(stdout.includes(peer.name), stdout);
	peer.end();
	await peer.rest();
});

scenario("profiles of any thread are files that DevTools open, and need full rights", async (scenario) => {
	const { gateway } = await start(scenario);
	for (const [profile, thread, has] of [
		["cpu", "main", "nodes"],
		["cpu", "reactor:1", "samples"],
		["heap", "reactor:0", "snapshot"],
	] as const) {
		const out = join(scenario.directory, `${profile}-${thread}`);
		const args = ["debug", profile, "--thread", thread, "--seconds", "1", "--out", out];
		const { status, stderr } = await sluice(gateway, ...args);
		assert.equal(status, 0, stderr);
		assert.ok(has in JSON.parse(readFileSync(out, "utf8")), `${profile} of ${thread}`);
	}
	const none = await sluice(gateway, "debug", "cpu", "--thread", "reactor:9");
	assert.deepEqual([none.status, /there are main, and reactor:0 to reactor:1/.test(none.stderr)], [1, true]);
	// Asked for without the header that names who asks, as a page would.
	const { status } = await fetch(`http://127.0.0.1:${gateway.adminPort}/api/debug/1`, {
		headers: { connection: "close" },
	});
	assert.equal(status, 403);
});

scenario("a reload, the log's level and what is in force are asked for as all else is", async (scenario) => {
	const { gateway } = await start(scenario);
	assert.equal((await sluice(gateway, "reload")).stdout, "reloaded: the file says what it said before\n");
	const asIs = gateway.yaml;
	gateway.write(asIs.replace("idle: 1h", "idle: 1h, connect: 9s").concat("\nwatch: on\n"));
	assert.equal(
		(await sluice(gateway, "reload")).stdout,
		"reloaded\nchanged: timeouts.connect\nneeds a restart: watch\n",
	);
	gateway.write(asIs);
	assert.equal((await sluice(gateway, "reload")).stdout, "reloaded\nchanged: timeouts.connect, watch\n");
	gateway.write(gateway.yaml.replace("idle: 1h", "idle: soon"));
	const refused = await sluice(gateway, "reload");
	assert.equal(refused.status, 1);
	assert.match(refused.stderr, /not reloaded, nothing has changed: .*soon/s);
	const config = await asked<{ timeouts: { idleMs: number }; adminTokens: unknown }>(gateway, "config");
	assert.deepEqual([config.timeouts.idleMs, config.adminTokens], [3_600_000, { full: null, read: null }]);
	assert.deepEqual(await asked(gateway, "certificates"), { certificates: [] });
	const wrong = await sluice(gateway, "log", "verbose");
	assert.deepEqual([wrong.status, /no such level: verbose/.test(wrong.stderr)], [1, true], wrong.stderr);
	assert.equal((await sluice(gateway, "log", "silent")).stdout, "the log's level is silent\n");
	// What operators change is told at every level.
	await gateway.logged((line) => line.log_level === "silent" && line.level === "info");
	assert.equal((await sluice(gateway, "log", "info")).stdout, "the log's level is info\n");
	await gateway.logged((line) => line.log_level === "info");
});
