/** What upstreams are told of who asks: the Host of their own choice, and Via. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { startGateway } from "../support/gateway.js";
import { dial, startUpstream } from "../support/peers.js";
import { run } from "../support/processes.js";
import { answering, get, listening, message, ok, targetOf } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

scenario(
	"an upstream is sent the host that it is given, and learns the client's beside it",
	async (scenario) => {
		const asked: string[] = [];
		const upstream = await startUpstream(
			scenario,
			answering((text) => {
				asked.push(text);
				return ok("fine");
			}),
		);
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: 127.0.0.1:0
    routes: [{ path: /own, to: own }, { to: kept }]
upstreams:
  own: { http: "http://${upstream.address}", host: "app.internal:8080" }
  kept: { http: "http://${upstream.address}" }
`,
		);
		const client = await dial(scenario, gateway.port());
		for (const text of [
			get("/own", "a.test"),
			get("/kept", "a.test"),
			"GET http://b.test/own HTTP/1.1\r\nHost: a.test\r\n\r\n",
		]) {
			await client.send(text);
			await message(client);
		}
		client.end("GET /own HTTP/1.0\r\n\r\n");
		await client.rest();
		const told = asked.map((text) => [
			/^Host: (.*)\r$/m.exec(text)?.[1],
			/^X-Forwarded-Host: (.*)\r$/m.exec(text)?.[1],
		]);
		assert.deepEqual(told, [
			["app.internal:8080", "a.test"],
			["a.test", "a.test"],
			["app.internal:8080", "b.test"],
			["app.internal:8080", undefined],
		]);
	},
);

scenario(
	"Via is added on the way there and on the way back, behind what stood there",
	async (scenario) => {
		const server = createServer((request, response) => {
			response.setHeader("Via", "1.1 inner");
			response.end(String(request.headers.via));
		});
		const address = await listening(scenario, server);
		const listener = (via: string) => `
  - listen: 127.0.0.1:0
    ${via}
    routes: [{ to: a }]`;
		const gateway = await startGateway(
			scenario,
			`
listeners:${["", "via: off", "via: on", "via: edge-1"].map(listener).join("")}
upstreams: { a: { http: "http://${address}" } }
`,
		);
		for (const [index, name] of [undefined, undefined, "sluice", "edge-1"].entries()) {
			const url = `http://127.0.0.1:${gateway.port(index)}/`;
			const { status, output } = await run("curl", ["-q", "-sS", "-i", "-H", "Via: 1.0 outer", url]);
			assert.equal(status, 0, output);
			const lines = output.split("\r\n").filter((line) => /^via:/i.test(line));
			assert.deepEqual(lines, ["Via: 1.1 inner", ...(name === undefined ? [] : [`Via: 1.1 ${name}`])]);
			assert.match(
				output,
				name === undefined ? /\n1\.0 outer$/ : new RegExp(`\n1\\.0 outer, 1\\.1 ${name}$`),
			);
		}
	},
	{ needs: ["curl"] },
);

scenario("an absolute target without a path goes where its root goes", async (scenario) => {
	const upstream = await startUpstream(
		scenario,
		answering((text) => ok(targetOf(text))),
	);
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    routes: [{ path: /, to: a }, { to: reject }]
upstreams: { a: { http: "http://${upstream.address}" } }
`,
	);
	const client = await dial(scenario, gateway.port());
	for (const [target, sent] of [
		["http://a.test", "/"],
		["http://a.test?q=1", "/?q=1"],
		["/", "/"],
	] as const) {
		await client.send(get(target));
		assert.equal((await message(client)).body, sent);
	}
	client.end();
	await client.rest();
});
