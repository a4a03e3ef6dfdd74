/** Bodies of every size and framing, in both directions, reach the other side as they are. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Agent, createServer, request } from "node:http";
import { Random } from "../../src/rig/random.js";
import { startGateway } from "../support/gateway.js";
import { dial } from "../support/peers.js";
import {
	chunk,
	get,
	head,
	listening,
	message,
	ok,
	requestsConfig,
	startRequests,
} from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";

/** Around what the gateway reads at once, what it peeks, and what a socket takes. */
const SIZES = [0, 1, 16_383, 16_384, 32_767, 32_768, 32_769, 65_536, 5_000_000];

function noise(bytes: number): Buffer {
	const random = new Random(bytes);
	return Buffer.from(Array.from({ length: bytes }, () => random.below(256)));
}

function hash(bytes: Buffer): string {
	return createHash("sha256").update(bytes).digest("hex");
}

/** A server that sends every request's body back, framed as asked, while it still comes. */
function startEcho(scenario: Scenario): Promise<string> {
	return listening(
		scenario,
		createServer((incoming, response) => {
			const { "x-frame": frame, "content-length": length } = incoming.headers;
			if (frame === "length") response.setHeader("content-length", length ?? "0");
			if (frame === "trailers") response.setHeader("trailer", "x-sum");
			if (frame === "close") {
				// HTTP/1.0: its end is the end of the body.
				const { socket } = response;
				socket?.write("HTTP/1.0 200 OK\r\n\r\n");
				incoming.on("data", (block: Buffer) => socket?.write(block));
				incoming.on("end", () => socket?.end());
				return;
			}
			incoming.on("end", () => {
				if (frame === "trailers") response.addTrailers({ "x-sum": "done" });
				response.end();
			});
			response.flushHeaders();
			incoming.pipe(response, { end: false });
		}),
	);
}

interface Echoed {
	readonly body: Buffer;
	readonly trailers: Readonly<Record<string, string | undefined>>;
}

function send(port: number, agent: Agent, body: Buffer, frame: string, chunked: boolean): Promise<Echoed> {
	return new Promise((resolve, reject) => {
		const headers: Record<string, string | number> = { host: "a.test", "x-frame": frame };
		if (chunked) headers["transfer-encoding"] = "chunked";
		else headers["content-length"] = body.length;
		const asking = request({ port, agent, method: "POST", headers }, (response) => {
			const blocks: Buffer[] = [];
			response.on("data", (block: Buffer) => blocks.push(block));
			response.on("error", reject);
			response.on("end", () => resolve({ body: Buffer.concat(blocks), trailers: response.trailers }));
		});
		asking.on("error", reject);
		// In pieces, so that chunks are several.
		for (let at = 0; at < body.length; at += 100_000) asking.write(body.subarray(at, at + 100_000));
		asking.end();
	});
}

for (const chunked of [false, true]) {
	for (const frame of ["length", "chunked", "trailers", "close"]) {
		if (chunked && frame === "length") continue;
		scenario(
			`bodies ${chunked ? "in chunks" : "with a length"} are echoed with the framing ${frame}`,
			async (scenario) => {
				const gateway = await startGateway(scenario, requestsConfig(await startEcho(scenario)));
				const agent = new Agent({ keepAlive: true, maxSockets: 1 });
				scenario.defer(() => agent.destroy());
				for (const size of SIZES) {
					const body = noise(size);
					const echoed = await send(gateway.port(), agent, body, frame, chunked);
					assert.equal(echoed.body.length, size);
					assert.equal(hash(echoed.body), hash(body), `${size} bytes`);
					if (frame === "trailers") assert.deepEqual({ ...echoed.trailers }, { "x-sum": "done" });
				}
				agent.destroy();
				await gateway.sessions(1);
			},
		);
	}
}

scenario(
	"an early answer reaches a client that is still sending, and the rest is not waited for",
	async (scenario) => {
		const { gateway, upstream } = await startRequests(scenario);
		for (let round = 0; round < 10; round++) {
			const client = await dial(scenario, gateway.port());
			client.socket.on("error", () => {});
			client.socket.write("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 50000000\r\n\r\n");
			client.socket.write(Buffer.alloc(round * 300_000));
			const server = await upstream.accepted(round);
			await head(server);
			server.socket.pause();
			const tooLarge = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nmuch";
			// With an end behind it, with a reset, or with neither.
			server.socket.write(tooLarge, () => {
				if (round % 3 === 1) server.socket.resetAndDestroy();
			});
			if (round % 3 === 2) server.socket.end();
			assert.match(
				await client.rest(),
				/^HTTP\/1\.1 413 [\s\S]*\r\nConnection: close\r\n\r\nmuch$/,
				`round ${round}`,
			);
			client.socket.destroy();
			server.socket.destroy();
		}
		await gateway.sessions(10);
	},
);

scenario(
	"204, 304 and answers to HEAD have no body, and the next answer is not taken for one",
	async (scenario) => {
		const { gateway, upstream } = await startRequests(scenario);
		const client = await dial(scenario, gateway.port());
		const asked = [
			[get("/204"), "HTTP/1.1 204 No Content\r\n\r\n"],
			[get("/304"), "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"],
			[get("/head").replace("GET", "HEAD"), "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"],
		] as const;
		for (const [text, answer] of asked) {
			await client.send(text);
			const server = await upstream.accepted();
			await head(server);
			await server.send(answer);
			assert.equal((await head(client)).split(" ")[1], answer.split(" ")[1]);
			await client.send(get("/next"));
			await head(server);
			await server.send(ok("next"));
			assert.equal((await message(client)).body, "next");
		}
		client.end();
		await client.rest();
	},
);

scenario(
	"a chunked answer that breaks off, and one with too short a length, never look complete",
	async (scenario) => {
		const { gateway, upstream } = await startRequests(scenario);
		const cases = [
			`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk("abc")}`,
			`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk("abc")}xyz\r\n`,
			"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
		];
		for (const [index, answer] of cases.entries()) {
			const client = await dial(scenario, gateway.port());
			await client.send(get("/"));
			const server = await upstream.accepted(index);
			await head(server);
			await server.send(answer.slice(0, 50));
			await head(client);
			server.end(answer.slice(50));
			// Node tells of an end where a reset waits behind bytes; either way no last chunk, and no last byte, came.
			await client.over();
			assert.doesNotMatch(client.received.toString(), /\r\n0\r\n|xyz/);
		}
		const reasons = (await gateway.sessions(3)).map(({ reason }) => reason);
		assert.deepEqual(reasons, ["upstream_closed", "bad_response", "upstream_closed"]);
		const cause = { cause: "chunk_size" };
		assert.equal((await gateway.metrics()).sum("sluice_bad_responses_total", cause), 1);
	},
);
