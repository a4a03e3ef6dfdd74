/** Bounds on the requests of HTTP/1: how long one may take, how many of a connection there may be, and who waits for one. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { test } from "node:test";
import { eventually } from "../support/waiting.js";
import { client, gone, REQUEST, stand, textOf } from "./standing.js";

const LONG = 60_000;

test("a request that the handler does not answer in time is answered with 503, as response_timeout", async () => {
	const server = createServer(() => {});
	await stand(server, { timeouts: { request: 200, stall: LONG } }, async ({ port, closed }) => {
		assert.match(await textOf(await client(port, REQUEST)), /^HTTP\/1\.1 503 .*\r\n\r\n$/s);
		assert.equal((await closed()).reason, "response_timeout");
	});
});

test("an answer that has begun and does not end is cut, and nothing is written into it", async () => {
	const server = createServer((_, response) => void response.write("half"));
	await stand(server, { timeouts: { request: 200, stall: LONG } }, async ({ port, closed }) => {
		const text = await textOf(await client(port, REQUEST));
		assert.match(text, /^HTTP\/1\.1 200 .*half/s);
		assert.doesNotMatch(text, /503/);
		assert.equal((await closed()).reason, "response_timeout");
	});
});

test("an answer that streams has no such time, and the request behind it has its own", async () => {
	const held: ServerResponse[] = [];
	const server = createServer((_, response) => {
		held.push(response);
		server.emit("held", response);
	});
	await stand(server, { timeouts: { request: 100, stall: LONG } }, async ({ port, closed, guarded }) => {
		server.once("held", (response: ServerResponse) => guarded.streams(response));
		const socket = await client(port, REQUEST);
		await once(server, "held");
		// One that came later has had its time.
		assert.match(await textOf(await client(port, REQUEST)), /^HTTP\/1\.1 503 /);
		assert.equal((await closed()).reason, "response_timeout");
		assert.equal(guarded.counts.open, 1);
		held[0]?.end("hello");
		const next = once(server, "held");
		socket.write(REQUEST);
		await next;
		assert.match(await textOf(socket), /hello.*HTTP\/1\.1 503 /s);
		assert.equal((await closed()).reason, "response_timeout");
	});
});

test("a client that takes its answer too slowly, or does not send its body, is the one that is named", async () => {
	const big = Buffer.alloc(64 << 20);
	const server = createServer((request, response) => {
		if (request.method === "GET") response.end(big);
		else request.resume();
	});
	await stand(server, { timeouts: { request: 300, stall: LONG } }, async ({ port, closed }) => {
		const slow = await client(port, REQUEST);
		slow.pause();
		assert.equal((await closed()).reason, "stall_timeout");
		slow.destroy();
		const half = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf";
		assert.match(await textOf(await client(port, half)), /^HTTP\/1\.1 408 /);
		assert.equal((await closed()).reason, "request_timeout");
	});
});

test("the time of a request that was sent ahead begins when the one before it is answered", async () => {
	const answers: ServerResponse[] = [];
	const server = createServer((_, response) => {
		answers.push(response);
		setTimeout(() => response.end("hello"), answers.length * 250);
	});
	await stand(server, { timeouts: { request: 450 } }, async ({ port, closed }) => {
		const socket = await client(
			port,
			REQUEST + REQUEST + REQUEST.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
		);
		assert.equal((await textOf(socket)).match(/HTTP\/1\.1 200/g)?.length, 3);
		assert.equal((await closed()).reason, "upstream_closed");
	});
});

test("who has waited longest makes room for who comes; who is answered does not", async () => {
	const held: ServerResponse[] = [];
	const server = createServer((_, response) => {
		held.push(response);
		server.emit("held");
	});
	await stand(
		server,
		{ timeouts: { handshake: LONG }, limits: { waiting: 2 } },
		async ({ port, closed, guarded }) => {
			const asks = new Promise((resolve) => server.once("held", resolve));
			const asking = await client(port, REQUEST);
			await asks;
			const first = await client(port);
			const second = await client(port);
			await eventually(
				() => guarded.counts.open === 3 || undefined,
				() => `three connections, there are ${guarded.counts.open}`,
			);
			const third = await client(port);
			await gone(first);
			assert.equal((await closed()).reason, "limit_connections");
			assert.deepEqual([second.destroyed, third.destroyed, guarded.counts.open], [false, false, 3]);
			// It has its answer, and waits as the newest.
			held[0]?.end("hello");
			await gone(second);
			assert.equal((await closed()).reason, "limit_connections");
			assert.equal(asking.destroyed, false);
			for (const socket of [asking, third]) socket.destroy();
		},
	);
});

test("a client that sends ahead more than it may is answered that much, and closed behind it as recycled", async () => {
	let asked = 0;
	const held: ServerResponse[] = [];
	const server = createServer((_, response) => {
		asked++;
		held.push(response);
		if (asked === 3)
			setImmediate(() => {
				for (const each of held) each.end("hello");
			});
	});
	await stand(server, { limits: { requestsAtOnce: 3 } }, async ({ port, closed }) => {
		const text = await textOf(await client(port, REQUEST.repeat(400)));
		assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, 3);
		assert.equal(asked, 3);
		assert.equal((await closed()).reason, "recycled");
	});
});
