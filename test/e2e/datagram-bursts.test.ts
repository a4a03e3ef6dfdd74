/** Datagrams of bursts, which travel through the gateway several at a time, arrive as they were sent. */
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { Random } from "../../src/rig/random.js";
import { startGateway } from "../support/gateway.js";
import { LOOPBACK } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";

const CLIENTS = 3;
const BURSTS = 20;
/** Less than sockets have room for, so that none is lost. */
const BURST = 24;
/** Ordinary ones, those of QUIC, one that a packet does not hold, and none. */
const LENGTHS = [1200, 1200, 1200, 200, 1350, 4000, 0];
const BUFFER_BYTES = 2_000_000;

/** `hear` gets each datagram, and where it came from. */
async function open(scenario: Scenario, hear: (bytes: Buffer, port: number) => void): Promise<Socket> {
	const socket = createSocket({ type: "udp4", recvBufferSize: BUFFER_BYTES });
	socket.on("message", (bytes, { port }) => hear(bytes, port));
	socket.bind(0, LOOPBACK);
	await once(socket, "listening");
	scenario.defer(() => new Promise<void>((resolve) => socket.close(() => resolve())));
	return socket;
}

/** Lengths come in runs, as those of bursts do, and each datagram says which one it is. */
function burst(random: Random, number: number): Buffer[] {
	const datagrams: Buffer[] = [];
	while (datagrams.length < BURST) {
		const length = random.pick(LENGTHS);
		for (let run = 1 + random.below(8); run > 0; run--) {
			const bytes = Buffer.alloc(length, 0x61 + (datagrams.length % 26));
			if (length > 0) bytes.writeUInt32BE(number * 1000 + datagrams.length);
			datagrams.push(bytes);
		}
	}
	return datagrams.slice(0, BURST);
}

scenario("each datagram of a burst arrives whole, in its order, at whom it is for", async (scenario) => {
	const random = new Random(15);
	const heard = new Map<number, Buffer[]>();
	const upstream = await open(scenario, (bytes, port) => {
		const sent = heard.get(port);
		if (sent === undefined) heard.set(port, [bytes]);
		else sent.push(bytes);
		upstream.send(bytes, port, LOOPBACK);
	});
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
listeners:
  - { listen: ${LOOPBACK}:0/udp, timeouts: { idle: 20s }, routes: [{ to: echo }] }
upstreams:
  echo: { udp: ${LOOPBACK}:${upstream.address().port} }
`,
	);
	const sent: Buffer[][] = [];
	for (let number = 0; number < CLIENTS; number++) {
		const all: Buffer[] = [];
		let came: Buffer[] = [];
		let wanted = 0;
		let whole = (): void => {};
		const client = await open(scenario, (bytes) => {
			came.push(bytes);
			if (came.length === wanted) whole();
		});
		for (let i = 0; i < BURSTS; i++) {
			const datagrams = burst(random, i);
			came = [];
			wanted = datagrams.length;
			const arrived = new Promise<void>((resolve) => {
				whole = resolve;
			});
			for (const bytes of datagrams) client.send(bytes, gateway.port(), LOOPBACK);
			await arrived;
			assert.deepEqual(came, datagrams, `burst ${i} of client ${number}`);
			all.push(...datagrams);
		}
		sent.push(all);
	}
	assert.deepEqual([...heard.values()], sent);
	const bytes = sent.map((all) => all.reduce((sum, { length }) => sum + length, 0));
	const lines = await gateway.closedSessions(CLIENTS);
	assert.deepEqual(
		lines.map(({ bytes_from_client, bytes_to_client }) => [bytes_from_client, bytes_to_client]),
		bytes.map((count) => [count, count]),
	);
});

scenario("who sends to two addresses of ours at once is answered from each", async (scenario) => {
	const upstream = await open(scenario, (bytes, port) => upstream.send(bytes, port, LOOPBACK));
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
listeners:
  - { listen: "0.0.0.0:0/udp", timeouts: { idle: 20s }, routes: [{ to: echo }] }
upstreams:
  echo: { udp: ${LOOPBACK}:${upstream.address().port} }
`,
	);
	const client = await open(scenario, () => {});
	const answers: [sentTo: string, from: string][] = [];
	const whole = new Promise<void>((resolve) => {
		client.on("message", (bytes, { address }) => {
			if (answers.push([bytes.toString(), address]) === BURST) resolve();
		});
	});
	for (let i = 0; i < BURST; i++) {
		const to = i % 2 === 0 ? "127.0.0.1" : "127.0.0.2";
		client.send(to, gateway.port(), to);
	}
	await whole;
	for (const [sentTo, from] of answers) assert.equal(from, sentTo);
	assert.equal((await gateway.closedSessions(2)).length, 2);
});
