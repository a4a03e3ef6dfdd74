/** `sluice tunnel` as a process: flags and file, what it prints, how it ends, and that nothing of it stays open. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MAIN } from "../../src/rig/gateway.js";
import { readToken } from "../../src/tunnel/keys.js";
import { descriptorsOf, difference } from "../support/descriptors.js";
import { echo, LOOPBACK, startUpstream } from "../support/peers.js";
import { Child, run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { startTunnelGateway, type TunnelGateway, visitorHeader } from "../support/tunnel-gateway.js";
import { eventually } from "../support/waiting.js";
import { imported, WITHOUT_KOFFI } from "../support/without-koffi.js";

interface Told {
	readonly event: string;
	readonly [field: string]: unknown;
}

/** Runs until the scenario ends. */
function agent(
	scenario: Scenario,
	gateway: TunnelGateway,
	args: readonly string[],
	{ flags = [], env = {} }: { flags?: readonly string[]; env?: Readonly<Record<string, string>> } = {},
): Child {
	const environment = { SLUICE_TOKEN: gateway.token, ...env };
	const child = new Child(process.execPath, [...flags, MAIN, "tunnel", ...args], { env: environment });
	scenario.defer(() => child.stop("SIGKILL"));
	return child;
}

function known(gateway: TunnelGateway, host = LOOPBACK): string[] {
	return ["--gateway", `${host}:${gateway.port}`, "--fingerprint", gateway.fingerprint, "--name", "app"];
}

/** Waits for an event, and returns its line. */
async function told(child: Child, event: string): Promise<Told> {
	const [line] = await child.printed(new RegExp(`^\\{.*"event":"${event}".*\\}$`, "m"));
	return JSON.parse(line) as Told;
}

/** Waits until the process has no more open than before. */
function atBaseline(child: Child, before: readonly string[]): Promise<true> {
	return eventually(
		() => (difference(before, descriptorsOf(child.pid), 0) === "" ? true : undefined),
		() => difference(before, descriptorsOf(child.pid), 0),
	);
}

scenario(
	"it serves visitors, tells of them in lines of JSON, and gives back all that it held",
	async (scenario) => {
		const gateway = await startTunnelGateway(scenario);
		const local = await startUpstream(scenario, echo);
		const child = agent(scenario, gateway, [
			...["tcp", String(local.port), ...known(gateway), "--admin", "127.0.0.1:0", "--allow", "10.0.0.0/8"],
		]);
		const { session, open } = await gateway.opened();
		assert.deepEqual([open.kind, open.name, open.allow], ["tcp", "app", ["10.0.0.0/8"]]);
		assert.equal((await told(child, "connected"))["epoch"], 1);
		assert.deepEqual((await told(child, "tunnel_opened"))["addresses"], ["app.example.com"]);
		const before = descriptorsOf(child.pid);

		const lines = await Promise.all([1, 2, 3, 4].map(() => session.line(open.tunnel)));
		for (const visitor of lines) {
			await visitor.send(Buffer.concat([visitorHeader(), Buffer.from("hello")]));
			await visitor.expect("hello");
		}
		const [first, second, third, fourth] = lines;
		first?.end();
		assert.equal(await first?.rest(), "");
		const { source, reason, bytes_from_visitor } = await told(child, "visitor_ended");
		assert.deepEqual([source, reason, bytes_from_visitor], ["203.0.113.7:53496", "client_closed", 5]);
		second?.socket.destroy();
		(await local.accepted(2)).reset();
		await third?.over();
		third?.end();
		(await local.accepted(3)).end();
		assert.equal(await fourth?.rest(), "");
		fourth?.end();
		await atBaseline(child, before);

		child.signal("SIGTERM");
		assert.equal(await child.exited, 0);
		assert.equal((await told(child, "ended"))["why"], "SIGTERM");
		assert.equal(child.stderr, "");
	},
);

scenario("asked to end, it drains its visitors; asked twice, it ends at once", async (scenario) => {
	const gateway = await startTunnelGateway(scenario);
	const local = await startUpstream(scenario, echo);
	for (const twice of [false, true]) {
		const child = agent(scenario, gateway, ["tcp", String(local.port), ...known(gateway)]);
		const { session, open } = await gateway.opened(gateway.sessions.length);
		const visitor = await session.line(open.tunnel);
		await visitor.send(Buffer.concat([visitorHeader(), Buffer.from("a")]));
		await visitor.expect("a");
		child.signal("SIGINT");
		await told(child, "draining");
		await visitor.send("b");
		await visitor.expect("b");
		if (twice) child.signal("SIGINT");
		else visitor.end();
		assert.equal(await child.exited, twice ? 130 : 0);
		visitor.socket.destroy();
	}
});

scenario("a gateway that is killed and comes back has it again, with nothing left over", async (scenario) => {
	const gateway = await startTunnelGateway(scenario);
	const child = agent(scenario, gateway, ["tls", "8443", ...known(gateway), "--retry-max", "500ms"]);
	const { session, open } = await gateway.opened();
	await told(child, "tunnel_opened");
	const before = descriptorsOf(child.pid);
	await session.line(open.tunnel);
	await gateway.kill();
	assert.equal((await told(child, "disconnected"))["retry_in_ms"], 0);
	await child.printed(/ECONNREFUSED/);
	// Its own connection is gone as well.
	await eventually(
		() => (descriptorsOf(child.pid).length === before.length - 1 ? true : undefined),
		() => descriptorsOf(child.pid).join(" "),
	);
	await gateway.listen();
	const again = await gateway.opened(gateway.sessions.length);
	assert.equal(again.open.name, "app");
	await eventually(
		() => (descriptorsOf(child.pid).length === before.length ? true : undefined),
		() => descriptorsOf(child.pid).join(" "),
	);
});

scenario(
	"stopped for longer than its gateway is patient, it connects anew when it goes on",
	async (scenario) => {
		const deadAfterMs = 200;
		const gateway = await startTunnelGateway(scenario, { heartbeatMs: 50, deadAfterMs });
		const child = agent(scenario, gateway, ["tls", "8443", ...known(gateway)]);
		const { session } = await gateway.opened();
		await session.hear("ping");
		child.signal("SIGSTOP");
		// What came last before may have been a pong, which is heard when it goes on.
		session.silent = true;
		await sleep(2 * deadAfterMs);
		child.signal("SIGCONT");
		assert.match(
			String((await told(child, "disconnected"))["why"]),
			/nothing was heard from the gateway for 0.2 s/,
		);
		await gateway.opened(1);
	},
);

scenario(
	"refused for good it ends with 1; with flags that cannot be followed, 2 and what is wrong",
	async (scenario) => {
		const gateway = await startTunnelGateway(scenario, {
			answer: ({ tunnel }) => ({
				...{ type: "refused_tunnel", tunnel, code: "name", message: "laptop may not open app", final: true },
			}),
		});
		const refused = agent(scenario, gateway, ["http", "3000", ...known(gateway)]);
		assert.equal(await refused.exited, 1);
		assert.equal((await told(refused, "tunnel_refused"))["why"], "laptop may not open app");
		assert.equal((await told(refused, "ended"))["status"], 1);

		const bad: readonly (readonly [readonly string[], RegExp])[] = [
			[["http", "3000"], /--gateway: expected.*\n--name: expected/],
			[["-c", "/nowhere.yaml"], /no such file/],
			[["tcp", "22", ...known(gateway), "--token", "x"], /unknown option '--token'/],
		];
		await Promise.all(
			bad.map(async ([args, message]) => {
				const child = agent(scenario, gateway, args);
				assert.equal(await child.exited, 2, args.join(" "));
				assert.match(child.stderr, message, args.join(" "));
			}),
		);
	},
);

scenario(
	"a file has many tunnels; SIGHUP reads it again, and what is wrong with it has a place",
	async (scenario) => {
		const gateway = await startTunnelGateway(scenario);
		const file = join(scenario.directory, "tunnels.yaml");
		writeFileSync(join(scenario.directory, "token"), `${gateway.token}\n`);
		const head = `gateway: 127.0.0.1:${gateway.port}\ntoken_file: token\nfingerprint: "${gateway.fingerprint}"\ntunnels:\n`;
		writeFileSync(file, `${head}  - { name: app, http: 3000 }\n  - { name: ssh, tcp: 22, plain: true }\n`);
		const child = agent(scenario, gateway, ["-c", file], { env: { SLUICE_TOKEN: "" } });
		const { session, open } = await gateway.opened();
		assert.deepEqual([open.name, (await session.hear("open")).name], ["app", "ssh"]);
		await child.printed(/"tunnel":"ssh"/);

		writeFileSync(file, `${head}  - { name: app, htp: 3000, port: many }\n`);
		child.signal("SIGHUP");
		const why = String((await told(child, "reload_failed"))["why"]);
		assert.match(why, /tunnels\.yaml:5:18: unknown key "htp"; did you mean "http"\?/);
		assert.match(why, /tunnels\.yaml:5:35: expected a whole number from 1 to 65535, found "many"/);
		writeFileSync(file, `${head}  - { name: app, http: 3000 }\n  - { name: web, tls: 443 }\n`);
		child.signal("SIGHUP");
		assert.equal((await session.hear("close")).tunnel, 2);
		assert.equal((await session.hear("open")).name, "web");

		writeFileSync(file, `${head}  - { name: app }\n  - { name: a, tcp: 1 }\n  - { name: a, tls: 2 }\n`);
		const bad = agent(scenario, gateway, ["-c", file]);
		assert.equal(await bad.exited, 2);
		assert.match(bad.stderr, /tunnels\.yaml:5:5: exactly one of http, tcp, tls, udp and quic/);
		assert.match(bad.stderr, /tunnels\.yaml:7:13: the tunnel 2 has the name "a", too/);
	},
);

scenario(
	"it goes through an HTTP proxy that the environment names, with a user and a password",
	async (scenario) => {
		const gateway = await startTunnelGateway(scenario);
		const local = await startUpstream(scenario, echo);
		const asked: string[] = [];
		const sockets = new Set<Socket>();
		const proxy = createServer((client) => {
			sockets.add(client);
			client
				.on("error", () => {})
				.once("data", (head: Buffer) => {
					const text = head.toString();
					asked.push(text);
					if (
						!text.includes(`Proxy-Authorization: Basic ${Buffer.from("me:secret").toString("base64")}\r\n`)
					) {
						client.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
						return;
					}
					const server = connect(gateway.port, LOOPBACK, () => {
						client.write("HTTP/1.1 200 Connection established\r\n\r\n");
						client.pipe(server).on("error", () => {});
						server.pipe(client);
					});
					sockets.add(server);
				});
		});
		proxy.listen(0, LOOPBACK);
		await once(proxy, "listening");
		scenario.defer(() => {
			for (const socket of sockets) socket.destroy();
			proxy.close();
		});
		const { port } = proxy.address() as { port: number };
		// Nobody but the proxy knows the name.
		const args = ["tcp", String(local.port), ...known(gateway, "gw.nowhere.invalid")];
		const HTTPS_PROXY = `http://me:secret@127.0.0.1:${port}`;
		const child = agent(scenario, gateway, args, { env: { HTTPS_PROXY } });
		const { session, open } = await gateway.opened();
		const visitor = await session.line(open.tunnel);
		await visitor.send(Buffer.concat([visitorHeader(), Buffer.from("hello")]));
		await visitor.expect("hello");
		assert.match(
			asked[0] ?? "",
			new RegExp(`^CONNECT gw\\.nowhere\\.invalid:${gateway.port} HTTP/1\\.1\r\n`),
		);
		assert.equal(asked.length, 2);
		child.signal("SIGKILL");

		const stranger = agent(scenario, gateway, args, { env: { HTTPS_PROXY: `http://127.0.0.1:${port}` } });
		assert.match(
			String((await told(stranger, "disconnected"))["why"]),
			/407.*put user and password into HTTPS_PROXY/,
		);
	},
);

scenario(
	"without koffi it runs as well, in the open and through TLS, and shows its health",
	async (scenario) => {
		const gateway = await startTunnelGateway(scenario, { insecure: true });
		const local = await startUpstream(scenario, echo);
		const admin = await freePort();
		const args = [
			"--gateway",
			`127.0.0.1:${gateway.port}`,
			"--name",
			"app",
			"--insecure",
			"--admin",
			`127.0.0.1:${admin}`,
		];
		const child = agent(scenario, gateway, ["tcp", String(local.port), ...args], { flags: WITHOUT_KOFFI });
		const { session, open } = await gateway.opened();
		const visitor = await session.line(open.tunnel);
		await visitor.send(Buffer.concat([visitorHeader(), Buffer.from("hello")]));
		await visitor.expect("hello");
		const health = await fetch(`http://127.0.0.1:${admin}/healthz`);
		assert.deepEqual([health.status, await health.json()], [200, { status: "connected" }]);
		const metrics = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
		assert.match(metrics, /^sluice_agent_connected 1$/m);
		assert.match(metrics, /^sluice_agent_lines\{state="visitor"\} 1$/m);
		assert.equal((await fetch(`http://127.0.0.1:${admin}/`)).status, 404);
		visitor.end();
		await visitor.rest();
		child.signal("SIGTERM");
		assert.equal(await child.exited, 0);
	},
);

const WITHOUT_THREADS = imported(`
import threads from "node:worker_threads";
import { syncBuiltinESMExports } from "node:module";
threads.Worker = class {
	constructor() {
		throw new Error("no thread is left");
	}
};
syncBuiltinESMExports();`);

scenario(
	"where no reactor can be started, it says so, and serves visitors all the same",
	async (scenario) => {
		const gateway = await startTunnelGateway(scenario);
		const local = await startUpstream(scenario, echo);
		const args = ["tcp", String(local.port), ...known(gateway)];
		const child = agent(scenario, gateway, args, { flags: WITHOUT_THREADS });
		const { session, open } = await gateway.opened();
		assert.match(String((await told(child, "without_reactor"))["why"]), /no thread is left/);
		const visitor = await session.line(open.tunnel);
		await visitor.send(Buffer.concat([visitorHeader(), Buffer.from("hello")]));
		await visitor.expect("hello");
		visitor.end();
		await visitor.rest();
		child.signal("SIGTERM");
		assert.equal(await child.exited, 0);
	},
);

/** What is free now, for a program that cannot say which it was given. */
async function freePort(): Promise<number> {
	const server = createServer().listen(0, LOOPBACK);
	await once(server, "listening");
	const { port } = server.address() as { port: number };
	server.close();
	await once(server, "close");
	return port;
}

scenario("a token is made with the line for the gateway's file, and as JSON", async () => {
	const text = await run({ path: process.execPath }, [MAIN, "token", "new", "laptop"]);
	const [, token = ""] = /^token: (\S+)$/m.exec(text.stdout) ?? [];
	const publicKey = Buffer.from(readToken(token).publicKey).toString("base64url");
	assert.ok(text.stdout.includes(`{ id: laptop, public_key: "${publicKey}", names: [app] }`));
	const json = await run({ path: process.execPath }, [MAIN, "token", "new", "laptop", "--json"]);
	const made = JSON.parse(json.stdout) as Record<string, string>;
	assert.deepEqual(Object.keys(made), ["id", "token", "public_key"]);
	assert.equal(
		Buffer.from(readToken(made["token"] ?? "").publicKey).toString("base64url"),
		made["public_key"],
	);
	for (const args of [
		["new", "a b"],
		["old", "laptop"],
	]) {
		const bad = await run({ path: process.execPath }, [MAIN, "token", ...args]);
		assert.deepEqual([bad.status, bad.stdout], [2, ""]);
	}
});
