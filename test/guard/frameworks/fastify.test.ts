/** A guard beneath Fastify. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fastify } from "fastify";
import { LOOPBACK } from "../../support/peers.js";
import { ask, client, gone, stand, textOf, until } from "../standing.js";
import { make } from "./fastify-application.js";
import { get, httpFramework, QUICK, serve } from "./http-application.js";

httpFramework("Fastify", (slow) => make(slow));

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
