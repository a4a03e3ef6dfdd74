/** The inspector's API: what it shows, and to whom. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { Follower } from "../../../src/tunnel/inspector/follower.js";
import { startInspector } from "../../support/inspector.js";
import { dial } from "../../support/peers.js";
import { scenario } from "../../support/scenario.js";
import { eventually } from "../../support/waiting.js";

const GET = "GET /a HTTP/1.1\r\nHost: app.test\r\nAuthorization: Bearer abc\r\nCookie: id=1\r\n\r\n";
const OK =
	"HTTP/1.1 200 OK\r\nSet-Cookie: id=2\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n";

scenario("exchanges are listed, the newest first, and each is shown whole", async (scenario) => {
	const inspector = await startInspector(scenario);
	inspector.pass(GET, `${OK}{"a":1}`);
	inspector.pass(
		"POST /b?c=d HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nx=1\r\n0\r\nX-Sum: 9\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
	);
	const list = await inspector.list();
	assert.deepEqual(
		list.map(({ id, method, target, host, status, state, request_bytes, response_bytes, tunnel }) =>
			[id, method, target, host, status, state, request_bytes, response_bytes, tunnel].join(" "),
		),
		["2 POST /b?c=d app.test 204 done 3 0 app", "1 GET /a app.test 200 done 0 7 app"],
	);
	const { request, response, interim, no_replay, began, ...detail } = await inspector.detail(1);
	assert.equal(request?.line, "GET /a HTTP/1.1");
	assert.equal(response?.line, "HTTP/1.1 200 OK");
	assert.deepEqual(
		[response?.body.kind, response?.body.text, response?.body.pretty],
		["json", '{"a":1}', '{\n\t"a": 1\n}'],
	);
	assert.deepEqual([interim, no_replay, request?.body.kind], [[], null, "empty"]);
	assert.ok(Math.abs(Date.parse(began) - Date.now()) < 600_000);
	assert.ok((detail.first_byte_ms ?? -1) >= 0 && (detail.duration_ms ?? -1) >= (detail.first_byte_ms ?? 0));
	const second = await inspector.detail(2);
	assert.deepEqual(second.interim, [103]);
	assert.deepEqual(second.request?.trailers, [{ name: "X-Sum", value: "9", secret: false }]);
	assert.equal((await inspector.ask("/api/exchanges/3")).status, 404);
});

scenario("secrets are hidden until they are asked for, one exchange at a time", async (scenario) => {
	const inspector = await startInspector(scenario);
	inspector.pass(GET, `${OK}{"a":1}`);
	const secrets = /Bearer abc|id=1|id=2/;
	for (const path of [
		"/api/exchanges",
		"/api/exchanges/1",
		"/api/exchanges/1?secrets=",
		"/api/exchanges/1?secrets=no",
	])
		assert.doesNotMatch(await (await inspector.ask(path)).text(), secrets, path);
	const hidden = await inspector.detail(1);
	assert.equal(hidden.hidden, 3);
	assert.deepEqual(hidden.request?.fields, [
		{ name: "Host", value: "app.test", secret: false },
		{ name: "Authorization", value: null, secret: true },
		{ name: "Cookie", value: null, secret: true },
	]);
	const shown = await inspector.detail(1, "?secrets=shown");
	assert.deepEqual(
		[...(shown.request?.fields ?? []), ...(shown.response?.fields ?? [])]
			.filter(({ secret }) => secret)
			.map(({ value }) => value),
		["Bearer abc", "id=1", "id=2"],
	);
	assert.equal(shown.hidden, 0);
});

scenario("a body is shown unpacked, and saved as it came or unpacked", async (scenario) => {
	const inspector = await startInspector(scenario);
	const packed = gzipSync("<p>grüße</p>");
	const head = `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n\r\n`;
	inspector.pass(GET, Buffer.concat([Buffer.from(head), packed]));
	const { response } = await inspector.detail(1);
	assert.deepEqual(
		[response?.body.text, response?.body.bytes, response?.body.encoding, response?.body.cut],
		["<p>grüße</p>", packed.length, "gzip", false],
	);
	const saved = await inspector.ask("/api/exchanges/1/response/body");
	assert.ok(packed.equals(Buffer.from(await saved.arrayBuffer())));
	// Whatever it is, no browser takes it for a page of this site.
	assert.deepEqual(
		["content-type", "x-content-type-options", "content-disposition"].map((name) => saved.headers.get(name)),
		["application/octet-stream", "nosniff", 'attachment; filename="response-1.bin"'],
	);
	assert.equal(await (await inspector.ask("/api/exchanges/1/response/body?unpacked")).text(), "<p>grüße</p>");
});

scenario("of a long body the first part is kept, and it says so", async (scenario) => {
	const inspector = await startInspector(scenario);
	inspector.pass(GET, `HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n${"ü".repeat(50_000)}`);
	const body = (await inspector.detail(1)).response?.body;
	assert.deepEqual(
		[body?.bytes, body?.kept_bytes, body?.cut, body?.text?.length],
		[100_000, 65_536, true, 32_768],
	);
});

scenario("it answers under names of this machine only, whoever is reached by them", async (scenario) => {
	const inspector = await startInspector(scenario);
	const port = Number(new URL(inspector.url).port);
	const cases: readonly (readonly [string, string])[] = [
		...[
			"localhost",
			"LOCALHOST:4040",
			"127.0.0.1",
			"127.1.2.3:1",
			"[::1]",
			"app.localhost:80",
			"localhost.",
		].map((host) => [`Host: ${host}\r\n`, "200"] as const),
		...[
			"evil.example",
			"10.0.0.1",
			"[::2]",
			"localhost.evil.example",
			"a b",
			"[::1",
			"127.0.0.1.evil.example",
		].map((host) => [`Host: ${host}\r\n`, "403"] as const),
	];
	for (const [head, status] of cases) {
		const client = await dial(scenario, port);
		await client.send(`GET /api/exchanges HTTP/1.1\r\n${head}Connection: close\r\n\r\n`);
		assert.equal((await client.rest()).slice(9, 12), status, head);
	}
});

scenario(
	"no page of another site can ask or change something, show it in a frame, or load its files",
	async (scenario) => {
		const inspector = await startInspector(scenario);
		inspector.pass(GET, `${OK}{"a":1}`);
		for (const headers of [
			{ origin: "http://evil.example" },
			{ origin: "null" },
			{ origin: inspector.url.replace("http", "https").replace(/\d+$/, "1") },
			{ "sec-fetch-site": "cross-site" },
			{ "sec-fetch-site": "same-site" },
		]) {
			for (const [path, method] of [
				["/api/exchanges", "DELETE"],
				["/api/exchanges/1/replay", "POST"],
				["/api/exchanges", "GET"],
				["/api/events", "GET"],
			] as const) {
				const response = await inspector.ask(path, { method, headers });
				assert.equal(response.status, 403, JSON.stringify(headers));
				await response.text();
			}
		}
		assert.equal((await inspector.list()).length, 1);
		// A link to the page may stand anywhere, and an address may be written by hand.
		for (const [path, site] of [
			["/", "cross-site"],
			["/api/exchanges", "none"],
		] as const) {
			const response = await inspector.ask(path, { headers: { "sec-fetch-site": site } });
			assert.equal(response.status, 200);
			await response.text();
		}
		const page = await inspector.ask("/");
		assert.match(
			page.headers.get("content-security-policy") ?? "",
			/default-src 'none'.*frame-ancestors 'none'/,
		);
		assert.equal(page.headers.get("cross-origin-resource-policy"), "same-origin");
		await page.text();
		const cleared = await inspector.ask("/api/exchanges", {
			method: "DELETE",
			headers: { origin: inspector.url },
		});
		assert.equal(cleared.status, 200);
		assert.deepEqual(await inspector.list(), []);
	},
);

scenario("all that the page is made of is there, and comes from here", async (scenario) => {
	const inspector = await startInspector(scenario);
	const seen = new Map<string, string>();
	const look = async (path: string): Promise<void> => {
		if (seen.has(path)) return;
		const response = await inspector.ask(path);
		assert.equal(response.status, 200, path);
		seen.set(path, response.headers.get("content-type") ?? "");
		const body = await response.text();
		for (const [, found = ""] of body.matchAll(/(?: src=| href=|\bfrom )"([^"#]+)"/g))
			await look(new URL(found, `${inspector.url}${path}`).pathname);
	};
	await look("/");
	assert.deepEqual([...seen].map(([path, type]) => `${path} ${type.split(";")[0]}`).sort(), [
		"/ text/html",
		"/browser/dom.js text/javascript",
		"/page/ask.js text/javascript",
		"/page/body.js text/javascript",
		"/page/detail.js text/javascript",
		"/page/icon.svg image/svg+xml",
		"/page/list.js text/javascript",
		"/page/main.js text/javascript",
		"/page/style.css text/css",
	]);
});

scenario("what is not there, and what cannot be done with it, is told", async (scenario) => {
	const inspector = await startInspector(scenario);
	inspector.pass(GET, `${OK}{"a":1}`);
	const cases: readonly (readonly [string, string, number, RegExp])[] = [
		["GET", "/nothing", 404, /here are \/ and/],
		["POST", "/", 405, /only GET/],
		["GET", "/api/nothing", 404, /there are \/api\/exchanges/],
		["GET", "/api/exchanges/99", 404, /exchange 99 is not kept/],
		["GET", "/api/exchanges/x", 404, /not found/],
		["GET", "/api/exchanges/1/body", 404, /not found/],
		["GET", "/api/exchanges/1/replay", 405, /only POST/],
		["POST", "/api/exchanges", 405, /only GET, HEAD, DELETE/],
		["POST", "/api/exchanges/1", 405, /only GET/],
		["POST", "/api/events", 405, /only GET/],
		["POST", "/api/exchanges/1/replay", 409, /no http tunnel "app" any more/],
	];
	for (const [method, path, status, message] of cases) {
		const response = await inspector.ask(path, { method });
		assert.equal(response.status, status, path);
		assert.match(((await response.json()) as { error: string }).error, message, path);
		if (status === 405) assert.notEqual(response.headers.get("allow"), null);
	}
	const head = await inspector.ask("/api/exchanges", { method: "HEAD" });
	assert.deepEqual([head.status, await head.text()], [200, ""]);
});

scenario("what happens is told to viewers, and one picture of an exchange is enough", async (scenario) => {
	const inspector = await startInspector(scenario);
	const response = await inspector.ask("/api/events");
	assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
	const reader = (response.body as ReadableStream<Uint8Array>)
		.pipeThrough(new TextDecoderStream())
		.getReader();
	let text = "";
	const until = async (pattern: RegExp): Promise<void> => {
		while (!pattern.test(text)) {
			const { value, done } = await reader.read();
			assert.ok(!done, text);
			text += value;
		}
	};
	await until(/retry: 1000\n\n/);
	const follower = new Follower(inspector.exchanges, "app");
	follower.fromVisitor(Buffer.from(GET));
	follower.toVisitor(Buffer.from(OK));
	for (const letter of '{"a":1}') follower.toVisitor(Buffer.from(letter));
	await until(/event: exchange\ndata: \{.*"status":200,"state":"done".*\}\n\n/);
	assert.equal(text.split("event: exchange").length, 2, text);
	assert.doesNotMatch(text, /Bearer abc/);
	inspector.exchanges.clear();
	await until(/event: cleared\n/);
	await reader.cancel();
});

scenario("a viewer that reads nothing is dropped, and keeps nobody else from reading", async (scenario) => {
	const inspector = await startInspector(scenario);
	const port = Number(new URL(inspector.url).port);
	const deaf = await dial(scenario, port);
	await deaf.send("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
	await deaf.expect("HTTP/1.1 200 OK\r\n");
	deaf.socket.pause();
	const reading = await dial(scenario, port);
	await reading.send("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
	await reading.expect("HTTP/1.1 200 OK\r\n");
	await inspector.viewersAre(2);
	// Until what the kernel takes for it is full, and its outbox as well.
	let told = 0;
	for (; (await inspector.viewers()) === 2; told += 500)
		for (let count = 0; count < 500; count++) inspector.exchanges.clear();
	assert.equal(await inspector.viewers(), 1);
	await eventually(
		() => (reading.received.toString().split("event: cleared").length > told ? true : undefined),
		() => `${told} events`,
	);
	reading.socket.destroy();
	await inspector.viewersAre(0);
});

scenario("so many may watch, and one more is told so", async (scenario) => {
	const inspector = await startInspector(scenario);
	const watching = Array.from({ length: 16 }, () => inspector.ask("/api/events"));
	for (const each of watching) assert.equal((await each).status, 200);
	const more = await inspector.ask("/api/events");
	assert.deepEqual(
		[more.status, await more.json()],
		[503, { error: "too many are watching already: close a page" }],
	);
	for (const each of watching) await (await each).body?.cancel();
	await inspector.viewersAre(0);
});
