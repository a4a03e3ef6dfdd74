/**
 * `guard(server)`: the gateway's guarantees for a Node server of your own. Every connection has a deadline in each thing that it does,
 * is counted, and ends with one reason of the gateway's closed list.
 *
 *     import { createServer } from "node:http";
 *     import { guard } from "sluice/guard";
 *
 *     const server = createServer(handler).listen(8080);
 *     const guarded = guard(server, { timeouts: { stall: "20s" }, limits: { connectionsPerAddress: 100 } });
 *     guarded.on("closed", ({ reason, address }) => console.log(address, reason));
 *     process.once("SIGTERM", async () => console.log(await guarded.close({ drainMs: 10_000 })));
 *
 * @module
 */
import { EventEmitter } from "node:events";
import { Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Server as HttpsServer } from "node:https";
import { type DropArgument, Server, Socket } from "node:net";
import { Server as TlsServer } from "node:tls";
import { fractionFor } from "../parts/jitter.js";
import type { Reason } from "../parts/reasons.js";
import { Admission } from "./admission.js";
import { Connection, hasEnded, nowInMs, type Phase } from "./connection.js";
import { type Counts, Tally } from "./counts.js";
import { isOver, judge, lookAfterHead, startBodyWindow } from "./deadlines.js";
import { type CloseReport, Drain } from "./drain.js";
import { cut, dismiss, endSoon, lastWords, reasonOf, reset, sayLast, TOO_MANY_REQUESTS } from "./endings.js";
import { isIn } from "./forwarded.js";
import { setOnListener } from "./listening.js";
import { type GuardOptions, type Resolved, resolve } from "./options.js";
import { readProxyHeader } from "./proxy-header.js";
import { Schedule } from "./schedule.js";
import { type Duration, OptionError, toMs } from "./units.js";

export { REASONS, type Reason } from "../parts/reasons.js";
export type { Phase } from "./connection.js";
export type { Counts } from "./counts.js";
export type { CloseReport, Cut } from "./drain.js";
export type { Deadline, GuardKeepalive, GuardLimits, GuardOptions, GuardTimeouts } from "./options.js";
export { type Duration, OptionError, type Size } from "./units.js";

/** A connection that has ended. */
export interface Closed {
	/** Why, from the gateway's closed list. */
	readonly reason: Reason;
	/**
	 * Of the client; behind a PROXY header the one that it names. Empty where nobody listened to `closed` when it came, and nothing else
	 * needed it.
	 */
	readonly address: string;
	/** From accept to close. */
	readonly durationMs: number;
	/** Bytes that came from the client, TLS included. */
	readonly bytesRead: number;
	/** Bytes that were written to it, whether it took them or not. */
	readonly bytesWritten: number;
}

/** Events, with what their listeners are called with. */
export interface GuardEvents {
	/** A connection has ended. */
	closed: [closed: Closed];
	/** Turned away: by which limit, and whose. */
	shed: [reason: Reason, address: string];
	/** `close` was called: a handler may say goodbye. */
	drain: [];
}

/** Under the key of its guard: one connection may have several, a net server's and that of the HTTP server which it is handed to. */
type Known = { [guard: symbol]: Connection | undefined };
type Answer = ServerResponse & Known;

/** A flood of refusals warns once in so long. */
const WARN_MS = 60_000;
const DRAIN_MS = 30_000;

/** Puts a guard before a server: `net`, `tls`, `http`, `https`, or `http2` over TLS, and whatever stands on them. Throws OptionError. */
export function guard(server: Server, options: GuardOptions = {}): Guarded {
	// Of anything else nothing would be guarded, and nothing would say so.
	if (!(server instanceof Server))
		throw new OptionError(
			"server",
			server,
			"expected a server of net, tls, http, https or http2: fastify.server, what Express's listen returns, or the one that ws or Socket.IO was given",
		);
	return new Guarded(server, resolve(options));
}

/** What `guard` returns: counts, events, and an end that really ends. */
export class Guarded extends EventEmitter<GuardEvents> {
	/** Under which sockets and responses have their connection. */
	readonly #key = Symbol("sluice.guard");
	readonly #server: Server;
	readonly #limits: Resolved;
	readonly #schedule = new Schedule((connection, nowMs) => this.#look(connection, nowMs));
	readonly #tally = new Tally();
	readonly #admission: Admission;
	readonly #drain: Drain;
	readonly #isHttp: boolean;
	readonly #isHttp2: boolean;
	readonly #isTls: boolean;
	/** HTTP/2 sessions of connections, for their goodbye. */
	readonly #sessions = new Map<Connection, { close(): void }>();
	/** Answers that go on for as long as they like. Beside the connections, of which most have none. */
	readonly #streaming = new WeakSet<ServerResponse>();
	/** Those without a request under way, the longest first; kept where they are limited. */
	readonly #waiting = new Set<Connection>();
	readonly #limitsWaiting: boolean;
	#hasListened = false;
	#inherits = false;
	#warnedMs = Number.NEGATIVE_INFINITY;

	/** @internal */
	constructor(server: Server, limits: Resolved) {
		super();
		this.#server = server;
		this.#limits = limits;
		this.#admission = new Admission(limits, this.#tally);
		this.#drain = new Drain(server, this.#schedule, this.#tally);
		this.#isHttp = server instanceof HttpServer || server instanceof HttpsServer;
		this.#isTls = server instanceof TlsServer;
		this.#isHttp2 = this.#isTls && isHttp2(server);
		this.#limitsWaiting = limits.waiting !== Number.POSITIVE_INFINITY;
		this.#takeOver();
	}

	/** What has been counted since `guard`. */
	get counts(): Counts {
		return this.#tally.counts();
	}

	/** The same as Prometheus text. `server`: a label that tells several guarded servers of a process apart. */
	metrics(server = "default"): string {
		return this.#tally.page(server, this.#admission.addresses);
	}

	/**
	 * Ends the server: nobody new comes, idle connections are closed at once, requests under way are answered and their connections
	 * closed behind them, and what is left after `drainMs` (default 30 s; 0: at once), upgraded sockets included, is reset as
	 * `drained`. Resolves when the server and all of its connections are closed. A second call gets the same report, and may bring
	 * the cut forward.
	 */
	close({ drainMs = DRAIN_MS }: { readonly drainMs?: Duration } = {}): Promise<CloseReport> {
		return this.#drain.begin(drainMs === 0 ? 0 : toMs("drainMs", drainMs), () => {
			try {
				this.emit("drain");
			} finally {
				for (const session of this.#sessions.values()) session.close();
			}
		});
	}

	/**
	 * HTTP/1: this answer goes on for as long as handler and client like, as a stream of events does. `timeouts.request` holds for it no
	 * more; `stall` does.
	 */
	streams(response: ServerResponse): void {
		const connection = (response as Answer)[this.#key];
		if (connection === undefined) return;
		this.#streaming.add(response);
		connection.sinceMs = Number.POSITIVE_INFINITY;
	}

	/** The guard stands before the server's own listeners: what it turns away never reaches them. */
	#takeOver(): void {
		const server = this.#server;
		const emit = server.emit as (...args: unknown[]) => boolean;
		server.emit = ((name: string, ...args: unknown[]): boolean => {
			if (!this.#mayPass(name, args, () => emit.call(server, name, ...args))) return true;
			return emit.call(server, name, ...args);
		}) as typeof server.emit;
		// That of HTTP/2 has them for those of its clients that speak HTTP/1.
		if (server instanceof HttpServer || server instanceof HttpsServer || isHttp2(server)) {
			// Node would look every half a minute only, and would not say why it closes.
			server.headersTimeout = 0;
			server.requestTimeout = 0;
			server.keepAliveTimeout = 0;
			server.timeout = 0;
		}
		if (server.listening) this.#listens();
	}

	/** False: the event is kept back, for good or until `later` is called. */
	#mayPass(name: string, args: readonly unknown[], later: () => void): boolean {
		switch (name) {
			case "request":
			case "checkContinue":
			case "checkExpectation":
				return this.#requested(args[0] as IncomingMessage, args[1] as Answer);
			case "connection":
				return this.#came(args[0], later);
			case "secureConnection":
				this.#secured(args[0] as Socket & Known);
				return true;
			case "upgrade":
			case "connect":
				return this.#upgraded(args[0] as IncomingMessage, args[1] as Socket & Known);
			case "session":
				this.#began(args[0] as { socket: Known; close(): void });
				return true;
			case "stream": {
				const { session } = args[0] as { session?: { socket: Known } };
				const connection = session?.socket[this.#key];
				if (connection !== undefined) this.#turns(connection, "open");
				return true;
			}
			case "clientError":
				this.#blame(args[1] as Socket & Known, args[0] as NodeJS.ErrnoException, "bad_request", "HPE_");
				return true;
			case "unknownProtocol": {
				const connection = this.#beneath(args[0] as Socket);
				if (connection !== undefined && this.#server.listenerCount(name) > 0) this.#turns(connection, "open");
				return true;
			}
			case "tlsClientError":
				this.#blame(args[1] as Socket & Known, args[0] as NodeJS.ErrnoException, "tls_failed", "ERR_");
				return true;
			case "drop":
				this.#tally.accepted++;
				this.#tally.close("limit_connections");
				this.#refused("limit_connections", (args[0] as DropArgument | undefined)?.remoteAddress ?? "");
				return true;
			case "listening":
				this.#drain.reopen();
				this.#listens();
				return true;
			default:
				return true;
		}
	}

	/** Nobody new comes: whoever has its answer goes. A server may also be closed by itself, or by its framework, which then waits for the last one. */
	get #isEnding(): boolean {
		return this.#drain.isOn || (this.#hasListened && !this.#server.listening);
	}

	#listens(): void {
		this.#hasListened = true;
		const { keepalive, unsentBytes } = this.#limits;
		if (keepalive === null && unsentBytes === Number.POSITIVE_INFINITY) return;
		this.#inherits = false;
		setOnListener(this.#server, this.#limits).then(
			(inherits) => {
				this.#inherits = inherits;
			},
			(error: Error) =>
				process.emitWarning(`keepalive and send buffers are Node's own: ${error.message}`, {
					code: "SLUICE_KEEPALIVE",
				}),
		);
	}

	#came(given: unknown, later: () => void): boolean {
		if (!(given instanceof Socket)) return true;
		const socket = given as Socket & Known;
		// It has been let in already, and waited for its PROXY header; or a handler hands it to a second server.
		if (socket[this.#key] !== undefined) return true;
		const nowMs = nowInMs();
		this.#tally.accepted++;
		const connection = this.#schedule.add((place) => new Connection(socket, place, nowMs));
		socket[this.#key] = connection;
		this.#tally.open++;
		socket.on("close", this.#onClose);
		// Node forgets it with the connection, unless it was asked.
		if (this.listenerCount("closed") > 0) void connection.address;
		if (this.#limits.keepalive !== null && !this.#inherits)
			socket.setKeepAlive(true, this.#limits.keepalive.idleMs);
		const { lifetimeMs, lifetimeJitter, proxyTrusted } = this.#limits;
		if (lifetimeMs !== Number.POSITIVE_INFINITY)
			connection.lifetimeEndsMs =
				nowMs + lifetimeMs * (1 - lifetimeJitter * fractionFor(this.#tally.accepted));
		const refusal = this.#drain.isOn ? "drained" : this.#admission.refusalOf(connection, nowMs);
		if (refusal !== undefined) return this.#refuse(connection, refusal);
		if (proxyTrusted === null) return this.#admit(connection, nowMs);
		this.#look(connection, nowMs);
		if (!isIn(proxyTrusted, connection.address)) return this.#refuse(connection, "proxy_header");
		// Before its header is there, nobody else hears of its errors.
		const ignore = (): void => {};
		socket.on("error", ignore);
		readProxyHeader(socket, (client) => {
			if (connection.reason !== undefined) return;
			if (client === null) {
				this.#refuse(connection, "proxy_header");
				return;
			}
			connection.client = client;
			if (!this.#admit(connection, nowInMs())) return;
			later();
			socket.off("error", ignore);
		});
		return false;
	}

	/** Its client is known: is there room for one more of it? */
	#admit(connection: Connection, nowMs: number): boolean {
		const refusal = this.#admission.enter(connection, nowMs);
		if (refusal !== undefined) return this.#refuse(connection, refusal);
		if (!this.#isHttp && !this.#isTls) connection.phase = "open";
		else this.#waits(connection);
		connection.top.on("finish", this.#onFinish);
		this.#look(connection, nowMs);
		return true;
	}

	/** It has nothing under way. Where there are too many of those, who has waited longest makes room. */
	#waits(connection: Connection): void {
		if (!this.#limitsWaiting) return;
		this.#waiting.add(connection);
		if (this.#waiting.size <= this.#limits.waiting) return;
		for (const longest of this.#waiting) {
			this.#waiting.delete(longest);
			cut(longest, "limit_connections");
			return;
		}
	}

	#secured(socket: Socket & Known): void {
		const connection = this.#beneath(socket);
		if (connection === undefined) return;
		socket[this.#key] = connection;
		connection.top = socket;
		socket.on("finish", this.#onFinish);
		// HTTP has still to say what it wants, whether its client names a protocol or not.
		if (!this.#isHttp && !this.#isHttp2) this.#turns(connection, "open");
	}

	#began(session: { socket: Known; close(): void }): void {
		const connection = session.socket[this.#key];
		if (connection !== undefined) this.#sessions.set(connection, session);
	}

	#requested(request: IncomingMessage, response: Answer): boolean {
		const socket = request.socket as (Socket & Known) | null;
		const connection = socket?.[this.#key];
		// HTTP/2 has streams, and is judged by its bytes.
		if (connection === undefined || request.httpVersionMajor > 1) return true;
		// A handler of `checkContinue` hands it on, and it has been counted.
		if (response[this.#key] === connection) return true;
		if (connection.requests >= this.#limits.requestsAtOnce) {
			this.#readsNoMore(connection);
			return false;
		}
		const nowMs = nowInMs();
		if (connection.requests === 0) connection.sinceMs = nowMs;
		connection.requests++;
		connection.phase = "request";
		connection.headMs = 0;
		connection.request = request;
		connection.response = response;
		startBodyWindow(connection, nowMs);
		response[this.#key] = connection;
		response.on("close", this.#onAnswered);
		if (this.#limitsWaiting) this.#waiting.delete(connection);
		this.#schedule.lookBy(connection, lookAfterHead(this.#limits, nowMs));
		if (this.#isEnding) response.shouldKeepAlive = false;
		const client = this.#admission.clientOf(request, connection);
		return client === undefined || this.#countsRequest(connection, client, response);
	}

	/** It has asked for more than may be under way: what is under way is answered, and it has to ask again for the rest (RFC 9112, 9.3.2). */
	#readsNoMore(connection: Connection): void {
		if (connection.isLast) return;
		connection.isLast = true;
		connection.top.pause();
	}

	/** A request that a trusted proxy passes on counts for its client, while it is under way. */
	#countsRequest(connection: Connection, client: string, response: ServerResponse): boolean {
		const refusal = this.#admission.enterRequest(client);
		if (refusal === undefined) {
			connection.clients ??= new Map();
			connection.clients.set(response, client);
			return true;
		}
		this.#refused(refusal, client);
		response.writeHead(429, { "content-length": 0 }).end();
		return false;
	}

	#upgraded(request: IncomingMessage, socket: Socket & Known): boolean {
		const connection = socket[this.#key];
		if (connection === undefined) return true;
		this.#turns(connection, "open");
		const client = connection.source === "" ? this.#admission.clientOf(request, connection) : undefined;
		if (client === undefined) return true;
		connection.client = client;
		const refusal = this.#admission.enterAs(connection, client, nowInMs());
		if (refusal === undefined) return true;
		this.#refused(refusal, client);
		socket.on("error", () => {});
		sayLast(connection, this.#schedule, TOO_MANY_REQUESTS, refusal);
		return false;
	}

	readonly #onAnswered = ((guarded: Guarded) =>
		function (this: Answer): void {
			const connection = this[guarded.#key];
			if (connection === undefined) return;
			const client = connection.clients?.get(this);
			if (client !== undefined) {
				connection.clients?.delete(this);
				guarded.#admission.leaveRequest(client);
			}
			guarded.#answered(connection);
		})(this);

	#answered(connection: Connection): void {
		connection.requests--;
		const nowMs = nowInMs();
		if (connection.requests > 0 || connection.phase !== "request") {
			const { response } = connection;
			const streams = response !== undefined && this.#streaming.has(response);
			connection.sinceMs = streams ? Number.POSITIVE_INFINITY : nowMs;
			return;
		}
		// A body that outlives its stream has the time of a request.
		if (connection.sinceMs === Number.POSITIVE_INFINITY) connection.sinceMs = nowMs;
		// Answered before its body was there: what comes is no head yet. The next look sees when it is complete.
		if (
			connection.request?.complete === false &&
			!connection.socket.destroyed &&
			this.#goesOn(connection, nowMs)
		)
			return;
		this.#rests(connection, nowMs);
	}

	/** It will be read on: neither its life nor the server ends with this answer. */
	#goesOn(connection: Connection, nowMs: number): boolean {
		return !isOver(connection, nowMs) && !connection.isLast && !this.#isEnding;
	}

	/** No request is under way any more. */
	#rests(connection: Connection, nowMs: number): void {
		connection.sinceMs = nowMs;
		connection.request = undefined;
		connection.response = undefined;
		if (connection.socket.destroyed) return;
		connection.read = connection.socket.bytesRead;
		connection.phase = "waiting";
		connection.movedMs = nowMs;
		if (isOver(connection, nowMs)) cut(connection, "lifetime");
		else if (connection.isLast) endSoon(connection, this.#schedule, "recycled");
		else if (this.#isEnding) dismiss(connection, this.#schedule);
		else {
			this.#waits(connection);
			const { keepAliveMs, requestHeadMs } = this.#limits;
			this.#schedule.lookBy(connection, nowMs + Math.min(keepAliveMs, requestHeadMs));
		}
	}

	#turns(connection: Connection, phase: Phase): void {
		if (connection.phase === phase) return;
		connection.phase = phase;
		connection.sinceMs = nowInMs();
		connection.movedMs = connection.sinceMs;
		connection.request = undefined;
		connection.response = undefined;
		this.#waiting.delete(connection);
		this.#look(connection, connection.sinceMs);
	}

	readonly #onFinish = ((guarded: Guarded) =>
		function (this: Socket & Known): void {
			const connection = this[guarded.#key];
			if (connection !== undefined && !hasEnded(this)) connection.endedFirst = true;
		})(this);

	readonly #onClose = ((guarded: Guarded) =>
		function (this: Socket & Known): void {
			const connection = this[guarded.#key];
			if (connection !== undefined) guarded.#account(connection);
		})(this);

	/** The one end of a connection: its place is given back, and its reason counted. */
	#account(connection: Connection): void {
		const { socket, acceptedMs } = connection;
		this.#schedule.remove(connection);
		this.#sessions.delete(connection);
		this.#waiting.delete(connection);
		this.#admission.leave(connection);
		// Of a connection that breaks Node closes only the answer whose turn it was.
		for (const client of connection.clients?.values() ?? []) this.#admission.leaveRequest(client);
		connection.clients = undefined;
		this.#tally.open--;
		const reason = connection.reason ?? reasonOf(connection);
		this.#tally.close(reason);
		// First, because a listener may throw; who waits for the end hears of it after `closed` all the same.
		this.#drain.ended();
		if (this.listenerCount("closed") > 0)
			this.emit("closed", {
				...{ reason, address: connection.address, durationMs: nowInMs() - acceptedMs },
				...{ bytesRead: socket.bytesRead, bytesWritten: socket.bytesWritten },
			});
	}

	/** Always false: it may not pass. */
	#refuse(connection: Connection, reason: Reason): false {
		const { address } = connection;
		reset(connection, reason);
		this.#refused(reason, address);
		return false;
	}

	/** Node closes connections in silence when descriptors run out; a guard says so. */
	#refused(reason: Reason, address: string): void {
		this.#tally.shed++;
		this.emit("shed", reason, address);
		const nowMs = nowInMs();
		if (reason !== "fd_pressure" || nowMs - this.#warnedMs < WARN_MS) return;
		this.#warnedMs = nowMs;
		const { descriptorsMost } = this.#admission;
		process.emitWarning(
			`connections are shed: descriptors run out (${descriptorsMost} may be in use; raise ulimit -n)`,
			{ code: "SLUICE_FD_PRESSURE" },
		);
	}

	/** Ends a connection whose deadline has passed, or finds its next one. */
	#look(connection: Connection, nowMs: number): void {
		if (connection.reason !== undefined) {
			cut(connection, connection.reason);
			return;
		}
		if (
			connection.phase === "request" &&
			connection.requests === 0 &&
			connection.request?.complete !== false
		) {
			this.#rests(connection, nowMs);
			if (connection.reason !== undefined) return;
		}
		const verdict = judge(connection, this.#limits, nowMs);
		if (typeof verdict !== "string") {
			this.#schedule.lookAt(connection, verdict);
			return;
		}
		const isPlain = connection.top !== connection.socket || !this.#isTls;
		const words = this.#isHttp && isPlain ? lastWords(connection, verdict) : undefined;
		if (words === undefined) cut(connection, verdict);
		else sayLast(connection, this.#schedule, words, verdict);
	}

	#blame(socket: Socket & Known, error: NodeJS.ErrnoException, reason: Reason, prefix: string): void {
		const connection = socket[this.#key] ?? this.#beneath(socket);
		if (connection !== undefined && error.code?.startsWith(prefix) === true) connection.reason ??= reason;
	}

	/** Of a TLS socket, by the one that it was made from, which Node keeps in a private field. */
	#beneath(socket: Socket): Connection | undefined {
		return (socket as Socket & { readonly _parent?: Known | null })._parent?.[this.#key];
	}
}

/** Node exports no class of it. */
function isHttp2(server: Server): server is Server & HttpServer {
	return "updateSettings" in server;
}
