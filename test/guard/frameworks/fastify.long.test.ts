/** A guard beneath Fastify, over the ten seconds in which a body is measured. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { client, textOf } from "../standing.js";
import { make } from "./fastify-application.js";
import { post, QUICK, serve } from "./http-application.js";

test("Fastify: a body that comes too slowly is answered with 408, as request_timeout", async () => {
	await serve(make, { timeouts: QUICK }, async ({ port, closed }) => {
		const socket = await client(port, `${post("/json", 100_000)}{`);
		const timer = setInterval(() => socket.write(" "), 500);
		assert.match(await textOf(socket), /^HTTP\/1\.1 408 [^{]*$/);
		clearInterval(timer);
		assert.equal((await closed()).reason, "request_timeout");
	});
});
