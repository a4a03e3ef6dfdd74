/** What is relayed through TLS comes out as it went in, and a stream that was cut does not look complete. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type Gateway, type SessionLine, startGateway } from "../support/gateway.js";
import { dial, echo, type Peer, startUpstream, type Upstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { receiveRandomly, sendRandomly } from "../support/streams.js";
import { dialTls, entry, identity, startTlsUpstream } from "../support/tls.js";
import { eventually } from "../support/waiting.js";
import { startWire, type Wire } from "../support/wire.js";

interface Sides {
	readonly client: "TLS" | "plain";
	readonly upstream: "TLS" | "plain";
}

const EACH: readonly Sides[] = [
	{ client: "TLS", upstream: "plain" },
	{ client: "plain", upstream: "TLS" },
	{ client: "TLS", upstream: "TLS" },
];

interface Stage {
	readonly gateway: Gateway;
	readonly upstream: Upstream;
	/** What lies between the two. */
	readonly back: Wire;
	readonly connect: (port?: number) => Promise<Peer>;
}

/** A gateway between a client and an upstream, either of which speaks TLS. */
async function startSides(
	scenario: Scenario,
	sides: Sides,
	serve: (peer: Peer) => void = () => {},
	sections = "",
): Promise<Stage> {
	const certificate = identity(scenario, "a.test");
	const own = identity(scenario, "up.test");
	const upstream =
		sides.upstream === "TLS"
			? await startTlsUpstream(scenario, own, serve)
			: await startUpstream(scenario, serve);
	const back = await startWire(scenario, upstream.port);
	const tls = sides.client === "TLS" ? `tls: [${entry(certificate, ["a.test"])}]` : "";
	const toTls = sides.upstream === "TLS" ? `{ server_name: up.test, ca: "${own.certFile}" }` : "off";
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
${sections}
listeners:
  - listen: 127.0.0.1:0
    ${tls}
    routes: [{ to: a }]
upstreams: { a: { addresses: "127.0.0.1:${back.port}", tls: ${toTls} } }
`,
	);
	const connect = (port = gateway.port()): Promise<Peer> =>
		sides.client === "TLS" ? dialTls(scenario, port, "a.test") : dial(scenario, port);
	return { gateway, upstream, back, connect };
}

const BYTES = 24 * 1024 * 1024;

for (const sides of EACH) {
	const between = `from ${sides.client} to ${sides.upstream}`;

	scenario(`both directions carry every byte, ${between}, with slow readers`, async (scenario) => {
		const { gateway, upstream, connect } = await startSides(scenario, sides);
		const client = await connect();
		client.socket.removeAllListeners("data");
		const up = sendRandomly(client.socket, BYTES, 1);
		const down = receiveRandomly(client.socket, 2);
		const peer = await upstream.accepted();
		// What has come by now is in the test's hand already.
		const early = peer.received.length;
		peer.socket.removeAllListeners("data");
		assert.equal(early, 0);
		const [sent, received, answered, heard] = await Promise.all([
			up,
			receiveRandomly(peer.socket, 3),
			sendRandomly(peer.socket, BYTES, 4),
			down,
		]);
		assert.deepEqual(received, sent);
		assert.deepEqual(heard, answered);
		const session = await gateway.onlySession();
		assert.deepEqual([session.bytes_from_client, session.bytes_to_client], [BYTES, BYTES]);
		assert.match(session.reason, /^(client|upstream)_closed$/);
	});

	scenario(`half-closes are carried both ways, ${between}`, async (scenario) => {
		const { gateway, upstream, connect } = await startSides(scenario, sides);
		for (const first of ["client", "upstream"] as const) {
			const client = await connect();
			await client.send("hello");
			const peer = await upstream.accepted(upstream.peers.length === 0 ? 0 : 1);
			await peer.expect("hello");
			const [one, other] = first === "client" ? [client, peer] : [peer, client];
			one.end("last words");
			assert.equal(await other.rest(), "last words");
			// The other direction lives on.
			await other.send("answer");
			await one.expect("answer");
			await other.send("more");
			await one.expect("more");
			other.end();
			assert.equal(await one.rest(), "");
			assert.equal((await gateway.sessionOf(client)).reason, `${first}_closed`);
		}
	});

	scenario(`a reset on one side is one on the other, ${between}`, async (scenario) => {
		const { gateway, upstream, connect, back } = await startSides(scenario, sides);
		const front = await startWire(scenario, gateway.port());
		for (const first of ["client", "upstream"] as const) {
			const client = await connect(front.port);
			await client.send("hello");
			const peer = await upstream.accepted(first === "client" ? 0 : 1);
			await peer.expect("hello");
			if (first === "client") front.resetServer();
			else back.resetClient();
			assert.equal(await (first === "client" ? peer : client).over(), "ECONNRESET");
			front.straighten();
			await gateway.session(({ reason }) => reason === `${first}_reset`);
		}
	});
}

function cutOf({ reason, tls_error: error }: SessionLine): (string | undefined)[] {
	return [reason, error];
}

scenario("an end that the client did not say by TLS is a cut, for the upstream, too", async (scenario) => {
	for (const upstreamSpeaks of ["plain", "TLS"] as const) {
		const { gateway, upstream, connect } = await startSides(scenario, {
			client: "TLS",
			upstream: upstreamSpeaks,
		});
		const wire = await startWire(scenario, gateway.port());
		const client = await connect(wire.port);
		await client.send("the first half");
		const peer = await upstream.accepted();
		await peer.expect("the first half");
		wire.endToServer();
		assert.equal(await peer.over(), "ECONNRESET");
		assert.deepEqual(cutOf(await gateway.onlySession()), [
			"tls_failed",
			"the client ended without close_notify",
		]);
		await gateway.release();
	}
});

scenario("an end that the upstream did not say by TLS is a cut, for the client, too", async (scenario) => {
	for (const clientSpeaks of ["plain", "TLS"] as const) {
		const { gateway, upstream, back, connect } = await startSides(scenario, {
			client: clientSpeaks,
			upstream: "TLS",
		});
		const client = await connect();
		await client.send("x");
		const peer = await upstream.accepted();
		await peer.send("the first half");
		await client.expect("the first half");
		back.endToClient();
		assert.equal(await client.over(), "ECONNRESET");
		assert.deepEqual(cutOf(await gateway.onlySession()), [
			"tls_failed",
			"the upstream ended without close_notify",
		]);
		await gateway.release();
	}
});

scenario("a record that was bent on its way cuts the session on both sides", async (scenario) => {
	const bend = (bytes: Buffer): Buffer => {
		const bent = Buffer.from(bytes);
		bent[bent.length - 1] = (bent.at(-1) ?? 0) ^ 1;
		return bent;
	};
	for (const bends of ["client's", "upstream's"] as const) {
		const { gateway, upstream, back, connect } = await startSides(scenario, {
			client: "TLS",
			upstream: "TLS",
		});
		const front = await startWire(scenario, gateway.port());
		const client = await connect(front.port);
		await client.send("x");
		const peer = await upstream.accepted();
		await peer.expect("x");
		await peer.send("y");
		await client.expect("y");
		if (bends === "client's") {
			front.toServer = bend;
			await client.send("no more than a half");
			assert.equal(await peer.over(), "ECONNRESET");
		} else {
			back.toClient = bend;
			await peer.send("no more than a half");
			assert.equal(await client.over(), "ECONNRESET");
		}
		assert.equal((await gateway.onlySession()).reason, "tls_failed");
		await gateway.release();
	}
});

scenario("records that come byte by byte, and bytes that come record by record", async (scenario) => {
	const { gateway, connect } = await startSides(scenario, { client: "TLS", upstream: "TLS" }, echo);
	const wire = await startWire(scenario, gateway.port());
	wire.dribble();
	const client = await connect(wire.port);
	for (const byte of "one record for each byte") await client.send(byte);
	await client.expect("one record for each byte");
	client.end();
	assert.equal(await client.rest(), "");
	assert.equal((await gateway.onlySession()).reason, "client_closed");
});

/** Bytes that lie unread in the kernel for the socket of these two ports. */
function unread(local: number, remote: number): number {
	const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, "0");
	const ends = new RegExp(`: \\w+:${hex(local)} \\w+:${hex(remote)} \\w+ \\w+:(\\w+) `);
	return Number.parseInt(ends.exec(readFileSync("/proc/net/tcp", "utf8"))?.[1] ?? "", 16);
}

scenario("what stands behind the rest of a record is read without further news", async (scenario) => {
	const { gateway, upstream, connect } = await startSides(scenario, { client: "TLS", upstream: "plain" });
	// Of a record's head, exactly its head, a bit of its body, most of it.
	const splits = [
		{ first: 3, record: 20_000 },
		{ first: 5, record: 1_000 },
		{ first: 6, record: 1_000 },
		{ first: 900, record: 1_000 },
		{ first: 9_000, record: 20_000 },
		{ first: 16_400, record: 20_000 },
	];
	for (const [index, { first, record }] of splits.entries()) {
		const wire = await startWire(scenario, gateway.port());
		const client = await connect(wire.port);
		await client.send("x");
		const peer = await upstream.accepted(index);
		await peer.expect("x");
		let held = Buffer.alloc(0);
		const isRead = (): true | undefined =>
			unread(gateway.port(), wire.serverSidePort) === 0 ? true : undefined;
		const told = new Promise<void>((resolve) => {
			wire.toServer = (bytes) => {
				held = Buffer.concat([held, bytes]);
				if (held.length > 40_000) resolve();
				return Buffer.alloc(0);
			};
		});
		for (let sent = 0; sent < 40_000; sent += record) await client.send(Buffer.alloc(record, index));
		await told;
		wire.straighten();
		await wire.sendToServer(held.subarray(0, first));
		await eventually(isRead, () => "the first part was not read");
		// All that is left, at once: one event, and no other.
		await wire.sendToServer(held.subarray(first));
		assert.deepEqual(await peer.take(40_000), Buffer.alloc(40_000, index), `${first} bytes first`);
		client.socket.destroy();
	}
});

scenario("a reader of TLS that stops is closed for stalling, and holds little", async (scenario) => {
	const { gateway, upstream, connect } = await startSides(
		scenario,
		{ client: "TLS", upstream: "plain" },
		undefined,
		"timeouts: { stall: 500ms }\nkeepalive: { user_timeout: 30s }\nlimits: { buffered_bytes: 64KiB }",
	);
	const client = await connect();
	await client.send("x");
	client.socket.pause();
	const peer = await upstream.accepted();
	peer.socket.on("error", () => {});
	peer.socket.write(Buffer.alloc(64 * 1024 * 1024));
	assert.equal((await gateway.sessionOf(client)).reason, "stall_timeout");
	assert.equal(await peer.over(), "ECONNRESET");
});
