/** A guard beneath Fastify. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type FastifyServerOptions, fastify } from "fastify";
import { LOOPBACK } from "../../support/peers.js";
import { ask, client, gone, stand, textOf, until } from "../standing.js";
import {
	type Application,
	get,
	httpFramework,
	LARGE_BYTES,
	post,
	QUICK,
	SILENCE_MS,
	type SlowRequests,
	serve,
} from "./http-application.js";

function make(slow: SlowRequests, options: FastifyServerOptions = {}): Application {
	const app = fastify(options);
	app.get("/hello", async () => "hello");
	app.post("/json", async (request) => request.body);
	app.addContentTypeParser("application/octet-stream", (_, payload, done) => done(null, payload));
	app.post("/upload", async (request) => {
		let bytes = 0;
		for await (const piece of request.raw) bytes += (piece as Buffer).length;
		return String(bytes);
	});
	app.get("/events", (_, reply) => {
		reply.hijack();
		reply.raw.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
		setTimeout(() => reply.raw.end("data: 2\n\n"), SILENCE_MS);
	});
	app.get("/forever", (_, reply) => {
		reply.hijack();
		reply.raw.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
	});
	app.get("/large", async () => "x".repeat(LARGE_BYTES));
	app.get("/broken", async () => {
		throw new Error("it broke");
	});
	app.get("/slow", (_, reply) => slow.add(() => reply.send("slow answer")));
	return {
		server: app.server,
		listen: () => app.listen({ port: 0, host: LOOPBACK }),
		close: () => app.close(),
	};
}

httpFramework("Fastify", (slow) => make(slow));

test("Fastify: a body that comes too slowly is answered with 408, as request_timeout", async () => {
	await serve(make, { timeouts: QUICK }, async ({ port, closed }) => {
		const socket = await client(port, `${post("/json", 100_000)}{`);
		const timer = setInterval(() => socket.write(" "), 500);
		assert.match(await textOf(socket), /^HTTP\/1\.1 408 [^{]*$/);
		clearInterval(timer);
		assert.equal((await closed()).reason, "request_timeout");
	});
});

test("Fastify: the guard's deadlines hold in place of those that it was made with", async () => {
	const short = { connectionTimeout: 300, requestTimeout: 300, keepAliveTimeout: 100 };
	await serve(
		(slow) => make(slow, short),
		{ timeouts: { ...QUICK, keepAlive: 600 } },
		async ({ port, closed }) => {
			assert.equal((await ask(port, "/events")).text, "data: 1\n\ndata: 2\n\n");
			assert.equal((await closed()).reason, "upstream_closed");
			const socket = await client(port, get("/hello"));
			await until(socket, /hello/);
			const { reason, durationMs } = await closed();
			assert.equal(reason, "idle_timeout");
			assert.ok(durationMs >= 600, `${durationMs}`);
		},
	);
});

test("Fastify: a keepAliveTimeout of the server that is set behind the guard holds as well, and is the server's own end", async () => {
	await serve(make, {}, async ({ port, application, closed }) => {
		application.server.keepAliveTimeout = 100;
		const socket = await client(port, get("/hello"));
		await until(socket, /hello/);
		await gone(socket);
		assert.equal((await closed()).reason, "upstream_closed");
	});
});

test("Fastify: its close may close the guard, in a preClose hook", async () => {
	const app = fastify();
	let answer: () => void = () => {};
	app.get("/", (_, reply) => {
		answer = () => void reply.send("slow answer");
		app.server.emit("asked");
	});
	const listen = async (): Promise<unknown> => app.listen({ port: 0, host: LOOPBACK });
	let drain: () => Promise<unknown> = async () => {};
	app.addHook("preClose", () => drain().then(() => {}));
	await stand(
		app.server,
		{},
		async ({ port, guarded }) => {
			drain = () => guarded.close({ drainMs: "1m" });
			const asked = new Promise((resolve) => app.server.once("asked", resolve));
			const socket = await client(port, get("/"));
			await asked;
			const drained = new Promise((resolve) => guarded.once("drain", () => resolve(undefined)));
			const closed = app.close();
			await drained;
			answer();
			assert.match(await textOf(socket), /slow answer/);
			await closed;
		},
		{ listen },
	);
});
