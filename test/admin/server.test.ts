import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { openAdmin } from "../../src/admin/server.js";
import type { LedgerReport } from "../../src/admin/view.js";
import { parseExposition } from "./exposition.js";
import { askAdmin, startAdmin } from "./port.js";
import { viewOf } from "./view.js";

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
	const port = await startAdmin(t, { listeners: () => [{ slot: 0, name: "a" }] });
	const { status, headers, body } = await askAdmin(port, "/metrics");
	assert.equal(status, 200);
	assert.match(headers["content-type"] ?? "", /^text\/plain; version=0\.0\.4/);
	assert.equal(headers["cache-control"], "no-store");
	const families = parseExposition(body);
	assert.ok(families.has("sluice_connections_active"));
	assert.ok(families.has("sluice_guard_connections"), "its own connections");
	assert.equal((await askAdmin(port, "/metrics?format=prometheus")).status, 200, "a query changes nothing");
});

test("/healthz says that the process answers, /readyz whether it takes connections", async (t) => {
	let state: "starting" | "ready" | "draining" = "starting";
	const port = await startAdmin(t, { state: () => state });
	const answers = async (path: string) => {
		const { status, body } = await askAdmin(port, path);
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
	const port = await startAdmin(t);
	for (const path of ["/metric", "/metrics/", "/api", "/Metrics", "/../etc/passwd"]) {
		const { status, body } = await askAdmin(port, path);
		assert.equal(status, 404, path);
		assert.match(body, /\/metrics/);
	}
	const { status, body } = await askAdmin(port, "/");
	assert.equal(status, 200);
	assert.match(body, /\/healthz/);
});

test("other methods are 405, whatever the path", async (t) => {
	const port = await startAdmin(t);
	for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
		for (const path of ["/metrics", "/nothing"])
			assert.equal((await askAdmin(port, path, { method })).status, 405);
});

test("405 says which methods are allowed (RFC 9110, section 15.5.6)", async (t) => {
	const port = await startAdmin(t);
	const { headers } = await askAdmin(port, "/metrics", { method: "POST" });
	assert.deepEqual((headers.allow ?? "").split(/, */).sort(), ["GET", "HEAD"]);
});

test("HEAD is GET without the body", async (t) => {
	const port = await startAdmin(t);
	for (const path of ["/healthz", "/readyz", "/nothing"]) {
		const [get, head] = [await askAdmin(port, path), await askAdmin(port, path, { method: "HEAD" })];
		assert.equal(head.status, get.status);
		assert.equal(head.body, "");
		assert.equal(head.headers["content-length"], String(get.body.length));
	}
});

test("a port in use is Node's own error, for the gateway to explain", async (t) => {
	const port = await startAdmin(t);
	await assert.rejects(openAdmin({ host: "127.0.0.1", port }, viewOf()), { code: "EADDRINUSE" });
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

test("pages are shown under addresses, localhost and the names that were given, and under no other", async (t) => {
	const port = await startAdmin(t, { adminHosts: () => ["sluice.internal"] });
	const status = async (host: string, path = "/metrics", version = "1.1"): Promise<string> => {
		const answer = await exchange(
			port,
			`GET ${path} HTTP/${version}\r\nHost: ${host}\r\nOrigin: http://${host}\r\nConnection: close\r\n\r\n`,
		);
		assert.doesNotMatch(answer, /access-control/i);
		return answer.slice(9, 12);
	};
	for (const host of [
		...["127.0.0.1", `127.0.0.1:${port}`, "10.0.0.5:9090", "[::1]:9090", "[fd00::5]"],
		...["localhost", "LOCALHOST:9090", "a.localhost", "localhost."],
		...["sluice.internal", "Sluice.Internal:9090", "sluice.internal."],
	])
		assert.equal(await status(host), "200", host);
	for (const host of [
		...[
			"evil.example",
			"evil.example:9090",
			"localhost.evil.example",
			"notlocalhost",
			"127.0.0.1.evil.example",
		],
		...["x.sluice.internal", "sluice", "2130706433", "0x7f.1", "[evil.example]", "127.0.0.1:9090:1", ""],
	]) {
		assert.equal(await status(host), "403", host);
		assert.equal(await status(host, "/api/ledger"), "403", host);
		assert.equal(await status(host, "/"), "403", host);
		assert.equal(await status(host, "/healthz"), "200", "load balancers use the names they know");
		assert.equal(await status(host, "/readyz"), "200");
	}
	// Every name counts that a request says, a whole URL's as well (RFC 9112, 3.2.2).
	for (const [target, fields, expected] of [
		["http://localhost/metrics", "Host: localhost\r\n", "200"],
		["HTTP://127.0.0.1:9090/healthz?x", "Host: evil.example\r\n", "200"],
		["http://localhost", "Host: localhost\r\n", "200"],
		["http://evil.example/metrics", "Host: localhost\r\n", "403"],
		["http://localhost@evil.example/metrics", "Host: localhost\r\n", "403"],
		["http://localhost/metrics", "Host: evil.example\r\n", "403"],
		["/metrics", "Host: localhost\r\nHost: evil.example\r\n", "403"],
	]) {
		const answer = await exchange(port, `GET ${target} HTTP/1.1\r\n${fields}Connection: close\r\n\r\n`);
		assert.equal(answer.slice(9, 12), expected, `${target} ${fields}`);
	}
	// A client of HTTP/1.0 that names nobody is no browser.
	assert.match(await exchange(port, "GET /metrics HTTP/1.0\r\n\r\n"), /^HTTP\/1\.1 200 /);
});

test("no page of another site may show an answer, or take it for something else", async (t) => {
	const { headers } = await askAdmin(await startAdmin(t), "/metrics");
	assert.equal(headers["x-content-type-options"], "nosniff");
	assert.equal(headers["cross-origin-resource-policy"], "same-origin");
});

/** Connections that stay, each with what it says. */
async function crowd(t: TestContext, port: number, size: number, said: string): Promise<void> {
	const sockets = Array.from({ length: size }, () => connect(port, "127.0.0.1"));
	t.after(() => {
		for (const socket of sockets) socket.destroy();
	});
	for (const socket of sockets) {
		socket.on("error", () => {});
		socket.resume();
		socket.write(said);
	}
	await Promise.all(sockets.map((socket) => once(socket, "connect")));
}

for (const [what, said] of [
	["unfinished heads", "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-"],
	["connections that say nothing", ""],
	["idle connections", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"],
] as const)
	test(`a crowd of ${what} keeps nobody from an answer`, async (t) => {
		const port = await startAdmin(t);
		await crowd(t, port, 120, said);
		for (const path of ["/healthz", "/readyz", "/metrics"])
			assert.equal((await askAdmin(port, path)).status, 200);
	});

test("long answers under way keep nobody from a short one, and eight are under way at most", async (t) => {
	let asked = 0;
	let give: (report: LedgerReport) => void = () => {};
	const report = new Promise<LedgerReport>((resolve) => {
		give = resolve;
	});
	const port = await startAdmin(t, {
		checkLedger: () => {
			asked++;
			return report;
		},
	});
	const waiting = Array.from({ length: 8 }, () => askAdmin(port, "/api/ledger"));
	while (asked < 8) await setImmediate();
	assert.equal((await askAdmin(port, "/healthz")).status, 200);
	for (const path of ["/metrics", "/api/ledger"]) {
		const { status, headers } = await askAdmin(port, path);
		assert.deepEqual([status, headers["retry-after"]], [503, "1"], path);
	}
	give({ checkedAt: "", tookMs: 0, descriptors: 0, kinds: viewOf().descriptors(), discrepancies: [] });
	for (const { status } of await Promise.all(waiting)) assert.equal(status, 200);
	assert.equal((await askAdmin(port, "/metrics")).status, 200);
	assert.equal(asked, 8);
});

test("who asks on without taking its answers gets the first one, and is closed behind it", async (t) => {
	const port = await startAdmin(t);
	const answer = await exchange(port, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20));
	assert.match(answer, /^HTTP\/1\.1 200 .*\r\n\r\nok\n$/s);
	assert.equal((await askAdmin(port, "/healthz")).status, 200);
});
