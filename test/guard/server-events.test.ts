/** What servers, and those who build on them, do with the events that a guard stands before. */
import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import type { Server } from "node:net";
import { test } from "node:test";
import { WebSocketServer } from "ws";
import { guard, OptionError } from "../../src/guard/guard.js";

test("what is no server of Node's is refused, with the name of what to give instead", () => {
	const sockets = new WebSocketServer({ noServer: true });
	const application: RequestListener = (_, response) => void response.end();
	for (const wrong of [sockets, application, {}, undefined])
		assert.throws(
			() => guard(wrong as unknown as Server),
			(error) => error instanceof OptionError && /^server: .*fastify\.server/.test(error.message),
		);
});
