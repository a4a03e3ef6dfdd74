/** Names of upstreams whose DNS server never answers, beside one whose server does. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startDns } from "../support/dns.js";
import { Gateway, startGateway } from "../support/gateway.js";
import { dial, startUpstream } from "../support/peers.js";
import { answering, get, message, ok } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

/** More than libuv's pool has threads. */
const DEAD = ["dead0", "dead1", "dead2", "dead3", "dead4", "dead5"];

/** What runs a command that finds another /etc/resolv.conf. */
function withResolvConf(file: string): string[] {
	const mount = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"';
	return ["unshare", "-rm", "sh", "-c", mount, "sh", file];
}

scenario(
	"names whose DNS is silent hold up no other name, no reload and not the end",
	async (scenario) => {
		const upstream = await startUpstream(
			scenario,
			answering(() => ok("hello")),
		);
		const dns = await startDns(({ name }) => (name === "good.test" ? ["127.0.0.1"] : "silence"));
		scenario.defer(() => dns.close());
		const resolvConf = join(scenario.directory, "resolv.conf");
		writeFileSync(resolvConf, `nameserver ${dns.address}\n`);
		const gateway = await startGateway(
			scenario,
			`
reactors: 1
listeners:
  - listen: 127.0.0.1:0
    routes: [${DEAD.map((name) => `{ host: ${name}.test, to: ${name} }, `).join("")}{ to: good }]
upstreams:
  ${DEAD.map((name) => `${name}: { http: "http://${name}.test" }`).join("\n  ")}
  good: { http: "http://good.test:${upstream.port}", resolve: 100ms }
`,
			{ through: withResolvConf(resolvConf) },
		);
		const client = await dial(scenario, gateway.port());
		await client.send(get("/"));
		assert.equal((await message(client)).body, "hello");
		// It is asked for again and again, while the others still wait for their first answer.
		const asked = () => dns.asked.filter((question) => question === "4 good.test").length;
		const before = asked();
		await eventually(
			() => asked() > before + 2 || undefined,
			() => `asked for ${asked()} times`,
		);
		await gateway.hangUp();
		client.end();
		await client.rest();
		gateway.child.signal("SIGTERM");
		assert.equal(await gateway.exit(), 0);
	},
	{ needs: ["unshare", "mount namespaces"] },
);

/** So many starts may find the test too busy to connect within the two seconds for which a start waits for names. */
const STARTS = 8;

/** Connects to a gateway that is starting and waits for a name; whether it is served before the gateway is ready. */
async function isServedBeforeReady(
	scenario: Scenario,
	resolvConf: string,
	upstream: string,
): Promise<boolean> {
	const gateway = new Gateway(
		join(scenario.directory, "sluice.yaml"),
		`
listeners:
  - { listen: 127.0.0.3:0, routes: [{ to: address }] }
  - { listen: 127.0.0.4:0, routes: [{ to: name }] }
upstreams:
  address: { http: "http://${upstream}" }
  name: { http: "http://dead.test" }
`,
		{ through: withResolvConf(resolvConf) },
	);
	scenario.defer(() => gateway.child.stop("SIGKILL"));
	// What it listens on is known before it is ready: 127.0.0.3, as the kernel writes it.
	const port = await eventually(
		() =>
			/^ *\d+: 0300007F:([0-9A-F]{4}) [0-9A-F:]+ 0A /m.exec(
				readFileSync(`/proc/${gateway.pid}/net/tcp`, "latin1"),
			)?.[1],
		() => "it does not listen",
	);
	const client = await dial(scenario, Number.parseInt(port, 16), { host: "127.0.0.3" });
	await client.send(get("/"));
	assert.equal((await message(client)).body, "hello");
	client.end();
	await client.rest();
	const session = await gateway.onlySession();
	const ready = await gateway.logged(({ message }) => message === "ready");
	gateway.child.signal("SIGTERM");
	assert.equal(await gateway.exit(), 0);
	return session.accepted < ready.time;
}

scenario(
	"a listener whose upstreams are addresses waits for no name of another, not even at start",
	async (scenario) => {
		const upstream = await startUpstream(
			scenario,
			answering(() => ok("hello")),
		);
		const dns = await startDns(() => "silence");
		scenario.defer(() => dns.close());
		const resolvConf = join(scenario.directory, "resolv.conf");
		writeFileSync(resolvConf, `nameserver ${dns.address}\n`);
		// Whoever waits for the name serves nobody before, however often it is started.
		for (let left = STARTS; !(await isServedBeforeReady(scenario, resolvConf, upstream.address)); left--)
			assert.ok(left > 1, `of ${STARTS} starts none served before it was ready`);
	},
	{ needs: ["unshare", "mount namespaces"] },
);
