/** `sluice tunnel --inspect`: what visitors ask through a gateway is seen beside the agent, and passes as without it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { WebSocket, WebSocketServer } from "ws";
import { writeProxyV2 } from "../../src/protocol/index.js";
import { MAIN } from "../../src/rig/gateway.js";
import { newToken } from "../../src/tunnel/keys.js";
import { descriptorsOf, difference } from "../support/descriptors.js";
import { type InspectedTunnel, startInspectedTunnel, VISITED } from "../support/inspected-tunnel.js";
import { dial, startUpstream } from "../support/peers.js";
import { Child, run } from "../support/processes.js";
import { get, listening, ok } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { startTunnelGateway } from "../support/tunnel-gateway.js";
import { eventually } from "../support/waiting.js";

/** Says what it was asked, packed; what it is told to say in pieces; and echoes over WebSocket. */
async function startService(scenario: Scenario): Promise<{ local: string; asked: string[] }> {
	const asked: string[] = [];
	const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
		const body = await text(request).catch(() => "cut");
		asked.push(`${request.method} ${request.url} ${body}`);
		if (request.url === "/cut") {
			response.writeHead(200, { "content-length": "1000" }).write("half");
			setImmediate(() => request.socket.resetAndDestroy());
			return;
		}
		response.setHeader("set-cookie", "id=secret");
		if (request.url === "/packed")
			response.setHeader("content-encoding", "gzip").end(gzipSync(`{"said":"${body}"}`));
		else response.end(`${request.method} ${body}`);
	};
	const server = createServer((request, response) => void answer(request, response));
	const sockets = new WebSocketServer({ server });
	sockets.on("connection", (socket) =>
		socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary })),
	);
	scenario.defer(() => sockets.close());
	return { local: await listening(scenario, server), asked };
}

async function ask(scenario: Scenario, { port }: InspectedTunnel, request: string): Promise<string> {
	const client = await dial(scenario, port);
	client.end(request);
	return client.rest();
}

scenario("requests of all kinds are seen, and pass as they are", async (scenario) => {
	const { local, asked } = await startService(scenario);
	const tunnel = await startInspectedTunnel(scenario, local);
	const chunked = `POST /packed HTTP/1.1\r\nHost: ${VISITED}\r\nAuthorization: Basic c2VjcmV0\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n`;
	assert.match(await ask(scenario, tunnel, chunked), /^HTTP\/1\.1 200 /);
	const post = await tunnel.over(({ target }) => target === "/packed");
	assert.deepEqual(
		[post.method, post.host, post.status, post.request?.body.text, post.response?.body.text],
		["POST", VISITED, 200, "hello", '{"said":"hello"}'],
	);
	assert.deepEqual(
		[...(post.request?.fields ?? []), ...(post.response?.fields ?? [])]
			.filter(({ secret }) => secret)
			.map(({ name, value }) => `${name.toLowerCase()} ${value}`),
		["authorization null", "set-cookie null"],
	);

	const two = `${get("/1", VISITED)}HEAD /2 HTTP/1.1\r\nHost: ${VISITED}\r\nConnection: close\r\n\r\n`;
	assert.match(await ask(scenario, tunnel, two), /GET HTTP\/1\.1 200 OK/);
	assert.equal((await tunnel.over(({ target }) => target === "/1")).response?.body.text, "GET ");
	assert.equal((await tunnel.over(({ target }) => target === "/2")).response?.body.kind, "empty");

	const big = "x".repeat(300_000);
	const request = `PUT /big HTTP/1.1\r\nHost: ${VISITED}\r\nConnection: close\r\nContent-Length: ${big.length}\r\n\r\n${big}`;
	assert.ok((await ask(scenario, tunnel, request)).endsWith(`PUT ${big}`));
	const kept = await tunnel.over(({ target }) => target === "/big");
	assert.deepEqual([kept.request_bytes, kept.request?.body.kept_bytes], [300_000, 65_536]);
	assert.match(kept.no_replay ?? "", /only the first 65536/);

	await ask(scenario, tunnel, get("/cut", VISITED)).catch(() => {});
	const cut = await tunnel.over(({ target }) => target === "/cut");
	assert.deepEqual(
		[cut.status, cut.state, cut.why, cut.response?.body.text],
		[200, "aborted", "upstream_reset", "half"],
	);

	assert.deepEqual(
		asked.map((line) => line.slice(0, 20).trim()),
		["POST /packed hello", "GET /1", "HEAD /2", "PUT /big xxxxxxxxxxx", "GET /cut"],
	);
});

scenario("a WebSocket is seen as one, and its bytes are counted", async (scenario) => {
	const { local } = await startService(scenario);
	const tunnel = await startInspectedTunnel(scenario, local);
	const socket = new WebSocket(`ws://127.0.0.1:${tunnel.port}/ws`, { headers: { host: VISITED } });
	scenario.defer(() => socket.terminate());
	await once(socket, "open");
	socket.send("hello");
	assert.equal(String((await once(socket, "message"))[0]), "hello");
	const running = await eventually(
		async () => (await tunnel.list()).find(({ upgrade }) => (upgrade?.bytes_to_visitor ?? 0) > 0),
		() => "no WebSocket is seen",
	);
	// A frame of five bytes from the server has two bytes before them, and one from the client six.
	assert.deepEqual(
		[running.status, running.state, running.upgrade],
		[101, "upgraded", { protocol: "websocket", bytes_from_visitor: 11, bytes_to_visitor: 7 }],
	);
	socket.close();
	const over = await tunnel.over(({ upgrade }) => upgrade !== null);
	assert.deepEqual(
		[over.state, over.no_replay],
		["done", "it asks for another protocol, of which nothing is kept"],
	);
});

scenario(
	"a request is sent again with one POST, and what comes of it is told as it happens",
	async (scenario) => {
		const { local, asked } = await startService(scenario);
		const tunnel = await startInspectedTunnel(scenario, local, ["--inspect-requests", "3"]);
		const events = await fetch(`${tunnel.url}/api/events`);
		const reader = (events.body as ReadableStream<Uint8Array>)
			.pipeThrough(new TextDecoderStream())
			.getReader();
		let told = "";
		const until = async (pattern: RegExp): Promise<void> => {
			while (!pattern.test(told)) {
				const { value, done } = await reader.read();
				assert.ok(!done, told);
				told += value;
			}
		};
		await ask(
			scenario,
			tunnel,
			`POST /p HTTP/1.1\r\nHost: ${VISITED}\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello`,
		);
		await until(/"target":"\/p".*"state":"done"/);
		const { id } = await tunnel.over(({ target }) => target === "/p");
		const answer = await fetch(`${tunnel.url}/api/exchanges/${id}/replay`, { method: "POST" });
		const again = (await answer.json()) as { id: number };
		assert.equal(answer.status, 202);
		await until(new RegExp(`"id":${again.id},.*"replay_of":${id},.*"state":"done"`));
		const replay = await tunnel.over((each) => each.id === again.id);
		assert.equal(replay.response?.body.text, "POST hello");
		assert.deepEqual(asked, ["POST /p hello", "POST /p hello"]);
		for (let count = 0; count < 5; count++)
			await ask(scenario, tunnel, get(`/${count}`, VISITED, "Connection: close\r\n"));
		await tunnel.over(({ target }) => target === "/4");
		assert.deepEqual(
			(await tunnel.list()).map(({ target }) => target),
			["/4", "/3", "/2"],
		);
		// A viewer keeps no agent from its end.
		tunnel.agent.signal("SIGTERM");
		assert.equal(await tunnel.agent.exited, 0);
		await reader.cancel().catch(() => {});
	},
);

scenario(
	"without its service, an agent's own answer is seen, and with it what is wrong",
	async (scenario) => {
		const gone = createServer();
		const local = await listening(scenario, gone);
		await new Promise((resolve) => gone.close(resolve));
		const tunnel = await startInspectedTunnel(scenario, local);
		assert.match(await ask(scenario, tunnel, get("/", VISITED, "Connection: close\r\n")), /^HTTP\/1\.1 502 /);
		const { status, state, why, response } = await tunnel.over(({ target }) => target === "/");
		assert.deepEqual([status, state], [502, "done"]);
		assert.match(why ?? "", /^the service could not be reached: .*ECONNREFUSED/);
		assert.equal(response?.body.text, "The service behind this tunnel does not answer.");
	},
);

scenario("an answer that is no HTTP is told to be none, and passes all the same", async (scenario) => {
	const service = createServer((request) => {
		request.socket.end(ok("fine").replaceAll("\r\n", "\n"));
	});
	const tunnel = await startInspectedTunnel(scenario, await listening(scenario, service));
	// The gateway refuses it as well, and that is what the visitor sees.
	assert.match(await ask(scenario, tunnel, get("/", VISITED, "Connection: close\r\n")), /^HTTP\/1\.1 502 /);
	const { state, why } = await tunnel.over(({ target }) => target === "/");
	assert.deepEqual([state, why], ["lost", "the head of the answer is not well-formed: bare_lf"]);
});

scenario("an address that others can reach is refused, and so is one that is in use", async (scenario) => {
	const taken = await listening(scenario, createServer());
	const args = ["tunnel", "http", "3000", "--name", "app", "--insecure", "--gateway", "127.0.0.1:9"];
	for (const [address, message] of [
		["0.0.0.0:4040", /--inspect: the inspector shows whole requests, and is for this machine only/],
		[taken, /--inspect: listen EADDRINUSE/],
	] as const) {
		const env = { SLUICE_TOKEN: newToken("laptop") };
		const { status, stderr } = await run({ path: process.execPath }, [MAIN, ...args, "--inspect", address], {
			env,
		});
		assert.equal(status, 2, address);
		assert.match(stderr, message);
	}
});

scenario(
	"beside other tunnels of a file, lines that have ended leave nothing open, nor do viewers that have gone",
	async (scenario) => {
		const gateway = await startTunnelGateway(scenario);
		const service = await startUpstream(scenario);
		const file = join(scenario.directory, "tunnels.yaml");
		writeFileSync(
			file,
			`
gateway: 127.0.0.1:${gateway.port}
fingerprint: "${gateway.fingerprint}"
inspect: 0
tunnels: [{ name: app, http: ${service.port} }, { name: ssh, tcp: ${service.port} }]
`,
		);
		const agent = new Child(process.execPath, [MAIN, "tunnel", "-c", file], {
			env: { SLUICE_TOKEN: gateway.token },
		});
		scenario.defer(() => agent.stop());
		const { session, open } = await gateway.opened();
		const [, port = ""] = await agent.printed(/"event":"inspecting","url":"http:[^"]+:(\d+)"/);
		await agent.printed(/"event":"tunnel_opened","tunnel":"ssh"/);
		const ssh = await session.hear("open");
		const before = descriptorsOf(agent.pid);
		const viewer = await dial(scenario, Number(port));
		await viewer.send(get("/api/events", "localhost"));
		await viewer.expect("HTTP/1.1 200 OK\r\n");
		for (const [index, end] of ["visitor", "service", "reset"].entries()) {
			const line = await session.line(open.tunnel);
			await line.send(get(`/${end}`, "app.test"));
			const served = await service.accepted(index);
			await served.expect(get(`/${end}`, "app.test"));
			await served.send("HTTP/1.1 200 OK\r\n\r\nhalf");
			await line.expect("HTTP/1.1 200 OK\r\n\r\nhalf");
			if (end === "reset") served.reset();
			else if (end === "service") served.end();
			else line.end();
			await (end === "visitor" ? served : line).over();
			served.end();
			line.end();
		}
		// Visitors of others are not requests, whatever they say.
		const other = await session.line(ssh.tunnel);
		await other.send(Buffer.concat([proxyHeader(), Buffer.from(get("/other", "ssh.test"))]));
		const served = await service.accepted(3);
		await served.expect(get("/other", "ssh.test"));
		served.end();
		await other.rest();
		other.end();
		await served.over();
		await eventually(
			() => (/"target":"\/reset".*"state":"aborted"/.test(viewer.received.toString()) ? true : undefined),
			() => viewer.received.toString(),
		);
		for (const end of ["visitor", "service"])
			assert.match(viewer.received.toString(), new RegExp(`"target":"/${end}".*"state":"done"`));
		assert.doesNotMatch(viewer.received.toString(), /other/);
		viewer.reset();
		await eventually(
			() => (difference(before, descriptorsOf(agent.pid), 0) === "" ? true : undefined),
			() => difference(before, descriptorsOf(agent.pid), 0),
		);
	},
);

function proxyHeader(): Buffer {
	const bytes = Buffer.alloc(64);
	const from = Uint8Array.of(203, 0, 113, 7);
	return bytes.subarray(0, writeProxyV2(bytes, 0, 4, from, 53_496, Uint8Array.of(192, 0, 2, 1), 443));
}
