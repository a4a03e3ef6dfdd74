/** TLS clients and upstreams of a reactor under test, whose bytes pass through the test's hands. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import koffi from "koffi";
import { EAGAIN, IPPROTO_TCP, TCP_NODELAY } from "../../src/kernel/constants.js";
import type { ClientContext } from "../../src/kernel/openssl/client.js";
import type { Context } from "../../src/kernel/openssl/context.js";
import type { ClientOptions, ServerOptions } from "../../src/kernel/openssl/options.js";
import type { ServerContext } from "../../src/kernel/openssl/server.js";
import { newTicketKey } from "../../src/kernel/openssl/tickets.js";
import { WANT_READ, WANT_WRITE } from "../../src/kernel/openssl/tls.js";
import { Openssl } from "../../src/kernel/openssl.js";
import { encodeInternet } from "../../src/kernel/sockaddr.js";
import type { ListenerPlan, Plan, TlsEntryPlan } from "../../src/reactor/plan/plan.js";
import { type Issued, issue } from "../../src/rig/issue.js";
import type { AddressPlan, UpstreamPlan } from "../../src/upstream/plan.js";
import { PATIENCE_MS } from "../support/waiting.js";
import { Harness, type HarnessOptions } from "./harness.js";

export const NAME = "www.example.com";
export const PLAIN = issue({ commonName: NAME });

const updateKey = koffi.load(null).func("SSL_key_update", "int", ["uintptr_t", "int"]) as (
	session: number,
	kind: number,
) => number;

/** Where the test's bytes lie in the arena of the outside kernel. */
const AT = 0;
const CARRIED_AT = 64 * 1024;
const CARRIED_MAX = 32 * 1024;

export const POOL = { keeps: true, idleMs: 60_000, ageMs: 60_000, requests: 1_000, idleMax: 10 };

export interface SecuredOptions extends Partial<HarnessOptions> {
	/** Terminated names; default: NAME. None: `[]`. */
	readonly entries?: readonly Partial<ServerOptions>[];
	/** Its upstream takes requests. */
	readonly http?: boolean;
	/** Its upstream speaks TLS. */
	readonly upstreamTls?: Partial<ClientOptions>;
}

export function entry(options: Partial<ServerOptions> = {}, identity: Issued = PLAIN): TlsEntryPlan {
	const server: ServerOptions = {
		names: [NAME],
		cert: identity.cert,
		key: identity.key,
		alpn: [],
		...options,
	};
	return { names: server.names, server, identity: JSON.stringify(server) };
}

export function clientTls(options: Partial<ClientOptions> = {}): NonNullable<AddressPlan["tls"]> {
	const client = { serverName: NAME, verify: true, ca: PLAIN.cert, alpn: [], ...options };
	return { client, identity: JSON.stringify(client) };
}

/** A reactor with certificates, and what its peers are made with. */
export class Secured {
	readonly harness: Harness;
	readonly tls: Openssl;
	readonly listener: { fd: number; port: number };
	plan: Plan;
	readonly #contexts: Context[] = [];
	readonly #sessions = new Set<number>();

	constructor(t: TestContext, options: SecuredOptions = {}) {
		// Before the harness's own end: its kernel must still be there.
		t.after(() => this?.dispose());
		this.harness = new Harness(t, {
			sessions: 16,
			routes: [{}],
			openTls: (memory) => new Openssl(memory, [newTicketKey()]),
			...options,
		});
		this.tls = new Openssl(this.harness.outside.memory, [newTicketKey()]);
		this.listener = this.harness.upstream();
		const { plan } = this.harness;
		const [listener] = plan.listeners;
		const [upstream] = plan.upstreams;
		assert.ok(listener !== undefined && upstream !== undefined);
		const http = options.http === true;
		this.plan = {
			...plan,
			revision: 2,
			listeners: [
				{ ...listener, readsRequests: http, tls: (options.entries ?? [{}]).map((own) => entry(own)) },
			],
			upstreams: [
				{
					...upstream,
					pool: http ? POOL : null,
					addresses: [
						{
							board: 0,
							sockaddr: sockaddr(this.listener.port),
							hash: 0,
							...(options.upstreamTls === undefined ? {} : { tls: clientTls(options.upstreamTls) }),
						},
					],
				},
			],
		};
		this.harness.command({ kind: "plan", plan: this.plan });
	}

	/** Another plan: listeners and upstreams as they are, but for what is said here. */
	reload(
		listener: Partial<ListenerPlan>,
		upstream: Partial<UpstreamPlan> = {},
		plan: Partial<Plan> = {},
	): void {
		this.plan = {
			...this.plan,
			revision: this.plan.revision + 1,
			listeners: this.plan.listeners.map((old) => ({ ...old, ...listener })),
			upstreams: this.plan.upstreams.map((old) => ({ ...old, ...upstream })),
			...plan,
		};
		this.harness.command({ kind: "plan", plan: this.plan });
	}

	/** A client, its handshake done; `options`: what it believes and shows. */
	client(options: Partial<ClientOptions> = {}): Peer {
		const peer = this.peer(this.clientContext(options), this.harness.client());
		peer.shake();
		return peer;
	}

	clientContext(options: Partial<ClientOptions> = {}): ClientContext {
		const context = this.tls.clientContext(clientTls(options).client);
		this.#contexts.push(context);
		return context;
	}

	serverContext(options: Partial<ServerOptions> = {}): ServerContext {
		const context = this.tls.serverContext(entry(options).server);
		this.#contexts.push(context);
		return context;
	}

	/** What the reactor dials. */
	accept(): number {
		const fd = this.harness.accepted(this.listener.fd, "the dial");
		this.harness.outside.setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
		return fd;
	}

	/** A session whose bytes are carried to and from `fd`. */
	peer(context: Context, fd: number): Peer {
		const { harness } = this;
		harness.outside.setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
		const { fd: listener, port } = harness.upstream();
		const near = harness.connect(port);
		let far = -EAGAIN;
		while (far < 0) far = harness.outside.accept(listener, 0);
		harness.adopt(far);
		harness.outside.setOption(near, IPPROTO_TCP, TCP_NODELAY, 1);
		const session = this.tls.open(context, near);
		assert.ok(session > 0);
		this.#sessions.add(session);
		return new Peer(this, session, far, fd);
	}

	dispose(): void {
		for (const session of this.#sessions) this.tls.free(session);
		for (const context of this.#contexts) context.free();
		this.tls.dispose();
	}
}

export class Peer {
	readonly session: number;
	/** The other end of the session's descriptor. */
	readonly far: number;
	/** The connection with the reactor. */
	readonly fd: number;
	readonly #secured: Secured;
	/** What its session has sent and nobody has carried yet. */
	#outgoing: Buffer = Buffer.alloc(0);
	/** What the reactor has sent and the session's descriptor has not taken yet. */
	#incoming: Buffer = Buffer.alloc(0);
	/** The reactor has ended its direction of the connection. */
	ended = false;

	constructor(secured: Secured, session: number, far: number, fd: number) {
		this.#secured = secured;
		this.session = session;
		this.far = far;
		this.fd = fd;
	}

	shake(): void {
		const { tls, harness } = this.#secured;
		let result = WANT_READ;
		const giveUpAtMs = performance.now() + PATIENCE_MS;
		while (result === WANT_READ || result === WANT_WRITE) {
			assert.ok(performance.now() < giveUpAtMs, "no handshake");
			result = tls.handshake(this.session);
			this.carry();
			harness.turn();
		}
		assert.equal(result, 0, tls.lastReason());
		this.carry();
		harness.turn();
	}

	/** One write: a record, up to 16 KiB. */
	say(bytes: string | Uint8Array): void {
		const { tls, harness } = this.#secured;
		const all = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
		harness.outside.memory.set(all, AT);
		assert.equal(tls.write(this.session, AT, all.length), all.length);
		this.#collect();
	}

	/** Says that nothing more follows, in its session only. */
	sayGoodbye(): void {
		assert.equal(this.#secured.tls.shutdown(this.session), 0);
		this.#collect();
	}

	/** Bytes that its session has sent and nobody has carried yet. */
	get waiting(): number {
		this.#collect();
		return this.#outgoing.length;
	}

	#collect(): void {
		const { outside } = this.#secured.harness;
		for (;;) {
			const count = outside.receive(this.far, CARRIED_AT, CARRIED_MAX);
			if (count <= 0) return;
			this.#outgoing = Buffer.concat([
				this.#outgoing,
				outside.memory.subarray(CARRIED_AT, CARRIED_AT + count),
			]);
		}
	}

	/** Carries up to `length` bytes to the reactor. Returns how many went. */
	push(length = Number.POSITIVE_INFINITY): number {
		const { outside } = this.#secured.harness;
		this.#collect();
		let pushed = 0;
		while (pushed < length && this.#outgoing.length > 0) {
			const part = this.#outgoing.subarray(0, Math.min(length - pushed, CARRIED_MAX));
			outside.memory.set(part, CARRIED_AT);
			const count = outside.send(this.fd, CARRIED_AT, part.length);
			if (count <= 0) break;
			this.#outgoing = this.#outgoing.subarray(count);
			pushed += count;
		}
		return pushed;
	}

	/** Carries up to `length` bytes from the reactor to the session. Returns how many went. */
	pull(length = CARRIED_MAX): number {
		const { outside } = this.#secured.harness;
		if (this.#incoming.length === 0) {
			const count = outside.receive(this.fd, CARRIED_AT, Math.min(length, CARRIED_MAX));
			if (count === 0 && !this.ended) {
				this.ended = true;
				outside.shutdownWrite(this.far);
			}
			if (count <= 0) return count;
			this.#incoming = Buffer.from(outside.memory.subarray(CARRIED_AT, CARRIED_AT + count));
		}
		outside.memory.set(this.#incoming, CARRIED_AT);
		const count = outside.send(this.far, CARRIED_AT, this.#incoming.length);
		if (count > 0) this.#incoming = this.#incoming.subarray(count);
		return count;
	}

	/** Nothing more comes from it, on the connection itself. */
	end(): void {
		this.#secured.harness.outside.shutdownWrite(this.fd);
	}

	carry(): void {
		this.push();
		while (this.pull() > 0) {}
	}

	/** Its session goes on under another key; the reactor's, too, when that is `asked` for. */
	updateKey(asked: boolean): void {
		assert.equal(updateKey(this.session, asked ? 1 : 0), 1);
		assert.equal(this.#secured.tls.handshake(this.session), 0);
		this.#collect();
	}

	/** What has arrived, or why nothing has: 0 is the end. */
	hear(length = 16_384): string | number {
		const { tls, harness } = this.#secured;
		const count = tls.read(this.session, AT, length);
		return count > 0
			? Buffer.from(harness.outside.memory.subarray(AT, AT + count)).toString("latin1")
			: count;
	}
}

function sockaddr(port: number): Uint8Array {
	return encodeInternet(Uint8Array.of(127, 0, 0, 1), port);
}
