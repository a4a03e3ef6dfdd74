/** One line per request, where a listener asks for it. */
import assert from "node:assert/strict";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, echo, startUpstream } from "../support/peers.js";
import { answering, get, head, message, ok, startRequests } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

interface RequestLine {
	readonly session: number;
	readonly listener: string;
	readonly route: string | null;
	readonly upstream: string | null;
	readonly address: string | null;
	readonly method: string | null;
	readonly host: string | null;
	readonly path: string | null;
	readonly status: number | null;
	readonly answered_by: string | null;
	readonly reason: string | null;
	readonly cause: string | null;
	readonly reused: boolean;
	readonly bytes_from_client: number;
	readonly bytes_to_client: number;
	readonly started: string;
	readonly duration_ms: number;
}

function linesOf(gateway: Gateway): RequestLine[] {
	return gateway.log.filter(({ message }) => message === "request") as unknown as RequestLine[];
}

/** Waits until there are so many lines of requests; there are no more once a session's line has followed them. */
async function requests(gateway: Gateway, count: number): Promise<RequestLine[]> {
	await gateway.logged(() => linesOf(gateway).length >= count);
	return linesOf(gateway);
}

const LOGGED = { listener: "log_requests: all" };

scenario("a line has all fields, and names the session that it belongs to", async (scenario) => {
	const { gateway, upstream } = await startRequests(scenario, () => {}, LOGGED);
	const client = await dial(scenario, gateway.port());
	const before = Date.now();
	const asked = "POST /a/b?token=secret HTTP/1.1\r\nHost: A.test:80\r\nContent-Length: 5\r\n\r\nhello";
	const answers = [ok("fine"), "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"];
	const heads: string[] = [];
	for (const answer of answers) {
		await client.send(asked);
		const server = await upstream.accepted();
		const { head: got, body } = await message(server);
		heads.push(got + body);
		server.socket.write(answer);
		await message(client);
	}
	client.end();
	const session = await gateway.onlySession();
	const lines = linesOf(gateway);
	assert.equal(lines.length, 2);
	for (const [index, line] of lines.entries()) {
		const { started, duration_ms: durationMs, bytes_to_client: toClient, ...rest } = line;
		assert.deepEqual(rest, {
			level: "info",
			time: (line as unknown as { time: string }).time,
			message: "request",
			session: session.id,
			listener: "127.0.0.1:0",
			route: "*",
			upstream: "a",
			address: upstream.address,
			method: "POST",
			host: "a.test",
			path: "/a/b",
			status: index === 0 ? 200 : 404,
			answered_by: "upstream",
			reason: null,
			cause: null,
			reused: index === 1,
			bytes_from_client: heads[index]?.length,
		});
		assert.ok(Math.abs(Date.parse(started) - before) < 60_000, started);
		assert.ok(durationMs >= 0 && durationMs < 60_000, String(durationMs));
		assert.ok(toClient > 0, String(toClient));
	}
	assert.equal(
		lines.reduce((sum, line) => sum + line.bytes_to_client, 0),
		session.bytes_to_client,
	);
	assert.equal(
		lines.reduce((sum, line) => sum + line.bytes_from_client, 0),
		session.bytes_from_client,
	);
});

scenario(
	"paths are written as they came, without the query, and cut when they are long",
	async (scenario) => {
		const { gateway } = await startRequests(
			scenario,
			answering(() => ok("fine")),
			LOGGED,
		);
		const long = `/${"x".repeat(255)}`;
		const host = `${"a".repeat(60)}.${"b".repeat(60)}.test`;
		const cases: readonly (readonly [target: string, path: string])[] = [
			["/%41/../b", "/%41/../b"],
			["/?a=?b", "/"],
			[long, long],
			[`${long}?x`, long],
			[`${long}y`, `${long}…`],
			[`http://${host}`, "/"],
			[`http://${host}/c?d`, "/c"],
			["*", "*"],
		];
		const client = await dial(scenario, gateway.port());
		for (const [target] of cases) {
			await client.send(`${target === "*" ? "OPTIONS" : "GET"} ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
			await message(client);
		}
		client.end();
		await gateway.onlySession();
		assert.deepEqual(
			linesOf(gateway).map(({ path, host: named, method }) => [path, named, method]),
			cases.map(([, path]) => [path, host, path === "*" ? "OPTIONS" : "GET"]),
		);
	},
);

/** The last request of its connection. */
const last = (path: string, host = "a.test") => get(path, host, "Connection: close\r\n");

scenario("an answer of our own has a line with its reason, and is counted", async (scenario) => {
	const upstream = await startUpstream(scenario, ({ socket }) =>
		socket.once("data", (bytes: Buffer) => {
			if (bytes.includes("/break")) socket.end();
			if (bytes.includes("/nonsense")) socket.end("nonsense\r\n\r\n");
		}),
	);
	const closed = await startUpstream(scenario);
	await closed.close();
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
timeouts: { response_head: 2s, handshake: 2s }
listeners:
  - listen: 127.0.0.1:0
    log_requests: all
    routes:
      - { host: a.test, to: a }
      - { host: closed.test, to: closed }
      - { host: bytes.test, to: bytes }
      - { host: no.test, to: reject }
upstreams:
  a: { http: "http://${upstream.address}" }
  closed: { http: "http://${closed.address}" }
  bytes: "${closed.address}"
`,
	);
	const routed = { method: "GET", cause: null, bytes_from_client: 0, address: null, reused: false };
	const unrouted = { ...routed, method: null, route: null, upstream: null, host: null, path: null };
	const cases: readonly (readonly [text: string, line: Partial<RequestLine>])[] = [
		["GET / HTTP/1.1\r\n\r\n", { ...unrouted, status: 400, reason: "bad_request", cause: "host_missing" }],
		[
			get("/", "a.test", `X: ${"x".repeat(17_000)}\r\n`),
			{ ...unrouted, status: 431, cause: "head_too_large" },
		],
		["GET / HTTP/1.1\r\nHost: a", { ...unrouted, status: 408, reason: "handshake_timeout" }],
		["GET / HT", { ...unrouted, status: 408, reason: "handshake_timeout" }],
		[last("/p", "none.test"), { ...routed, status: 404, reason: "no_route", route: null, host: "none.test" }],
		[last("/p", "no.test"), { ...routed, status: 403, reason: "rejected", route: "host=no.test" }],
		[
			last("/p", "closed.test"),
			{ ...routed, status: 502, reason: "connect_refused", route: "host=closed.test", upstream: "closed" },
		],
		[last("/p", "bytes.test"), { ...routed, status: 502, reason: "connect_refused", upstream: "bytes" }],
		[
			last("/break"),
			{ status: 502, reason: "upstream_closed", upstream: "a", address: upstream.address, path: "/break" },
		],
		[last("/nonsense"), { status: 502, reason: "bad_response", upstream: "a", address: upstream.address }],
		[last("/slow"), { status: 504, reason: "response_timeout", address: upstream.address, path: "/slow" }],
	];
	const ask = async (text: string, expected: Partial<RequestLine>): Promise<void> => {
		const client = await dial(scenario, gateway.port());
		client.socket.on("error", () => {});
		client.socket.write(text);
		const answer = await client.rest();
		client.end();
		const session = await gateway.sessionOf(client);
		const [line, ...others] = linesOf(gateway).filter((each) => each.session === session.id);
		assert.ok(line, text);
		assert.deepEqual(others, [], text);
		for (const [key, value] of Object.entries(expected))
			assert.equal(line[key as keyof RequestLine], value, `${key} of ${text.slice(0, 60)}`);
		assert.deepEqual([line.answered_by, line.bytes_to_client], ["sluice", answer.length]);
		assert.equal(session.bytes_to_client, answer.length, text);
	};
	// At once: three of them wait for a deadline.
	await Promise.all(cases.map(([text, expected]) => ask(text, expected)));
	const metrics = await gateway.metrics();
	const count = (labels: Record<string, string>) => metrics.sum("sluice_requests_total", labels);
	assert.equal(count({}), cases.length);
	assert.equal(count({ route: "", status: "4xx" }), 5);
	assert.equal(count({ route: "host=no.test", status: "4xx" }), 1);
	assert.equal(count({ route: "host=a.test", status: "5xx" }), 3);
	assert.equal(metrics.sum("sluice_request_seconds_count"), 0, "times are of upstreams' answers");
});

scenario("a connection that goes on behind an answer of our own has a line for each", async (scenario) => {
	const upstream = await startUpstream(
		scenario,
		answering(() => ok("fine")),
	);
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
listeners:
  - listen: 127.0.0.1:0
    log_requests: all
    routes: [{ host: a.test, to: a }]
upstreams: { a: { http: "http://${upstream.address}" } }
`,
	);
	const client = await dial(scenario, gateway.port());
	for (const host of ["none.test", "a.test", "none.test"]) {
		await client.send(get("/", host));
		await message(client);
	}
	client.end();
	await client.rest();
	const session = await gateway.onlySession();
	const lines = await requests(gateway, 3);
	assert.deepEqual(
		lines.map(({ status, reason, host, answered_by: by, session: id }) => [status, reason, host, by, id]),
		[
			[404, "no_route", "none.test", "sluice", session.id],
			[200, null, "a.test", "upstream", session.id],
			[404, "no_route", "none.test", "sluice", session.id],
		],
	);
	assert.equal(session.reason, "client_closed");
});

scenario("a request that nobody answers to the end has a line that says why", async (scenario) => {
	const { gateway, upstream } = await startRequests(scenario, () => {}, LOGGED);
	const gone = await dial(scenario, gateway.port());
	await gone.send(get("/gone"));
	await head(await upstream.accepted());
	gone.reset();
	assert.equal((await gateway.sessionOf(gone)).reason, "client_reset");

	const cut = await dial(scenario, gateway.port());
	await cut.send(get("/cut"));
	const server = await upstream.accepted(1);
	await head(server);
	server.end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
	await cut.over();
	await gateway.sessionOf(cut);
	const lines = await requests(gateway, 2);
	assert.deepEqual(
		lines.map(({ path, status, answered_by: by, reason }) => [path, status, by, reason]),
		[
			["/gone", null, null, "client_reset"],
			["/cut", 200, "upstream", "upstream_closed"],
		],
	);
});

scenario("a later head that is not whole in time has a line of its own", async (scenario) => {
	const { gateway } = await startRequests(
		scenario,
		answering(() => ok("fine")),
		{ ...LOGGED, sections: "timeouts: { request_head: 200ms }" },
	);
	const client = await dial(scenario, gateway.port());
	await client.send(get("/whole"));
	await message(client);
	await client.send("GET /half HTTP/1.1\r\n");
	assert.match(await client.rest(), /^HTTP\/1\.1 408 /);
	client.end();
	await gateway.onlySession();
	assert.deepEqual(
		linesOf(gateway).map(({ path, route, upstream, host, status, reason }) => [
			path,
			route,
			upstream,
			host,
			status,
			reason,
		]),
		[
			["/whole", "*", "a", "a.test", 200, null],
			[null, null, null, null, 408, "request_timeout"],
		],
	);
	assert.ok((linesOf(gateway)[1]?.duration_ms ?? 0) >= 150, "since its first byte");
});

scenario("a WebSocket has its line at its 101, a relayed request at its end", async (scenario) => {
	const bytes = await startUpstream(scenario, echo);
	const upstream = await startUpstream(scenario, ({ socket }) =>
		socket.once("data", (asked: Buffer) => {
			// RFC 6455, 1.3: the key of its example, and the answer to it.
			if (asked.includes("dGhlIHNhbXBsZSBub25jZQ=="))
				socket.write(
					"HTTP/1.1 101 Go on\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
				);
			socket.on("end", () => socket.end());
		}),
	);
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
listeners:
  - listen: 127.0.0.1:0
    log_requests: all
    routes: [{ path: /bytes, to: bytes }, { to: a }]
upstreams:
  a: { http: "http://${upstream.address}" }
  bytes: "${bytes.address}"
`,
	);
	const socket = await dial(scenario, gateway.port());
	const fields =
		"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
	await socket.send(get("/socket", "a.test", fields));
	await head(socket);
	const [line] = await requests(gateway, 1);
	assert.deepEqual([line?.path, line?.status, line?.answered_by], ["/socket", 101, "upstream"]);
	assert.equal(gateway.ended.length, 0, "it lives on");
	socket.end();
	await socket.rest();
	await gateway.sessions(1);

	const relayed = await dial(scenario, gateway.port());
	const asked = get("/bytes");
	relayed.end(asked);
	assert.equal(await relayed.rest(), asked);
	const [, second, ...others] = await requests(gateway, 2);
	assert.deepEqual(
		[second?.path, second?.status, second?.reason, second?.upstream, second?.bytes_to_client, others.length],
		["/bytes", null, "client_closed", "bytes", asked.length, 0],
	);
});

scenario("a share takes every n-th request of a listener, and off takes none", async (scenario) => {
	const upstream = await startUpstream(
		scenario,
		answering(() => ok("fine")),
	);
	const listener = (share: string) =>
		`  - { listen: "127.0.0.1:0", log_requests: ${share}, routes: [{ to: a }] }`;
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
listeners:
${["0.25", "0.4", "off"].map(listener).join("\n")}
upstreams: { a: { http: "http://${upstream.address}" } }
`,
	);
	for (let index = 0; index < 3; index++) {
		for (let connection = 0; connection < 2; connection++) {
			const client = await dial(scenario, gateway.port(index));
			for (let count = 1; count <= 10; count++) {
				await client.send(get(`/${index}/${10 * connection + count}`));
				await message(client);
			}
			client.end();
			await client.rest();
		}
	}
	await gateway.sessions(6);
	assert.deepEqual(
		linesOf(gateway).map(({ path }) => path),
		[
			...[4, 8, 12, 16, 20].map((count) => `/0/${count}`),
			...[3, 5, 8, 10, 13, 15, 18, 20].map((count) => `/1/${count}`),
		],
	);
	assert.equal((await gateway.metrics()).sum("sluice_requests_total", { status: "2xx" }), 60);
});

scenario("a reload switches the lines on and off for requests that come from now on", async (scenario) => {
	const upstream = await startUpstream(
		scenario,
		answering(() => ok("fine")),
	);
	const yaml = (share: string) => `
reactors: 1
listeners: [{ listen: "127.0.0.1:0", log_requests: ${share}, routes: [{ to: a }] }]
upstreams: { a: { http: "http://${upstream.address}" } }
`;
	const gateway = await startGateway(scenario, yaml("off"));
	const client = await dial(scenario, gateway.port());
	for (const share of ["all", "off", "all"]) {
		gateway.write(yaml(share));
		await gateway.hangUp();
		await client.send(get(`/${share}`));
		await message(client);
	}
	client.end();
	const { id } = await gateway.onlySession();
	assert.deepEqual(
		linesOf(gateway).map(({ path, session }) => [path, session]),
		[
			["/all", id],
			["/all", id],
		],
	);
});
