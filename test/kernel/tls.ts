/** TLS sessions over loopback, in one thread: both ends by the binding under test, or one of them by Node's `tls`. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import tls, { type ConnectionOptions, type TLSSocket, type TlsOptions } from "node:tls";
import {
	AF_INET,
	EAGAIN,
	EINPROGRESS,
	EPOLLIN,
	EPOLLOUT,
	IPPROTO_TCP,
	TCP_NODELAY,
} from "../../src/kernel/constants.js";
import type { LinuxKernel } from "../../src/kernel/linux.js";
import type { ClientContext } from "../../src/kernel/openssl/client.js";
import type { Context } from "../../src/kernel/openssl/context.js";
import type { ClientOptions, ServerOptions } from "../../src/kernel/openssl/options.js";
import type { ServerContext } from "../../src/kernel/openssl/server.js";
import { newTicketKey } from "../../src/kernel/openssl/tickets.js";
import { WANT_READ, WANT_WRITE } from "../../src/kernel/openssl/tls.js";
import { Openssl } from "../../src/kernel/openssl.js";
import { encodeInternet } from "../../src/kernel/sockaddr.js";
import type { Listener } from "../../src/kernel/sockets.js";
import { type Issued, issue } from "../../src/rig/issue.js";
import { PATIENCE_MS } from "../support/waiting.js";
import { LOOPBACK, listen, newKernel, waitFor } from "./connection.js";

/** Where tests put and find bytes in the arena. */
export const AT = 4_096;
export const NAME = "www.example.com";

/** One certificate for all tests of a file that do not care which. */
export const PLAIN = issue({ commonName: NAME });

/** A kernel and a TLS library over its arena; at the end everything must have been freed. */
export class World {
	readonly kernel: LinuxKernel;
	readonly tls: Openssl;
	readonly keys: readonly Uint8Array[];
	readonly #deferred: (() => void)[] = [];
	readonly #ends = new Set<End>();
	#listener: Listener | undefined;

	constructor(t: TestContext, keys: readonly Uint8Array[] = [newTicketKey()]) {
		this.keys = keys;
		this.kernel = newKernel(t);
		this.tls = new Openssl(this.kernel.memory, keys);
		t.after(() => {
			for (const end of this.#ends) end.close();
			for (let end = this.#deferred.pop(); end !== undefined; end = this.#deferred.pop()) end();
			assert.equal(this.tls.live, 0, "a session was not freed");
			this.tls.dispose();
		});
	}

	defer(end: () => void): void {
		this.#deferred.push(end);
	}

	server(options: Partial<ServerOptions> = {}, identity: Issued = PLAIN): ServerContext {
		const context = this.tls.serverContext({
			names: [NAME],
			cert: identity.cert,
			key: identity.key,
			alpn: ["http/1.1"],
			...options,
		});
		this.defer(() => context.free());
		return context;
	}

	client(options: Partial<ClientOptions> = {}): ClientContext {
		const context = this.tls.clientContext({
			serverName: NAME,
			verify: true,
			ca: PLAIN.cert,
			alpn: ["http/1.1"],
			...options,
		});
		this.defer(() => context.free());
		return context;
	}

	/** A session over a descriptor; both are given back in the end. */
	open(context: Context, fd: number): End {
		const session = this.tls.open(context, fd);
		assert.ok(session > 0, `open: ${session}`);
		const end = new End(this, session, fd, () => this.#ends.delete(end));
		this.#ends.add(end);
		return end;
	}

	/** Both ends of a new connection; all come from one listener, so that thousands may be made. */
	link(t: TestContext): { near: number; far: number } {
		this.#listener ??= listen(t);
		const { fds, port } = this.#listener;
		const near = this.kernel.socket(AF_INET);
		assert.equal(this.kernel.connect(near, encodeInternet(LOOPBACK, port)), -EINPROGRESS);
		const [listener = -1] = fds;
		waitFor(this.kernel, listener, EPOLLIN);
		const far = this.kernel.accept(listener, 0);
		waitFor(this.kernel, near, EPOLLOUT);
		assert.ok(far >= 0);
		// Otherwise a second small record would wait until the first is acknowledged.
		this.kernel.setOption(near, IPPROTO_TCP, TCP_NODELAY, 1);
		return { near, far };
	}

	/** Two ends of one connection, before their handshake. */
	pair(t: TestContext, server: Context, client: Context): { near: End; far: End } {
		const { near, far } = this.link(t);
		return { near: this.open(client, near), far: this.open(server, far) };
	}

	/** Both ends of a connection after a handshake that went well. */
	connected(t: TestContext, server: Context, client: Context): { near: End; far: End } {
		const ends = this.pair(t, server, client);
		assert.deepEqual(shake(ends.near, ends.far), [0, 0], this.tls.lastReason());
		return ends;
	}

	/** A client of Node's, and our end of its connection before the handshake. */
	async nodeClient(
		t: TestContext,
		server: Context,
		options: ConnectionOptions = {},
	): Promise<{ socket: TLSSocket; far: End }> {
		const listener = listen(t);
		const { port } = listener;
		const socket = tls.connect({
			...{ host: "127.0.0.1", port, servername: NAME, ca: PLAIN.cert.text, ALPNProtocols: ["http/1.1"] },
			...options,
		});
		socket.on("error", () => {});
		this.defer(() => socket.destroy());
		const fd = await settled(() => this.kernel.accept(listener.fds[0] ?? -1, 0));
		return { socket, far: this.open(server, fd) };
	}

	/** A server of Node's, and our end of a connection to it before the handshake. */
	async nodeServer(
		client: Context,
		options: TlsOptions = {},
	): Promise<{ near: End; accepted: Promise<TLSSocket>; errors: Error[] }> {
		const server = tls.createServer({
			...{ cert: PLAIN.cert.text, key: PLAIN.key.text, ALPNProtocols: ["http/1.1"] },
			...options,
		});
		const errors: Error[] = [];
		const sockets = new Set<TLSSocket>();
		const accepted = new Promise<TLSSocket>((resolve) => {
			server.on("secureConnection", (socket) => {
				sockets.add(socket);
				socket.on("error", (error) => errors.push(error));
				resolve(socket);
			});
		});
		server.on("tlsClientError", (error) => errors.push(error));
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		this.defer(() => {
			for (const socket of sockets) socket.destroy();
			server.close();
		});
		const fd = this.kernel.socket(AF_INET);
		const { port } = server.address() as AddressInfo;
		assert.equal(this.kernel.connect(fd, encodeInternet(LOOPBACK, port)), -EINPROGRESS);
		waitFor(this.kernel, fd, EPOLLOUT);
		return { near: this.open(client, fd), accepted, errors };
	}
}

/** One session with its descriptor. */
export class End {
	readonly session: number;
	readonly fd: number;
	readonly #world: World;
	readonly #closed: () => void;
	#open = true;
	#ownsDescriptor = true;

	constructor(world: World, session: number, fd: number, closed: () => void) {
		this.#world = world;
		this.session = session;
		this.fd = fd;
		this.#closed = closed;
	}

	handshake(): number {
		return this.#world.tls.handshake(this.session);
	}

	read(length = 16_384): number {
		return this.#world.tls.read(this.session, AT, length);
	}

	peek(length = 16_384): number {
		return this.#world.tls.peek(this.session, AT, length);
	}

	/** Sends a text, which must go at once. */
	say(text: string): void {
		const bytes = Buffer.from(text, "latin1");
		this.#world.kernel.memory.set(bytes, AT);
		assert.equal(this.#world.tls.write(this.session, AT, bytes.length), bytes.length);
	}

	/** The text that comes next. */
	async hear(): Promise<string> {
		const count = await settled(() => this.read());
		assert.ok(count > 0, `read: ${count}`);
		return this.text(count);
	}

	/** What the last read or peek put into the arena. */
	text(count: number): string {
		assert.ok(count > 0, `no bytes: ${count}`);
		return Buffer.from(this.#world.kernel.memory.subarray(AT, AT + count)).toString("latin1");
	}

	shutdown(): number {
		return this.#world.tls.shutdown(this.session);
	}

	/** Waits until the descriptor can be read. */
	wait(): void {
		waitFor(this.#world.kernel, this.fd, EPOLLIN);
	}

	/** Reads what has come. Returns the result that ended it: WANT_READ, 0, or what went wrong. */
	drain(): number {
		for (;;) {
			const count = this.read();
			if (count <= 0) return count;
		}
	}

	close(): void {
		if (!this.#open) return;
		this.#open = false;
		this.#world.tls.free(this.session);
		if (this.#ownsDescriptor) this.#world.kernel.close(this.fd);
		this.#closed();
	}

	/** The descriptor is no longer closed here. */
	release(): number {
		this.#ownsDescriptor = false;
		return this.fd;
	}
}

/** Lets two ends of ours shake hands until both know the outcome. */
export function shake(near: End, far: End): [number, number] {
	let nearResult = WANT_READ;
	let farResult = WANT_READ;
	// A full handshake takes two turns; what needs more than some has gone astray.
	for (let turn = 0; turn < 20; turn++) {
		if (isWaiting(nearResult)) nearResult = near.handshake();
		if (isWaiting(farResult)) farResult = far.handshake();
		if (!isWaiting(nearResult) && !isWaiting(farResult)) break;
	}
	return [nearResult, farResult];
}

/** Repeats a call until it no longer says that it has to wait; Node's own sockets have their turns in between. */
export async function settled(call: () => number): Promise<number> {
	const giveUpAtMs = performance.now() + PATIENCE_MS;
	for (;;) {
		const result = call();
		if (!isWaiting(result) && result !== -EAGAIN) return result;
		assert.ok(performance.now() < giveUpAtMs, "nothing came");
		await nextTurn();
	}
}

export function isWaiting(result: number): boolean {
	return result === WANT_READ || result === WANT_WRITE;
}
