import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type TestContext, test } from "node:test";
import { Worker } from "node:worker_threads";
import { openAdmin } from "../../src/admin/server.js";
import type { AdminView } from "../../src/admin/view.js";
import { parseExposition } from "./exposition.js";
import { viewOf } from "./view.js";

async function start(t: TestContext, changes: Partial<AdminView> = {}): Promise<number> {
	const server = await openAdmin("127.0.0.1", 0, viewOf(changes));
	t.after(() => {
		server.closeAllConnections();
		server.close();
	});
	return (server.address() as AddressInfo).port;
}

async function ask(
	port: number,
	path: string,
	method = "GET",
): Promise<{ status: number | undefined; headers: IncomingMessage["headers"]; body: string }> {
	const sent = request({ host: "127.0.0.1", port, path, method, agent: false });
	sent.end();
	const [response] = (await once(sent, "response")) as [IncomingMessage];
	response.setEncoding("utf8");
	let body = "";
	for await (const part of response) body += part;
	return { status: response.statusCode, headers: response.headers, body };
}

/** What comes back on a connection until its end. */
async function exchange(port: number, bytes: string): Promise<string> {
	const socket = connect(port, "127.0.0.1");
	socket.setEncoding("latin1");
	let text = "";
	socket.on("data", (part: string) => {
		text += part;
	});
	// A server that is gone resets; what has come until then is the answer.
	socket.on("error", () => {});
	socket.write(bytes, "latin1");
	await new Promise((resolve) => socket.once("close", resolve));
	return text;
}

test("/metrics is the exposition, of this version of the format", async (t) => {
	const port = await start(t, { listeners: () => [{ slot: 0, name: "a" }] });
	const { status, headers, body } = await ask(port, "/metrics");
	assert.equal(status, 200);
	assert.match(headers["content-type"] ?? "", /^text\/plain; version=0\.0\.4/);
	assert.equal(headers["cache-control"], "no-store");
	assert.ok(parseExposition(body).has("sluice_connections_active"));
	assert.equal((await ask(port, "/metrics?format=prometheus")).status, 200, "a query changes nothing");
});

test("/healthz says that the process answers, /readyz whether it takes connections", async (t) => {
	let state: "starting" | "ready" | "draining" = "starting";
	const port = await start(t, { state: () => state });
	const answers = async (path: string) => {
		const { status, body } = await ask(port, path);
		return `${status} ${body}`;
	};
	assert.equal(await answers("/healthz"), "200 ok\n");
	assert.equal(await answers("/readyz"), "503 starting\n");
	state = "ready";
	assert.equal(await answers("/readyz"), "200 ready\n");
	state = "draining";
	assert.equal(await answers("/readyz"), "503 draining\n");
	assert.equal(await answers("/healthz"), "200 ok\n");
});

test("other paths are 404 and name those there are; / does too", async (t) => {
	const port = await start(t);
	for (const path of ["/metric", "/metrics/", "/api", "/Metrics", "/../etc/passwd"]) {
		const { status, body } = await ask(port, path);
		assert.equal(status, 404, path);
		assert.match(body, /\/metrics/);
	}
	const { status, body } = await ask(port, "/");
	assert.equal(status, 200);
	assert.match(body, /\/healthz/);
});

test("other methods are 405, whatever the path", async (t) => {
	const port = await start(t);
	for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
		for (const path of ["/metrics", "/nothing"]) assert.equal((await ask(port, path, method)).status, 405);
});

test("405 says which methods are allowed (RFC 9110, section 15.5.6)", async (t) => {
	const port = await start(t);
	const { headers } = await ask(port, "/metrics", "POST");
	assert.deepEqual((headers.allow ?? "").split(/, */).sort(), ["GET", "HEAD"]);
});

test("HEAD is GET without the body", async (t) => {
	const port = await start(t);
	for (const path of ["/healthz", "/readyz", "/nothing"]) {
		const [get, head] = [await ask(port, path), await ask(port, path, "HEAD")];
		assert.equal(head.status, get.status);
		assert.equal(head.body, "");
		assert.equal(head.headers["content-length"], String(get.body.length));
	}
});

test("a port in use is Node's own error, for the gateway to explain", async (t) => {
	const port = await start(t);
	await assert.rejects(openAdmin("127.0.0.1", port, viewOf()), { code: "EADDRINUSE" });
});

test("no request target takes the process down", async (t) => {
	const worker = new Worker(new URL("./admin-thread.js", import.meta.url));
	t.after(() => worker.terminate());
	const faults: Error[] = [];
	worker.on("error", (error) => faults.push(error as Error));
	const [port] = (await once(worker, "message")) as [number];
	// Node's HTTP parser passes any visible bytes; RFC 9112 has forms with an authority, an asterisk, a whole URL.
	for (const target of [
		"/healthz",
		"/%",
		"/%00%zz",
		"*",
		"http://other/healthz",
		"http://[",
		"?",
		"//",
		"///",
		"//:80",
		"http://",
	]) {
		const answer = await exchange(port, `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
		assert.deepEqual(faults, [], `GET ${target}`);
		assert.match(answer, /^HTTP\/1\.1 \d{3} /, `GET ${target}`);
	}
});
