import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate as others } from "node:timers/promises";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { EAGAIN, ECONNRESET, EPOLLET, EPOLLIN, EPOLLOUT, EPOLLRDHUP } from "../../src/kernel/constants.js";
import type { LinuxKernel } from "../../src/kernel/linux.js";
import { loopback } from "../../src/rig/connect.js";
import { issue } from "../../src/rig/issue.js";
import { Places } from "../../src/rig/places.js";
import { turn } from "../../src/rig/turn.js";
import { MixedWire, PlainWire, TlsWire, type Wire } from "../../src/rig/wire.js";
import { PATIENCE_MS } from "../support/waiting.js";
import { newKernel } from "./ends.js";

const NAME = "a.test";
const INTEREST = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
const ECHO_AT = 32 * 1024;
const BYTES = 20_000;

interface Seen {
	readonly socket: Socket;
	readonly name: string | null;
	resumed: boolean;
	ended: boolean;
	error: string | null;
}

/** Says what it hears. */
function serve(seen: Seen[], socket: Socket, name: string | null, resumed: boolean): void {
	const one: Seen = { socket, name, resumed, ended: false, error: null };
	seen.push(one);
	socket.on("data", (bytes) => socket.write(bytes));
	socket.on("end", () => {
		one.ended = true;
	});
	socket.on("error", (error: NodeJS.ErrnoException) => {
		one.error = error.code ?? error.message;
	});
}

async function portOf(t: TestContext, server: Server): Promise<number> {
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	t.after(() => server.close());
	return (server.address() as AddressInfo).port;
}

function startTls(t: TestContext, seen: Seen[]): Promise<number> {
	const { cert, key } = issue({ commonName: NAME });
	const server = createTlsServer({ cert: cert.text, key: key.text }, (socket: TLSSocket) =>
		serve(seen, socket, socket.servername || null, socket.isSessionReused()),
	);
	return portOf(t, server);
}

function startPlain(t: TestContext, seen: Seen[]): Promise<number> {
	return portOf(
		t,
		createTcpServer((socket) => serve(seen, socket, null, false)),
	);
}

class Client {
	readonly kernel: LinuxKernel;
	readonly places: Places;
	readonly #news = new Set<number>();

	constructor(t: TestContext, count: number) {
		this.kernel = newKernel(t);
		this.places = new Places(this.kernel, count);
		t.after(() => this.places.closeAll());
	}

	/** Turns until a call has another result than "not now", and returns that. */
	async until(place: number, call: () => number): Promise<number> {
		const giveUpAtMs = performance.now() + PATIENCE_MS;
		for (;;) {
			const result = call();
			if (result !== -EAGAIN) return result;
			this.#news.delete(place);
			while (!this.#news.has(place)) {
				if (performance.now() > giveUpAtMs) throw new Error("no news");
				// The server is in this very thread.
				await others();
				turn(this.kernel, 0, this.places, (heard) => this.#news.add(heard));
			}
		}
	}

	/** Connects, shakes hands, says something long, and hears it all again. */
	async converse(wire: Wire, place: number, port: number): Promise<void> {
		const { kernel, places } = this;
		places.open(place, loopback(port), INTEREST);
		await this.until(place, () =>
			kernel.takeError(places.fd(place)) === 0 ? wire.shake(place, places.fd(place)) : -EAGAIN,
		);
		for (let i = 0; i < BYTES; i++) kernel.memory[i] = (i * 7 + place) & 0xff;
		for (let sent = 0; sent < BYTES; ) {
			const count = await this.until(place, () => wire.send(place, places.fd(place), sent, BYTES - sent));
			assert.ok(count > 0, `send: ${count}`);
			sent += count;
		}
		for (let got = 0; got < BYTES; ) {
			const count = await this.until(place, () =>
				wire.receive(place, places.fd(place), ECHO_AT + got, BYTES - got),
			);
			assert.ok(count > 0, `receive: ${count}`);
			got += count;
		}
		const { memory } = kernel;
		assert.deepEqual(memory.subarray(ECHO_AT, ECHO_AT + BYTES), memory.subarray(0, BYTES));
	}

	/** Takes what comes up to the end, and returns the end's result. */
	discardAll(wire: Wire, place: number): Promise<number> {
		return this.until(place, () => {
			for (;;) {
				const count = wire.discard(place, this.places.fd(place), 1 << 20);
				if (count <= 0) return count;
			}
		});
	}
}

async function settled(one: Seen | undefined): Promise<void> {
	if (one !== undefined && !one.socket.closed) await once(one.socket, "close");
}

test("plain and within TLS, long sayings come whole in both directions, and the name is asked for", async (t) => {
	const seen: Seen[] = [];
	const client = new Client(t, 2);
	const { kernel } = client;
	await client.converse(new PlainWire(kernel), 0, await startPlain(t, seen));
	await client.converse(new TlsWire(kernel, 2, NAME), 1, await startTls(t, seen));
	assert.deepEqual(
		seen.map(({ name }) => name),
		[null, NAME],
	);
});

test("after its end a client still hears what comes, up to the other's end", async (t) => {
	for (const secure of [false, true]) {
		const seen: Seen[] = [];
		const client = new Client(t, 1);
		const wire = secure ? new TlsWire(client.kernel, 1, NAME) : new PlainWire(client.kernel);
		await client.converse(wire, 0, secure ? await startTls(t, seen) : await startPlain(t, seen));
		wire.end(0, client.places.fd(0));
		assert.equal(await client.discardAll(wire, 0), 0);
		await settled(seen[0]);
		assert.equal(seen[0]?.ended, true);
		assert.equal(seen[0]?.error, null);
	}
});

test("who leaves within TLS says so, and the next connection of the place shakes hands anew", async (t) => {
	const seen: Seen[] = [];
	const client = new Client(t, 1);
	const wire = new TlsWire(client.kernel, 1, NAME);
	const port = await startTls(t, seen);
	for (let time = 0; time < 2; time++) {
		await client.converse(wire, 0, port);
		wire.drop(0);
		client.places.close(0);
		await settled(seen[time]);
	}
	for (const one of seen) assert.deepEqual([one.ended, one.error, one.resumed], [true, null, false]);
});

test("an answer that is no TLS is a connection that was cut", async (t) => {
	const seen: Seen[] = [];
	const client = new Client(t, 1);
	const { kernel, places } = client;
	// It says the hello again, which no server does.
	places.open(0, loopback(await startPlain(t, seen)), INTEREST);
	const wire = new TlsWire(kernel, 1, NAME);
	assert.equal(await client.until(0, () => wire.shake(0, places.fd(0))), -ECONNRESET);
	wire.drop(0);
});

test("places may speak in different ways, and in another way the next time", async (t) => {
	const seen: Seen[] = [];
	const client = new Client(t, 2);
	const wire = new MixedWire(client.kernel, 2, NAME);
	const plain = await startPlain(t, seen);
	const tls = await startTls(t, seen);
	for (const secured of [0, 1]) {
		for (const place of [0, 1]) {
			wire.choose(place, place === secured);
			await client.converse(wire, place, place === secured ? tls : plain);
		}
		for (const place of [0, 1]) {
			wire.drop(place);
			client.places.close(place);
		}
	}
	assert.deepEqual(
		seen.map(({ name }) => name),
		[NAME, null, null, NAME],
	);
});

test("a place whose hands were never shaken is left without a word", (t) => {
	const client = new Client(t, 1);
	const wire = new MixedWire(client.kernel, 1, NAME);
	wire.choose(0, true);
	wire.drop(0);
	wire.drop(0);
});
