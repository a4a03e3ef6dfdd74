/** Datagrams through a gateway: sessions by who sends, deadlines, limits, failures of upstreams, reloads and drains. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { closed, datagramEcho, datagramPeer } from "../support/datagrams.js";
import { startGateway } from "../support/gateway.js";
import { LOOPBACK } from "../support/peers.js";
import { scenario } from "../support/scenario.js";
import { deadPort } from "../support/udp-ends.js";

/** Sessions end soon, because each scenario waits for the end of its own. */
const SOON = "timeouts: { idle: 300ms }";

const file = (upstreams: string, listener = SOON, routes = "[{ to: echo }]", head = ""): string => `
${head}
listeners:
  - listen: 127.0.0.1:0/udp
    ${listener}
    routes: ${routes}
upstreams: ${upstreams}
`;

scenario(
	"each client has a session and an upstream socket of its own, until it is silent for idle",
	async (scenario) => {
		const server = await datagramEcho(scenario);
		const yaml = file(`{ echo: { udp: 127.0.0.1:${server.port} } }`, "timeouts: { idle: 300ms }");
		const gateway = await startGateway(scenario, yaml);
		const clients = [await datagramPeer(scenario), await datagramPeer(scenario)];
		for (const [index, client] of clients.entries())
			for (const text of ["a", "", "c"]) {
				client.send(`${index}${text}`, gateway.port());
				const { bytes, from } = await client.next();
				assert.deepEqual([bytes.toString(), from.port], [`echo:${index}${text}`, gateway.port()]);
			}
		const ports = new Set(server.received.map(({ from }) => from.port));
		assert.equal(ports.size, 2);
		const sessions = await gateway.sessions(2);
		for (const session of sessions) {
			assert.deepEqual(
				[session.reason, session.protocol, session.route, session.upstream],
				["idle_timeout", "unknown", "*", "echo"],
			);
			assert.deepEqual([session.bytes_from_client, session.bytes_to_client], [5, 20]);
			const livedMs = Date.parse(session.closed) - Date.parse(session.accepted);
			assert.ok(livedMs >= 300, `${livedMs} ms`);
		}
		const metrics = await gateway.metrics();
		const listener = "127.0.0.1:0/udp";
		assert.equal(metrics.sum("sluice_datagrams_total", { listener, direction: "from_client" }), 6);
		assert.equal(metrics.sum("sluice_datagrams_total", { listener, direction: "to_client" }), 6);
		assert.equal(metrics.sum("sluice_datagrams_dropped_total"), 0);
	},
);

scenario("the longest datagrams pass whole, and empty ones pass", async (scenario) => {
	const server = await datagramPeer(scenario);
	server.socket.on("message", (bytes, { port }) => server.socket.send(bytes, port));
	const gateway = await startGateway(scenario, file(`{ echo: { udp: 127.0.0.1:${server.port} } }`));
	const client = await datagramPeer(scenario);
	for (const length of [0, 1, 1_472, 9_000, 65_507]) {
		const bytes = randomBytes(length);
		client.send(bytes, gateway.port());
		assert.ok((await client.next()).bytes.equals(bytes), `${length} bytes`);
	}
});

scenario("a session ends when each of its questions has had as many answers as it has", async (scenario) => {
	const server = await datagramPeer(scenario);
	server.socket.on("message", (bytes, { port }) => {
		for (const part of ["a", "b"]) server.socket.send(`${part}:${bytes.toString()}`, port);
	});
	const gateway = await startGateway(
		scenario,
		file(`{ twice: { udp: 127.0.0.1:${server.port}, responses: 2 } }`, "", "[{ to: twice }]"),
	);
	const client = await datagramPeer(scenario);
	for (let count = 0; count < 2; count++) {
		client.send(`${count}`, gateway.port());
		assert.deepEqual([await client.text(), await client.text()], [`a:${count}`, `b:${count}`]);
		assert.equal((await gateway.sessions(count + 1)).at(-1)?.reason, "answered");
	}
});

scenario(
	"two questions from one port, as resolvers of names ask for both families, have two answers",
	async (scenario) => {
		const server = await datagramPeer(scenario);
		const gateway = await startGateway(
			scenario,
			file(`{ dns: { udp: 127.0.0.1:${server.port}, responses: 1 } }`, "", "[{ to: dns }]"),
		);
		const client = await datagramPeer(scenario);
		for (const text of ["A", "AAAA"]) client.send(text, gateway.port());
		const { from } = await server.next();
		await server.next();
		for (const text of ["1", "2"]) {
			server.send(text, from.port);
			assert.equal(await client.text(), text);
		}
		const session = await gateway.onlySession();
		assert.deepEqual(
			[session.reason, session.bytes_from_client, session.bytes_to_client],
			["answered", 5, 2],
		);
	},
);

scenario(
	"where nobody listens, the next address is asked, and the one that refused is passed over",
	async (scenario) => {
		const gone = await datagramPeer(scenario);
		const { port } = gone;
		await closed(gone.socket);
		const server = await datagramEcho(scenario);
		const gateway = await startGateway(
			scenario,
			file(
				`{ echo: { udp: [127.0.0.1:${port}, 127.0.0.1:${server.port}], eject: { failures: 1, for: 1h } } }`,
			),
		);
		// As clients of UDP do: who has no answer asks again.
		const ask = async (text: string): Promise<void> => {
			const client = await datagramPeer(scenario);
			const again = setInterval(() => client.send(text, gateway.port()), 50);
			client.send(text, gateway.port());
			try {
				assert.equal(await client.text(), `echo:${text}`);
			} finally {
				clearInterval(again);
			}
		};
		for (let count = 0; count < 4; count++) await ask(`${count}`);
		const metrics = await gateway.metrics();
		assert.equal(metrics.sum("sluice_upstream_ejections_total"), 1);
	},
);

scenario(
	"an upstream that is checked and does not answer gets no session, and gets them again",
	async (scenario) => {
		const server = await datagramPeer(scenario);
		let answers = false;
		server.socket.on("message", (bytes, { port }) => answers && server.socket.send(bytes, port));
		const gateway = await startGateway(
			scenario,
			file(
				`{ echo: { udp: 127.0.0.1:${server.port}, health: { interval: 50ms, timeout: 50ms, fall: 1, rise: 1, send: ping } } }`,
			),
		);
		const client = await datagramPeer(scenario);
		await gateway.logged(({ message }) => message === "an upstream address is down");
		client.send("lost", gateway.port());
		assert.equal((await gateway.onlySession()).reason, "upstream_down");
		answers = true;
		await gateway.logged(({ message }) => message === "an upstream address is up");
		client.send("there", gateway.port());
		assert.equal(await client.text(), "there");
	},
);

scenario(
	"an address has as many sessions as it may; what is beyond is dropped and counted",
	async (scenario) => {
		const server = await datagramEcho(scenario);
		const upstreams = `{ echo: { udp: 127.0.0.1:${server.port} } }`;
		const gateway = await startGateway(
			scenario,
			file(upstreams, "timeouts: { idle: 500ms }", "[{ to: echo }]", "limits: { connections_per_ip: 2 }"),
		);
		const clients = [];
		for (let count = 0; count < 3; count++) clients.push(await datagramPeer(scenario));
		for (const client of clients.slice(0, 2)) {
			client.send("x", gateway.port());
			assert.equal(await client.text(), "echo:x");
		}
		clients[2]?.send("too many", gateway.port());
		await gateway.metricIs("sluice_datagrams_dropped_total", (count) => count === 1, { cause: "limit" });
		// From another address there is room.
		const other = await datagramPeer(scenario, "127.0.0.2");
		other.send("y", gateway.port());
		assert.equal(await other.text(), "echo:y");
		await gateway.sessions(3);
		clients[2]?.send("now", gateway.port());
		assert.equal(await clients[2]?.text(), "echo:now");
	},
);

scenario(
	"an upstream that wants it is told the client's address, with the first datagram alone",
	async (scenario) => {
		const server = await datagramPeer(scenario);
		const gateway = await startGateway(
			scenario,
			file(`{ echo: { udp: 127.0.0.1:${server.port}, proxy_protocol: v2 } }`),
		);
		const client = await datagramPeer(scenario);
		client.send("first", gateway.port());
		const first = (await server.next()).bytes;
		assert.equal(first.subarray(0, 12).toString("latin1"), "\r\n\r\n\0\r\nQUIT\n");
		// Version 2, PROXY; IPv4 and datagrams; 12 bytes of addresses.
		assert.deepEqual([...first.subarray(12, 16)], [0x21, 0x12, 0, 12]);
		assert.deepEqual([...first.subarray(16, 24)], [127, 0, 0, 1, 127, 0, 0, 1]);
		assert.deepEqual([first.readUInt16BE(24), first.readUInt16BE(26)], [client.port, gateway.port()]);
		assert.equal(first.subarray(28).toString(), "first");
		client.send("second", gateway.port());
		assert.equal((await server.next()).bytes.toString(), "second");
	},
);

scenario(
	"an upstream that wants it is told the client's address, also when the one before it has refused",
	async (scenario) => {
		const server = await datagramEcho(scenario);
		const gateway = await startGateway(
			scenario,
			file(
				`{ echo: { udp: [127.0.0.1:${await deadPort()}, 127.0.0.1:${server.port}], proxy_protocol: v2, eject: { failures: 3, for: 1h } } }`,
			),
		);
		for (let count = 0; count < 4; count++) {
			const client = await datagramPeer(scenario);
			const again = setInterval(() => client.send("ask", gateway.port()), 50);
			client.send("ask", gateway.port());
			try {
				await client.next();
			} finally {
				clearInterval(again);
			}
			const first = server.received.find(({ from }) => from.port === server.received.at(-1)?.from.port);
			assert.equal(first?.bytes.subarray(0, 12).toString("latin1"), "\r\n\r\n\0\r\nQUIT\n");
			assert.equal(first?.bytes.readUInt16BE(24), client.port);
		}
	},
);

scenario(
	"answers come from the address that was asked, of IPv4 and IPv6, at a listener for all",
	async (scenario) => {
		const server = await datagramEcho(scenario);
		const gateway = await startGateway(
			scenario,
			file(`{ echo: { udp: 127.0.0.1:${server.port} } }`).replace("127.0.0.1:0/udp", '"*:0/udp"'),
		);
		for (const [own, asked] of [
			[LOOPBACK, "127.0.0.7"],
			[LOOPBACK, "127.0.0.8"],
			["::1", "::1"],
		] as const) {
			const client = await datagramPeer(scenario, own);
			client.send("who?", gateway.port(), asked);
			const { bytes, from } = await client.next();
			assert.deepEqual([bytes.toString(), from.address, from.port], ["echo:who?", asked, gateway.port()]);
		}
	},
);

scenario("a reload keeps live sessions, also of a listener that it takes away", async (scenario) => {
	const server = await datagramEcho(scenario, "old");
	const newer = await datagramEcho(scenario, "new");
	const drain = "timeouts: { drain: 300ms }";
	const before = file(`{ echo: { udp: 127.0.0.1:${server.port} } }`, "", "[{ to: echo }]", drain);
	const gateway = await startGateway(scenario, before, { own: "its listener goes with a reload" });
	const client = await datagramPeer(scenario);
	const port = gateway.port();
	client.send("1", port);
	assert.equal(await client.text(), "old:1");
	gateway.write(file(`{ echo: { udp: 127.0.0.1:${newer.port} } }`, "", "[{ to: echo }]", drain));
	await gateway.hangUp();
	client.send("2", port);
	assert.equal(await client.text(), "old:2");
	const other = await datagramPeer(scenario);
	other.send("3", port);
	assert.equal(await other.text(), "new:3");
	gateway.write(`${drain}\nlisteners: [{ listen: 127.0.0.1:0, routes: [{ to: reject }] }]`);
	await gateway.hangUp();
	client.send("4", port);
	assert.equal(await client.text(), "old:4");
	// But nobody else comes in.
	const late = await datagramPeer(scenario);
	late.send("5", port);
	await gateway.metricIs("sluice_datagrams_dropped_total", (count) => count === 1, {
		cause: "not_accepting",
	});
	gateway.exitWaitedFor = true;
	gateway.child.signal("SIGTERM");
	client.send("6", port);
	assert.equal(await client.text(), "old:6");
	assert.equal(await gateway.exit(), 0);
	const reasons = (await gateway.sessions(2)).map(({ reason }) => reason);
	assert.deepEqual(reasons, ["drained", "drained"]);
});

scenario("bytes beyond a session's rate are dropped", async (scenario) => {
	const server = await datagramPeer(scenario);
	const gateway = await startGateway(
		scenario,
		file(`{ echo: { udp: 127.0.0.1:${server.port} } }`, `${SOON}\n    bytes_per_second_per_session: 10KiB`),
	);
	const client = await datagramPeer(scenario);
	for (let count = 0; count < 100; count++) client.send(Buffer.alloc(1_000, count), gateway.port());
	await gateway.metricIs("sluice_datagrams_dropped_total", (count) => count > 50, { cause: "rate" });
	await server.next();
	assert.ok(server.received.length < 50);
});

scenario(
	"a listener whose receive buffer is smaller than asked for says what to set",
	async (scenario) => {
		const gateway = await startGateway(
			scenario,
			file("{ echo: { udp: 127.0.0.1:9 } }", SOON, "[{ to: echo }]", "sockets: { receive_buffer: 1GiB }"),
			// Who may administer the network is not asked for net.core.rmem_max.
			{ through: ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"] },
		);
		const line = await gateway.logged(({ message }) =>
			message.startsWith("bursts of datagrams find less room"),
		);
		const most = Number(readFileSync("/proc/sys/net/core/rmem_max", "utf8"));
		assert.equal(line.level, "warn");
		assert.match(
			line.message,
			new RegExp(`rmem_max is ${most} \\(sysctl -w net\\.core\\.rmem_max=1073741824\\)$`),
		);
	},
	{ needs: ["setpriv"] },
);
