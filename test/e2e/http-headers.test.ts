/** Fields that a route sets and removes, of requests and of their answers. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, type Peer, startUpstream } from "../support/peers.js";
import { run } from "../support/processes.js";
import { answering, get, head, listening, message, ok } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";

const config = (address: string, rules: string, upstream = ""): string => `
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { host: a.test, to: a, ${rules} }
      - { to: a }
upstreams: { a: { http: "http://${address}"${upstream} } }
`;

const RULES =
	"request_headers: { set: { X-User: gateway }, remove: [Cookie] }, response_headers: { set: { X-Frame-Options: DENY }, remove: [Server] }";

scenario("each request has the rules of its own route, on one connection", async (scenario) => {
	const asked: string[] = [];
	const upstream = await startUpstream(
		scenario,
		answering((text) => {
			asked.push(text);
			return ok("fine", "Server: hidden\r\nx_frame_options: ALLOW\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n");
		}),
	);
	const gateway = await startGateway(scenario, config(upstream.address, RULES));
	const client = await dial(scenario, gateway.port());
	const fields = "x-user: root\r\nX_User: root\r\ncookie: c\r\nAccept: */*\r\n";
	for (const host of ["a.test", "b.test", "a.test"]) {
		await client.send(get("/", host, fields));
		const { head: answer, body } = await message(client);
		assert.equal(body, "fine");
		const ruled = host === "a.test";
		assert.equal(/\r\nServer: hidden\r\n/.test(answer), !ruled, answer);
		assert.equal(/\r\nX-Frame-Options: DENY\r\n/.test(answer), ruled, answer);
		assert.equal(/ALLOW/.test(answer), !ruled, answer);
		assert.equal(answer.match(/\r\nSet-Cookie: /g)?.length, 2);
		const last = asked.at(-1) ?? "";
		assert.deepEqual(
			[...last.matchAll(/^(x[-_]user|cookie): (.*)\r$/gim)].map(([, name, value]) => `${name}=${value}`),
			ruled ? ["X-User=gateway"] : ["x-user=root", "X_User=root", "cookie=c"],
		);
		assert.match(last, /\r\nAccept: \*\/\*\r\n/);
	}
	client.end();
	await client.rest();
	assert.equal(upstream.peers.length, 1);
});

scenario("what is set or removed in heads does not come by way of trailers", async (scenario) => {
	const upstream = await startUpstream(scenario);
	const gateway = await startGateway(
		scenario,
		`tls: { client_subject_header: X-Subject }\n${config(upstream.address, RULES, ", trailers: on")}`,
	);
	const posted = "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n";
	for (const trailer of ["X-User: root", "x_user: root", "Digest: a\r\nCookie: c", "X-Subject: CN=evil"]) {
		const client = await dial(scenario, gateway.port());
		await client.send(`${posted}${trailer}\r\n\r\n`);
		assert.match((await message(client)).head, /^HTTP\/1\.1 400 /, trailer);
		client.end();
	}
	const client = await dial(scenario, gateway.port());
	await client.send(`${posted}Digest: a\r\n\r\n`);
	const server = await upstream.accepted(4);
	await head(server);
	await server.expect("3\r\nabc\r\n0\r\nDigest: a\r\n\r\n");
	await server.send(ok("fine"));
	assert.equal((await message(client)).body, "fine");
});

/** A request that has reached its upstream by a route with RULES. */
async function asked(scenario: Scenario): Promise<{ gateway: Gateway; client: Peer; server: Peer }> {
	const upstream = await startUpstream(scenario);
	const gateway = await startGateway(scenario, config(upstream.address, RULES));
	const client = await dial(scenario, gateway.port());
	await client.send(get("/"));
	const server = await upstream.accepted();
	await head(server);
	return { gateway, client, server };
}

scenario("an answer whose trailers undo what was done to its head is cut", async (scenario) => {
	const { gateway, client, server } = await asked(scenario);
	await server.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nServer: told\r\n\r\n");
	assert.equal(await client.over(), "ECONNRESET");
	assert.equal((await gateway.onlySession()).reason, "bad_response");
});

scenario("an interim answer is not the answer: only the last one is given fields", async (scenario) => {
	const { client, server } = await asked(scenario);
	await server.send(`HTTP/1.1 103 Early Hints\r\nServer: hidden\r\nLink: </a>\r\n\r\n${ok("fine")}`);
	assert.equal(await head(client), "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
	assert.match((await message(client)).head, /\r\nX-Frame-Options: DENY\r\n/);
	client.end();
	await client.rest();
});

scenario("a reload changes what the next request is given", async (scenario) => {
	const upstream = await startUpstream(
		scenario,
		answering((text) => ok(/^x-user: (.*)\r$/im.exec(text)?.[1] ?? "none")),
	);
	const gateway = await startGateway(scenario, config(upstream.address, RULES));
	const client = await dial(scenario, gateway.port());
	const user = async (): Promise<string> => {
		await client.send(get("/"));
		return (await message(client)).body;
	};
	assert.equal(await user(), "gateway");
	for (const [rules, expected] of [
		["request_headers: { set: { X-User: other } }", "other"],
		["response_headers: { remove: [Server] }", "none"],
	] as const) {
		gateway.write(config(upstream.address, rules));
		assert.equal((await gateway.hangUp()).message, "reloaded");
		assert.equal(await user(), expected);
	}
	client.end();
	await client.rest();
});

scenario(
	"a request keeps the rules by which it was routed, when a reload leads its route elsewhere",
	async (scenario) => {
		const before = await startUpstream(scenario);
		const after = await startUpstream(
			scenario,
			answering((text) => ok(/^x-key: (.*)\r$/im.exec(text)?.[1] ?? "none", "X-Internal: b\r\n")),
		);
		const yaml = (to: string, rules: string): string => `
reactors: 1
listeners:
  - listen: 127.0.0.1:0
    routes: [{ host: only-a.test, to: a }, { host: only-b.test, to: b }, { to: ${to}, ${rules} }]
upstreams: { a: { http: "http://${before.address}" }, b: { http: "http://${after.address}" } }
`;
		const keeping =
			"request_headers: { set: { X-Key: key-for-a } }, response_headers: { remove: [X-Internal] }";
		const gateway = await startGateway(scenario, yaml("a", keeping));
		const client = await dial(scenario, gateway.port());
		await client.send(get("/"));
		const server = await before.accepted();
		assert.match(await head(server), /^x-key: key-for-a\r$/im);
		gateway.write(yaml("b", "request_headers: { set: { X-Key: key-for-b } }"));
		assert.equal((await gateway.hangUp()).message, "reloaded");
		await server.send(ok("late", "X-Internal: a\r\n"));
		const answer = await message(client);
		assert.equal(answer.body, "late");
		assert.doesNotMatch(answer.head, /x-internal/i);
		await client.send(get("/"));
		const next = await message(client);
		assert.equal(next.body, "key-for-b");
		assert.match(next.head, /x-internal: b/i);
		client.end();
		await client.rest();
	},
);

scenario(
	"curl and a server of Node's see what the rules say",
	async (scenario) => {
		const server = createServer((request, response) => {
			response.setHeader("X-Powered-By", "node");
			response.end(JSON.stringify(request.headers));
		});
		const address = await listening(scenario, server);
		const gateway = await startGateway(
			scenario,
			config(
				address,
				"request_headers: { set: { X-Empty: '', Accept: text/html } }, response_headers: { remove: [x-powered-by] }",
			),
		);
		const { status, output } = await run("curl", [
			...["-q", "-sS", "-i", "--connect-to", `a.test:80:127.0.0.1:${gateway.port()}`],
			...["-H", "Accept: application/json", "http://a.test/"],
		]);
		assert.equal(status, 0, output);
		assert.doesNotMatch(output, /x-powered-by/i);
		const headers = JSON.parse(output.slice(output.indexOf("{"))) as Record<string, string>;
		assert.deepEqual([headers["accept"], headers["x-empty"]], ["text/html", ""]);
	},
	{ needs: ["curl"] },
);
