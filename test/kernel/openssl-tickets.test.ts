import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import type { SecureVersion } from "node:tls";
import type { ServerContext } from "../../src/kernel/openssl/server.js";
import { newTicketKey } from "../../src/kernel/openssl/tickets.js";
import { issue } from "../../src/rig/issue.js";
import { NAME, PLAIN, settled, World } from "./tls.js";

interface Visit {
	readonly resumed: boolean;
	/** What the client would show next time. */
	readonly session: Buffer;
}

/** Node's client comes by, with the session of an earlier visit if there was one. */
async function visit(
	t: TestContext,
	world: World,
	server: ServerContext,
	version: SecureVersion,
	session?: Buffer,
): Promise<Visit> {
	const versions = { minVersion: version, maxVersion: version };
	const identity = { cert: PLAIN.cert.text, key: PLAIN.key.text };
	const { socket, far } = await world.nodeClient(t, server, {
		...versions,
		...identity,
		...(session === undefined ? {} : { session }),
	});
	// In TLS 1.2 a ticket that is merely accepted is not followed by another.
	const given = version === "TLSv1.3" || session === undefined ? once(socket, "session") : undefined;
	const secure = once(socket, "secureConnect");
	assert.equal(await settled(() => far.handshake()), 0, world.tls.lastReason());
	await secure;
	const resumed = world.tls.resumed(far.session);
	assert.equal(socket.isSessionReused(), resumed);
	const next = given === undefined ? session : ((await given)[0] as Buffer);
	assert.ok(next !== undefined);
	return { resumed, session: next };
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
	test(`${version}: a ticket is good at another reactor, and after a reload`, async (t) => {
		const keys = [newTicketKey()];
		const first = new World(t, keys);
		const second = new World(t, keys);
		const renewed = issue({ commonName: NAME });
		let { resumed, session } = await visit(t, first, first.server(), version);
		assert.equal(resumed, false);
		({ resumed, session } = await visit(t, second, second.server(), version, session));
		assert.equal(resumed, true);
		({ resumed, session } = await visit(t, second, second.server({}, renewed), version, session));
		assert.equal(resumed, true);
	});

	test(`${version}: a ticket of unknown keys costs a full handshake, and nothing else`, async (t) => {
		const first = new World(t);
		const second = new World(t);
		const { session } = await visit(t, first, first.server(), version);
		assert.equal((await visit(t, second, second.server(), version, session)).resumed, false);
	});

	test(`${version}: a ticket is not good for other names, nor when other clients are asked for`, async (t) => {
		const world = new World(t);
		const { session } = await visit(t, world, world.server(), version);
		for (const options of [{ names: ["other.example.com"] }, { clientCa: PLAIN.cert }])
			assert.equal((await visit(t, world, world.server(options), version, session)).resumed, false);
	});
}

test("a client that had to show its certificate gets no ticket for a ticket", async (t) => {
	const world = new World(t);
	const server = world.server({ clientCa: PLAIN.cert });
	const { session } = await visit(t, world, server, "TLSv1.3");
	// The old key does not matter either.
	world.tls.useTicketKeys([newTicketKey(), ...world.keys]);
	const identity = { cert: PLAIN.cert.text, key: PLAIN.key.text };
	const { socket, far } = await world.nodeClient(t, server, { session, ...identity });
	let tickets = 0;
	socket.on("session", () => tickets++);
	const heard = once(socket, "data");
	assert.equal(await settled(() => far.handshake()), 0, world.tls.lastReason());
	assert.equal(world.tls.resumed(far.session), true);
	far.say("tickets would have come before this");
	await heard;
	assert.equal(tickets, 0);
});

test("keys rotate without a full handshake for a client that returns in between", async (t) => {
	const [old, current, next] = [newTicketKey(), newTicketKey(), newTicketKey()];
	const world = new World(t, [old]);
	const server = world.server();
	let { resumed, session } = await visit(t, world, server, "TLSv1.3");
	for (const keys of [[current, old], [current], [next, current], [next]]) {
		world.tls.useTicketKeys(keys);
		({ resumed, session } = await visit(t, world, server, "TLSv1.3", session));
		assert.equal(resumed, true);
	}
	world.tls.useTicketKeys([old]);
	assert.equal((await visit(t, world, server, "TLSv1.3", session)).resumed, false);
});

test("with TLS 1.2, too, a ticket under an older key is replaced", async (t) => {
	const [old, current] = [newTicketKey(), newTicketKey()];
	const world = new World(t, [old]);
	const server = world.server();
	const { session } = await visit(t, world, server, "TLSv1.2");
	world.tls.useTicketKeys([current, old]);
	const { socket, far } = await world.nodeClient(t, server, { session, maxVersion: "TLSv1.2" });
	const secure = once(socket, "secureConnect");
	assert.equal(await settled(() => far.handshake()), 0);
	await secure;
	assert.equal(world.tls.resumed(far.session), true);
	const renewed = socket.getSession();
	world.tls.useTicketKeys([current]);
	assert.equal((await visit(t, world, server, "TLSv1.2", renewed)).resumed, true);
});

test("ticket keys of another size or number are refused", (t) => {
	const { tls } = new World(t);
	assert.throws(() => tls.useTicketKeys([]), /0 ticket keys; between 1 and 4/);
	assert.throws(() => tls.useTicketKeys([new Uint8Array(48)]), /a ticket key has 48 bytes; it must have 80/);
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
	test(`${version}: an upstream's session is continued once it was remembered`, async (t) => {
		const world = new World(t);
		const client = world.client();
		const ticketKeys = Buffer.from(newTicketKey()).subarray(0, 48);
		const results: boolean[] = [];
		for (const remembered of [false, true, true]) {
			const server = await world.nodeServer(client, { maxVersion: version, ticketKeys });
			assert.equal(await settled(() => server.near.handshake()), 0, world.tls.lastReason());
			const socket = await server.accepted;
			results.push(world.tls.resumed(server.near.session));
			assert.equal(world.tls.resumed(server.near.session), remembered);
			socket.write("hello");
			assert.equal(await server.near.hear(), "hello");
			// Node sends its tickets behind what is written first.
			await settled(() => (client.remember(server.near.session) ? 0 : server.near.read()));
			server.near.close();
		}
		client.forget();
		assert.deepEqual(results, [false, true, true]);
	});
}
