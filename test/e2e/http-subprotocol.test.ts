/** WebSockets routed by the subprotocol that they offer, over one listener. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, startUpstream } from "../support/peers.js";
import { answering, get, listening, message, ok } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** A server that says its name in every answer, and opens each WebSocket that it is asked for. */
function startNamed(scenario: Scenario, name: string): Promise<string> {
	const server = createServer((_, response) => response.end(name));
	server.on("upgrade", (asked, socket) => {
		scenario.defer(() => socket.destroy());
		const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
		const accept = createHash("sha1").update(`${asked.headers["sec-websocket-key"]}${guid}`).digest("base64");
		socket.write(
			`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nX-Name: ${name}\r\n\r\n`,
		);
		socket.pipe(socket);
	});
	return listening(scenario, server);
}

async function start(scenario: Scenario): Promise<Gateway> {
	const [chat, admin, web] = await Promise.all(
		["chat", "admin", "web"].map((name) => startNamed(scenario, name)),
	);
	return startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { path: /admin, subprotocol: chat, to: admin }
      - { subprotocol: Chat.v2, to: chat }
      - { subprotocol: chat, to: chat }
      - { to: web }
upstreams:
  chat: { http: "http://${chat}" }
  admin: { http: "http://${admin}" }
  web: { http: "http://${web}" }
`,
	);
}

/** Opens a WebSocket, and says who answered it. */
function open(port: number, path: string, offers: string | string[]): Promise<string> {
	return new Promise((resolve, reject) => {
		const headers = {
			...{ Connection: "Upgrade", Upgrade: "websocket" },
			...{ "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": offers },
		};
		const asking = request({ port, path, agent: false, headers });
		asking.once("error", reject);
		asking.once("upgrade", ({ headers: { "x-name": name } }: IncomingMessage, socket: Socket) => {
			socket.write("ping");
			socket.once("data", (bytes: Buffer) => {
				socket.end();
				resolve(`${name} ${bytes}`);
			});
		});
		asking.end();
	});
}

scenario(
	"a WebSocket goes where the subprotocol leads that it offers, in any of its fields",
	async (scenario) => {
		const gateway = await start(scenario);
		for (const [path, offers, name] of [
			["/", "chat", "chat"],
			["/", "mqtt, CHAT ,x", "chat"],
			["/", ["mqtt", "x,chat.V2"], "chat"],
			["/admin", "chat", "admin"],
			["/admin", "chat.v2", "chat"],
			["/", "chatter", "web"],
			["/", "mqtt", "web"],
		] as const)
			assert.equal(
				await open(gateway.port(), path, typeof offers === "string" ? offers : [...offers]),
				`${name} ping`,
				String(offers),
			);
		const routes = (await gateway.sessions(7)).map(({ route }) => route);
		assert.ok(routes.includes("path=/admin,subprotocol=chat") && routes.includes("subprotocol=chat.v2"));
	},
);

scenario("a request that opens no WebSocket offers nothing, whatever field it has", async (scenario) => {
	const gateway = await start(scenario);
	const client = await dial(scenario, gateway.port());
	const offered = `Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n`;
	for (const fields of [offered, `${offered}Upgrade: websocket\r\n`]) {
		await client.send(get("/", "a.test", fields));
		assert.match((await message(client)).head, /^HTTP\/1\.1 200 /);
	}
	client.end(
		get("/", "a.test", `${offered.replace(KEY, "short")}Upgrade: websocket\r\nConnection: Upgrade\r\n`),
	);
	assert.match(await client.rest(), /HTTP\/1\.1 400 /);
	assert.equal(
		(await gateway.onlySession()).route,
		"*",
		"a malformed handshake took the route of the others",
	);
});

scenario(
	"a listener that only asks for a subprotocol reads requests, also for upstreams of bytes",
	async (scenario) => {
		const upstream = await startUpstream(
			scenario,
			answering(() => ok("relayed")),
		);
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: 127.0.0.1:0
    routes: [{ subprotocol: chat, to: a }]
upstreams: { a: "${upstream.address}" }
`,
		);
		const client = await dial(scenario, gateway.port());
		client.end(get("/"));
		assert.match(await client.rest(), /^HTTP\/1\.1 404 /);
		const socket = await dial(scenario, gateway.port());
		await socket.send(
			get(
				"/",
				"a.test",
				`Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n`,
			),
		);
		assert.equal((await message(socket)).body, "relayed");
		socket.end();
		await socket.rest();
	},
);
