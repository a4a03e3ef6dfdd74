/** Empty lines behind a request are none (RFC 9112, 2.2); and what is no request at all is told so, in words it can read. */
import assert from "node:assert/strict";
import { dial } from "../support/peers.js";
import { answering, get, message, ok, startRequests } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

const POST = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi";

scenario("empty lines behind a request get no answer, and the connection is idle", async (scenario) => {
	const { gateway } = await startRequests(
		scenario,
		({ socket }) => socket.on("data", () => socket.write(ok("fine"))),
		{ sections: "timeouts: { request_head: 100ms, keep_alive: 300ms }" },
	);
	const tails = ["\r\n", "\n", "\r\n\r\n", "\r", "\r\n\n\r\n\r\n"];
	const clients = await Promise.all(tails.map(() => dial(scenario, gateway.port())));
	await Promise.all(
		clients.map(async (client, index) => {
			client.socket.write(POST + tails[index]);
			assert.equal((await message(client)).body, "fine");
			assert.equal(await client.rest(), "", JSON.stringify(tails[index]));
			client.end();
		}),
	);
	for (const { reason } of await gateway.sessions(tails.length)) assert.equal(reason, "idle_timeout");
});

scenario("a request may follow them, cut anywhere", async (scenario) => {
	const { gateway } = await startRequests(
		scenario,
		answering(() => ok("fine")),
	);
	const client = await dial(scenario, gateway.port());
	await client.send(get("/"));
	await message(client);
	for (const text of ["\r", "\n", "\r\n\r\n", "\r\n", get("/"), `\r\n\r\n${get("/")}`, `\n${get("/")}\r\n`]) {
		await client.send(text);
		if (text.includes("GET")) assert.equal((await message(client)).body, "fine");
	}
	await client.send("\rGET / HTTP/1.1\r\n");
	assert.match(await client.rest(), /^HTTP\/1\.1 400 /);
	client.end();
	assert.equal((await gateway.onlySession()).reason, "bad_request");
});

scenario("what is no request is answered where requests are read", async (scenario) => {
	const { gateway } = await startRequests(scenario);
	for (const text of [
		"get / HTTP/1.1\r\nHost: a.test\r\n\r\n",
		`\r\n\r\n${get("/")}`,
		"\r\n\r\n",
		"EHLO a.test\r\n",
		"\0\x01\x02",
	]) {
		const client = await dial(scenario, gateway.port());
		client.socket.write(text);
		assert.match(
			await client.rest(),
			/^HTTP\/1\.1 400 [\s\S]*\r\nConnection: close\r\n/,
			JSON.stringify(text),
		);
		client.end();
		assert.equal((await gateway.sessionOf(client)).reason, "bad_request");
	}
	const client = await dial(scenario, gateway.port());
	client.socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");
	const frames = Buffer.from(await client.rest(), "latin1");
	// SETTINGS, then GOAWAY with HTTP_1_1_REQUIRED (RFC 9113, 7).
	assert.equal(frames.toString("hex"), "000000040000000000" + "0000080700000000000000000" + "00000000d");
	client.end();
	assert.equal((await gateway.sessionOf(client)).reason, "bad_request");
});
