/** The examples on UDP do what they say: with their own routes, limits and checks, on ports that are free. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { captureHello } from "../../src/rig/hello.js";
import { crypto, initial } from "../../src/rig/quic-initial.js";
import { freeAddress } from "../support/addresses.js";
import { datagramPeer } from "../support/datagrams.js";
import { type Reply, startDns, startDnsOverTcp } from "../support/dns.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { LOOPBACK } from "../support/peers.js";
import { startQuicServer, whoByCurl } from "../support/quic/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { identity } from "../support/tls.js";
import { eventually } from "../support/waiting.js";

/** The text of an example, with other addresses in the place of some. It says where its admin port is; tests have one each. */
function example(name: string, moves: readonly (readonly [from: string, to: string])[]): string {
	let text = readFileSync(new URL(`../../../examples/${name}`, import.meta.url), "utf8");
	text = text.replace(/^admin: .*$/m, "admin: 127.0.0.1:0");
	for (const [from, to] of moves) {
		assert.ok(text.includes(from), from);
		text = text.replaceAll(from, to);
	}
	return text;
}

interface Dns {
	readonly gateway: Gateway;
	readonly resolver: Resolver;
	/** What has come over UDP to each of the two, and over TCP. */
	readonly asked: readonly (readonly string[])[];
}

async function startExampleDns(scenario: Scenario, reply: () => Reply): Promise<Dns> {
	const [a, b] = [await startDns(reply), await startDns(reply)];
	const tcp = await startDnsOverTcp(() => ["192.0.2.9"]);
	for (const server of [a, b, tcp]) scenario.defer(() => server.close());
	const { text } = await freeAddress();
	const yaml = example("dns.yaml", [
		["127.0.0.1:5300", text],
		["udp: [127.0.0.1:5301, 127.0.0.1:5302]", `udp: [${a.address}, ${b.address}]`],
		["addresses: [127.0.0.1:5301, 127.0.0.1:5302]", `addresses: [${tcp.address}]`],
	]);
	const gateway = await startGateway(scenario, yaml);
	const resolver = new Resolver({ timeout: 30_000, tries: 1 });
	resolver.setServers([text]);
	return { gateway, resolver, asked: [a.asked, b.asked, tcp.asked] };
}

scenario(
	"dns.yaml: a question goes to one of two resolvers, and its session ends with the answer",
	async (scenario) => {
		const { gateway, resolver, asked } = await startExampleDns(scenario, () => ["192.0.2.1", "2001:db8::1"]);
		for (let count = 0; count < 4; count++)
			assert.deepEqual(await resolver.resolve4(`${count}.example.com`), ["192.0.2.1"]);
		assert.deepEqual(await resolver.resolve6("six.example.com"), ["2001:db8::1"]);
		assert.equal(asked.flat().length, 5);
		assert.ok(asked[0]?.length !== 0 && asked[1]?.length !== 0);
		// Clients of DNS may ask again from the same port.
		const ended = await eventually(
			async () => {
				const metrics = await gateway.metrics();
				const isOver = metrics.sum("sluice_connections_active") === 0;
				return isOver ? await gateway.sessions(1) : undefined;
			},
			() => "sessions live on",
		);
		assert.deepEqual(new Set(ended.map(({ reason }) => reason)), new Set(["answered"]));
		const metrics = await gateway.metrics();
		assert.equal(metrics.sum("sluice_datagrams_total", { direction: "to_client" }), 5);
		assert.equal(metrics.sum("sluice_upstream_healthy", { upstream: "resolvers" }), 2);
	},
);

scenario("dns.yaml: an answer that is too long for a datagram comes over TCP", async (scenario) => {
	const { gateway, resolver, asked } = await startExampleDns(scenario, () => "truncated");
	assert.deepEqual(await resolver.resolve4("long.example.com"), ["192.0.2.9"]);
	assert.equal(asked[2]?.length, 1);
	resolver.cancel();
	const [first, second] = await gateway.sessions(2);
	assert.deepEqual([first?.upstream, second?.upstream], ["resolvers", "resolvers-tcp"]);
});

/** `https://NAME` of a site that says where its HTTP/3 is. */
async function startSite(scenario: Scenario, name: string, altSvc: string): Promise<number> {
	const { cert, key } = identity(scenario, name);
	const site = createServer({ cert: cert.text, key: key.text }, (_, response) => {
		response.writeHead(200, { "alt-svc": altSvc, connection: "close" }).end(`${name} over TLS`);
	}).listen(0, LOOPBACK);
	await once(site, "listening");
	scenario.defer(() => site.close());
	return (site.address() as AddressInfo).port;
}

scenario(
	"http3.yaml: curl asks over TLS, is told where the HTTP/3 of the site is, and goes there by itself",
	async (scenario) => {
		const { host, port, text } = await freeAddress();
		const [www, shop] = await Promise.all(
			["www", "shop"].map((name) => startQuicServer(scenario, "quic-go", name)),
		);
		const tls = await startSite(scenario, "www.example.com", `h3=":${port}"; ma=86400`);
		const gateway = await startGateway(
			scenario,
			example("http3.yaml", [
				["listen: 127.0.0.1:8443/udp", `listen: ${text}/udp`],
				["listen: 127.0.0.1:8443", `listen: ${text}`],
				["www: 127.0.0.1:3001", `www: 127.0.0.1:${tls}`],
				["udp: 127.0.0.1:3001", `udp: 127.0.0.1:${www?.port}`],
				["udp: [127.0.0.1:3002, 127.0.0.1:3003]", `udp: [127.0.0.1:${shop?.port}]`],
			]),
		);
		const altSvc = join(scenario.directory, "alt-svc");
		const ask = (options = {}): Promise<string> =>
			whoByCurl(scenario, port, "www.example.com", { host, ...options });
		assert.equal(await ask({ altSvc }), "www.example.com over TLS");
		assert.equal(await ask({ altSvc }), "www over HTTP/3.0");
		assert.equal(await whoByCurl(scenario, port, "new.shop.example.com", { host }), "shop over HTTP/3.0");
		assert.deepEqual(
			(await gateway.closedSessions(3)).map(({ listener }) => listener.includes("/udp")),
			[false, true, true],
		);
		const metrics = await gateway.metrics();
		assert.equal(metrics.sum("sluice_datagrams_dropped_total"), 0);
	},
	{ needs: ["quic-go", "curl_cffi"] },
);

scenario(
	"http3.yaml: hellos go where their name belongs, and who asks for another name is told nothing",
	async (scenario) => {
		const { host, port, text } = await freeAddress();
		const [www, shop] = [await datagramPeer(scenario), await datagramPeer(scenario)];
		const gateway = await startGateway(
			scenario,
			example("http3.yaml", [
				["listen: 127.0.0.1:8443/udp", `listen: ${text}/udp`],
				["listen: 127.0.0.1:8443", `listen: ${text}`],
				["udp: 127.0.0.1:3001", `udp: 127.0.0.1:${www.port}`],
				["udp: [127.0.0.1:3002, 127.0.0.1:3003]", `udp: [127.0.0.1:${shop.port}]`],
			]),
		);
		const say = async (name: string): Promise<Uint8Array> => {
			const hello = (await captureHello(name, "TLSv1.3", ["h3"])).subarray(5);
			const client = await datagramPeer(scenario);
			const datagram = initial([crypto(0, hello)], { destination: randomBytes(8) });
			client.send(datagram, port, host);
			return datagram;
		};
		for (const [server, name] of [
			[www, "www.example.com"],
			[shop, "shop.example.com"],
			[shop, "eu.shop.example.com"],
		] as const) {
			const datagram = await say(name);
			assert.ok((await server.next()).bytes.equals(datagram), name);
		}
		await say("www.example.org");
		await gateway.metricIs("sluice_datagrams_dropped_total", (count) => count === 1, { cause: "no_route" });
		assert.deepEqual([www.received.length, shop.received.length], [1, 2]);
	},
);
