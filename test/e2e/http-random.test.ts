/**
 * Random pipelines over shared upstream connections: requests and answers of every framing, cut anywhere, read in
 * fits and starts. Each client gets the answers to its own requests, in their order, byte by byte.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { Random } from "../../src/rig/random.js";
import { startGateway } from "../support/gateway.js";
import { dial, type Peer } from "../support/peers.js";
import { chunk, head, listening, requestsConfig } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";

const CLIENTS = 8;
const REQUESTS = 25;

interface Asked {
	readonly id: string;
	readonly method: "GET" | "HEAD" | "POST";
	readonly body: string;
	/** `none`, `length` or `chunked`. */
	readonly framing: string;
	/** How the answer is to be framed, and how much of filler it is to have. */
	readonly frame: string;
	readonly filler: number;
}

/** Mostly small, sometimes about a buffer, rarely more than a socket takes. */
function sizeFrom(random: Random): number {
	const kind = random.fraction();
	if (kind < 0.6) return random.below(200);
	if (kind < 0.9) return 32_768 - 400 + random.below(800);
	return random.below(600_000);
}

function askedFrom(random: Random, id: string): Asked {
	const method = random.pick(["GET", "HEAD", "POST", "POST"] as const);
	const framing = method === "POST" ? random.pick(["length", "chunked"]) : "none";
	const body = framing === "none" ? "" : "b".repeat(sizeFrom(random));
	const frame = random.pick(["length", "chunked", "none"]);
	return { id, method, body, framing, frame, filler: sizeFrom(random) };
}

function written({ id, method, body, framing, frame, filler }: Asked, random: Random): string {
	const fields = `Host: a.test\r\nX-Id: ${id}\r\nX-Frame: ${frame}\r\nX-Filler: ${filler}\r\n`;
	const start = `${method} /${id} HTTP/1.1\r\n${fields}`;
	if (framing === "none") return `${start}\r\n`;
	if (framing === "length") return `${start}Content-Length: ${body.length}\r\n\r\n${body}`;
	let chunks = "";
	for (let at = 0; at < body.length; ) {
		const size = random.between(1, 40_000);
		chunks += chunk(body.slice(at, at + size));
		at += size;
	}
	return `${start}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`;
}

function bodyOf({ id, body, filler }: Asked): string {
	const digest = createHash("sha256").update(body).digest("hex");
	return `${id} ${digest} ${"f".repeat(filler)}`;
}

/** Answers what was asked once it has all of the body, in writes of random sizes. */
function startServer(scenario: Scenario, seed: number): Promise<string> {
	const random = new Random(seed);
	return listening(
		scenario,
		createServer((incoming, response) => {
			const hash = createHash("sha256");
			incoming.on("data", (block: Buffer) => hash.update(block));
			incoming.on("end", () => {
				const { "x-id": id, "x-frame": frame, "x-filler": filler } = incoming.headers;
				response.setHeader("x-id", String(id));
				const text = `${String(id)} ${hash.digest("hex")} ${"f".repeat(Number(filler))}`;
				if (frame === "none") response.statusCode = 204;
				if (frame === "length") response.setHeader("content-length", text.length);
				if (frame === "none" || incoming.method === "HEAD") {
					response.end();
					return;
				}
				for (let at = 0; at < text.length; ) {
					const size = random.between(1, 50_000);
					response.write(text.slice(at, at + size));
					at += size;
				}
				response.end();
			});
		}),
	);
}

/** Sends in pieces of random sizes, and stops reading now and then. */
async function sendCut(client: Peer, text: string, random: Random): Promise<void> {
	for (let at = 0; at < text.length; ) {
		const size = random.chance(0.5) ? random.between(1, 100) : random.between(1, 100_000);
		if (random.chance(0.1)) client.socket.pause();
		await client.send(text.slice(at, at + size));
		client.socket.resume();
		at += size;
	}
}

async function readAnswer(client: Peer, asked: Asked): Promise<void> {
	const text = await head(client);
	assert.match(text, new RegExp(`\\r\\nx-id: ${asked.id}\\r\\n`));
	const expected = bodyOf(asked);
	if (asked.frame === "none") assert.match(text, /^HTTP\/1\.1 204 /);
	else if (asked.method === "HEAD") assert.match(text, /^HTTP\/1\.1 200 /);
	else if (asked.frame === "length")
		assert.ok((await client.take(expected.length)).equals(Buffer.from(expected)));
	else assert.equal(await readChunks(client), expected);
}

async function readChunks(client: Peer): Promise<string> {
	let body = "";
	for (;;) {
		let line = "";
		while (!line.endsWith("\r\n")) line += (await client.take(1)).toString("latin1");
		const size = Number.parseInt(line, 16);
		body += (await client.take(size)).toString("latin1");
		await client.expect("\r\n");
		if (size === 0) return body;
	}
}

for (const [sections, seed] of [
	["", 1],
	["limits: { buffered_bytes: 64KiB }", 2],
	["sockets: { unsent: 16KiB, send_buffer: 16KiB, receive_buffer: 16KiB }", 3],
] as const) {
	scenario(
		`every client gets its own answers in order, with ${sections || "the defaults"}`,
		async (scenario) => {
			const address = await startServer(scenario, seed);
			const pool = "pool: { requests: 7 }";
			const gateway = await startGateway(scenario, requestsConfig(address, { sections, pool }));
			const talks = Array.from({ length: CLIENTS }, async (_, index) => {
				const random = new Random(100 * seed + index);
				const asked = Array.from({ length: REQUESTS }, (__, n) => askedFrom(random, `${index}-${n}`));
				const client = await dial(scenario, gateway.port());
				const sent = sendCut(client, asked.map((one) => written(one, random)).join(""), random);
				for (const one of asked) await readAnswer(client, one);
				await sent;
				client.end();
				assert.equal(await client.rest(), "");
			});
			await Promise.all(talks);
			const metrics = await gateway.metrics();
			assert.equal(metrics.sum("sluice_requests_total"), CLIENTS * REQUESTS);
			assert.equal(metrics.sum("sluice_pool_borrowed_total"), metrics.sum("sluice_pool_returned_total"));
			for (const { reason } of await gateway.sessions(CLIENTS)) assert.equal(reason, "client_closed");
			await gateway.metricIs("sluice_buffered_bytes", (bytes) => bytes === 0);
		},
	);
}
