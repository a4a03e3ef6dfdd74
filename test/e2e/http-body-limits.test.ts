/** limits.request_body_bytes, and a route's own. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { startGateway } from "../support/gateway.js";
import { dial, startUpstream, type Upstream } from "../support/peers.js";
import { run } from "../support/processes.js";
import { answering, chunk, get, head, listening, message, ok } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

const LIMIT = 1_000;
const TOO_LARGE = /^HTTP\/1\.1 413 Content Too Large\r\n[\s\S]*\r\nConnection: close\r\n/;

const config = (address: string, sections = `limits: { request_body_bytes: ${LIMIT} }`): string => `
reactors: 1
${sections}
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { path: /large, to: a, request_body_bytes: 1MiB }
      - { path: /any, to: a, request_body_bytes: off }
      - { path: /headers, to: a, response_headers: { remove: [Server] } }
      - { to: a }
upstreams: { a: { http: "http://${address}" } }
`;

function posted(path: string, length: number | null, fields = ""): string {
	const framing = length === null ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`;
	return `POST ${path} HTTP/1.1\r\nHost: a.test\r\n${framing}\r\n${fields}\r\n`;
}

/** Everything that an upstream has been sent, over all of its connections. */
function seenBy(upstream: Upstream): string {
	return upstream.peers.map(({ received }) => received.toString("latin1")).join("");
}

scenario(
	"a length beyond the limit is refused before anybody is dialled, asked for or not",
	async (scenario) => {
		const upstream = await startUpstream(scenario);
		const gateway = await startGateway(scenario, config(upstream.address));
		const cases = [
			posted("/", LIMIT + 1),
			`${posted("/", LIMIT + 1)}${"x".repeat(LIMIT + 1)}`,
			`${posted("/", 3_000_000)}${"x".repeat(3_000_000)}`,
			posted("/", LIMIT + 1, "Expect: 100-continue\r\n"),
			posted("/headers", LIMIT + 1),
			posted("/large", 1_048_577),
		];
		for (const text of cases) {
			const client = await dial(scenario, gateway.port());
			client.socket.write(text);
			assert.match(await client.rest(), TOO_LARGE, text.slice(0, 60));
			client.end();
		}
		for (const { reason, route } of await gateway.sessions(cases.length)) {
			assert.equal(reason, "limit_body");
			assert.notEqual(route, null);
		}
		assert.equal(upstream.peers.length, 0);
	},
);

scenario("content up to the limit passes, and beyond it where the route says so", async (scenario) => {
	const server = createServer((request, response) => {
		let count = 0;
		request.on("data", (bytes: Buffer) => {
			count += bytes.length;
		});
		request.on("end", () => response.end(String(count)));
	});
	const gateway = await startGateway(scenario, config(await listening(scenario, server)));
	const client = await dial(scenario, gateway.port());
	for (const [path, length] of [
		["/", LIMIT],
		["/large", 1_048_576],
		["/any", 3_000_000],
	] as const) {
		const body = "x".repeat(length);
		for (const text of [
			posted(path, length) + body,
			`${posted(path, null)}${chunk(body.slice(1))}${chunk("x")}0\r\n\r\n`,
		]) {
			await client.send(text);
			assert.equal((await message(client)).body, String(length), path);
		}
	}
	client.end();
	await client.rest();
});

scenario(
	"chunks beyond the limit are 413, and the upstream gets neither more than the limit nor an end",
	async (scenario) => {
		const upstream = await startUpstream(scenario);
		const gateway = await startGateway(scenario, config(upstream.address));
		const body = "x".repeat(LIMIT + 1);
		const pieces: readonly (readonly string[])[] = [
			[`${chunk(body)}0\r\n\r\n`],
			[chunk(body.slice(1)), `${chunk("x")}0\r\n\r\n`],
			[chunk(body.slice(1)), chunk("x")],
			// All of it announced at once, and sent by halves.
			[`${body.length.toString(16)}\r\n${body.slice(0, 500)}`, body.slice(500)],
			Array.from({ length: LIMIT + 1 }, () => chunk("x")),
		];
		for (const [index, parts] of pieces.entries()) {
			const client = await dial(scenario, gateway.port());
			client.socket.on("error", () => {});
			await client.send(posted("/", null));
			const server = await upstream.accepted(index);
			await head(server);
			for (const part of parts) await client.send(part);
			assert.match(await client.rest(), TOO_LARGE, String(index));
			await server.over();
			const seen = server.received.toString("latin1");
			assert.ok((seen.match(/x/g)?.length ?? 0) <= LIMIT, String(index));
			assert.doesNotMatch(seen, /\r\n0\r\n\r\n$/);
			client.end();
		}
		for (const { reason } of await gateway.sessions(pieces.length)) assert.equal(reason, "limit_body");
		await gateway.metricIs("sluice_pool_active", (count) => count === 0);
	},
);

scenario("chunks beyond the limit cut an answer that has begun", async (scenario) => {
	const upstream = await startUpstream(scenario);
	const gateway = await startGateway(scenario, config(upstream.address));
	const client = await dial(scenario, gateway.port());
	await client.send(posted("/", null) + chunk("x"));
	const server = await upstream.accepted();
	await head(server);
	await server.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
	await head(client);
	await client.send(chunk("x".repeat(LIMIT)));
	assert.equal(await client.over(), "ECONNRESET");
	await server.over();
	assert.equal((await gateway.onlySession()).reason, "limit_body");
});

scenario(
	"a kept connection of the upstream's is not given back with half a request on it",
	async (scenario) => {
		const upstream = await startUpstream(
			scenario,
			answering((text) => (text.startsWith("GET ") ? ok("fine") : "")),
		);
		const gateway = await startGateway(scenario, config(upstream.address));
		const client = await dial(scenario, gateway.port());
		await client.send(get("/"));
		await message(client);
		client.socket.write(posted("/", null) + chunk("x".repeat(LIMIT)));
		await gateway.metricIs("sluice_pool_active", (count) => count === 1);
		client.socket.write(chunk("x"));
		assert.match((await client.rest()).replace(/^[\s\S]*?(?=HTTP\/1\.1 413)/, ""), TOO_LARGE);
		client.end();
		const other = await dial(scenario, gateway.port());
		await other.send(get("/"));
		assert.equal((await message(other)).body, "fine");
		other.end();
		await other.rest();
		assert.equal(upstream.peers.length, 2);
		assert.ok(!seenBy(upstream).includes("x".repeat(LIMIT + 1)));
	},
);

scenario(
	"the limit holds also where no chunk of memory is left, and a refusal closes there",
	async (scenario) => {
		const upstream = await startUpstream(scenario, (peer) => {
			if (upstream.peers.length <= 2) answering(() => ok("x".repeat(8_000_000)))(peer);
		});
		const gateway = await startGateway(
			scenario,
			config(upstream.address, `limits: { request_body_bytes: ${LIMIT}, buffered_bytes: 64KiB }`),
		);
		for (let index = 0; index < 2; index++) {
			const reader = await dial(scenario, gateway.port());
			reader.socket.pause();
			await reader.send(get("/"));
		}
		await gateway.metricIs("sluice_chunks_lent", (count) => count === 2);
		const client = await dial(scenario, gateway.port());
		await client.send(posted("/", null) + chunk("x".repeat(LIMIT - 1)));
		const server = await upstream.accepted(2);
		await head(server);
		await server.take(chunk("x".repeat(LIMIT - 1)).length);
		await client.send(chunk("xx"));
		assert.match(await client.rest(), TOO_LARGE);
		client.end();
		await server.over();
		assert.equal(server.received.length, 0, "nothing of the chunk that was too much");
	},
);

scenario(
	"curl is told 413, with a length and with chunks",
	async (scenario) => {
		const server = createServer((request, response) => {
			request.resume().on("end", () => response.end("taken"));
		});
		const gateway = await startGateway(scenario, config(await listening(scenario, server)));
		const file = join(scenario.directory, "body");
		writeFileSync(file, Buffer.alloc(2_000_000));
		const status = async (path: string, ...args: string[]): Promise<string> => {
			const { output } = await run("curl", [
				...["-q", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-T", file, ...args],
				`http://127.0.0.1:${gateway.port()}${path}`,
			]);
			return output;
		};
		assert.equal(await status("/small"), "413");
		assert.equal(await status("/small", "-H", "Transfer-Encoding: chunked"), "413");
		assert.equal(await status("/any", "-H", "Transfer-Encoding: chunked"), "200");
	},
	{ needs: ["curl"] },
);
