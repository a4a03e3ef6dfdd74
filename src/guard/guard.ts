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
import { type Server, Socket } from "node:net";
import { Server as TlsServer } from "node:tls";
import { descriptorLimit } from "../kernel/proc.js";
import { fractionFor } from "../parts/jitter.js";
import type { Reason } from "../parts/reasons.js";
import { Connection, descriptorOf, hasEnded, nowInMs, type Phase, waitingBytes } from "./connection.js";
import { type Counts, Tally } from "./counts.js";
import { isOver, judge, startBodyWindow } from "./deadlines.js";
import { clientOf, isIn } from "./forwarded.js";
import { setOnListener } from "./keepalive.js";
import { type GuardOptions, type Resolved, resolve } from "./options.js";
import { readProxyHeader } from "./proxy-header.js";
import { Schedule } from "./schedule.js";
import { rateOf, Sources, sourceOf } from "./sources.js";
import { type Duration, toMs } from "./units.js";

export { REASONS, type Reason } from "../parts/reasons.js";
export type { Phase } from "./connection.js";
export type { Counts } from "./counts.js";
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

/** A connection that `close` did not wait for. */
export interface Cut {
	/** Of the client. */
	readonly address: string;
	/** What it did: `request`, or `open` for a stream or an upgraded connection, such as a WebSocket. */
	readonly phase: Phase;
	/** Since it was accepted. */
	readonly ageMs: number;
}

/** What `close` came to. */
export interface CloseReport {
	/** Connections that ended by themselves, idle ones among them, which have nothing to lose. */
	readonly ended: number;
	/** Those that had to be cut when `drainMs` had passed. */
	readonly cut: readonly Cut[];
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

const CONNECTION = Symbol("sluice.guard");
type Known = { [CONNECTION]?: Connection };

/** What has been said last (a 408) has so long to go out. */
const LAST_WORDS_MS = 1_000;
/** A flood of refusals warns once in so long. */
const WARN_MS = 60_000;
const DRAIN_MS = 30_000;
/** After these nothing is cut off that anybody waits for, unless bytes do. */
const ENDINGS: ReadonlySet<Reason> = new Set(["idle_timeout", "handshake_timeout", "lifetime", "drained"]);

const TIMEOUT_ANSWER = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const TOO_MANY_ANSWER = "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/** Puts a guard before a server: `net`, `tls`, `http`, `https`, or `http2` over TLS, and whatever stands on them. Throws OptionError. */
export function guard(server: Server, options: GuardOptions = {}): Guarded {
	return new Guarded(server, resolve(options));
}

/** What `guard` returns: counts, events, and an end that really ends. */
export class Guarded extends EventEmitter<GuardEvents> {
	readonly #server: Server;
	readonly #limits: Resolved;
	readonly #schedule = new Schedule((connection, nowMs) => this.#look(connection, nowMs));
	readonly #tally = new Tally();
	readonly #sources: Sources;
	readonly #rate: ReturnType<typeof rateOf>;
	readonly #isHttp: boolean;
	readonly #isTls: boolean;
	readonly #descriptorsMost: number;
	/** HTTP/2 sessions of connections, for their goodbye. */
	readonly #sessions = new Map<Connection, { close(): void }>();
	#inherits = false;
	#warnedMs = Number.NEGATIVE_INFINITY;
	#closing: Promise<CloseReport> | undefined;
	/** Of the drain: whom it had to cut, and when it does so next. */
	readonly #cuts: Cut[] = [];
	#cutTimer: NodeJS.Timeout | undefined;
	#cutAtMs = Number.POSITIVE_INFINITY;
	#emptied: (() => void) | undefined;

	/** @internal */
	constructor(server: Server, limits: Resolved) {
		super();
		const nowMs = nowInMs();
		this.#server = server;
		this.#limits = limits;
		this.#sources = new Sources(limits.connectionsPerAddress, limits.acceptsPerSecondPerAddress);
		this.#rate = rateOf(limits.acceptsPerSecond, nowMs);
		this.#isHttp = server instanceof HttpServer || server instanceof HttpsServer;
		this.#isTls = server instanceof TlsServer;
		this.#descriptorsMost = descriptorLimit() - limits.descriptorReserve;
		this.#takeOver();
	}

	/** What has been counted since `guard`. */
	get counts(): Counts {
		return this.#tally.counts();
	}

	/** The same as Prometheus text. `server`: a label that tells several guarded servers of a process apart. */
	metrics(server = "default"): string {
		return this.#tally.page(server, this.#sources.size);
	}

	/**
	 * Ends the server: nobody new comes, idle connections are closed at once, requests under way are answered and their connections
	 * closed behind them, and what is left after `drainMs` (default 30 s; 0: at once), upgraded sockets included, is reset as
	 * `drained`. Resolves when the server and all of its connections are closed. A second call gets the same report, and may bring
	 * the cut forward.
	 */
	close({ drainMs = DRAIN_MS }: { readonly drainMs?: Duration } = {}): Promise<CloseReport> {
		const waitMs = drainMs === 0 ? 0 : toMs("drainMs", drainMs);
		if (this.#closing === undefined) {
			// Known before anybody is told: who hears of the drain may call `close` again.
			let begin: (report: Promise<CloseReport>) => void = () => {};
			this.#closing = new Promise((resolve) => {
				begin = resolve;
			});
			begin(this.#drain());
		}
		this.#cutWithin(waitMs);
		return this.#closing;
	}

	async #drain(): Promise<CloseReport> {
		const { open } = this.#tally;
		this.emit("drain");
		for (const session of this.#sessions.values()) session.close();
		for (const connection of this.#schedule.all()) this.#dismiss(connection);
		const closed = new Promise<void>((resolve) => {
			this.#server.close(() => resolve());
		});
		if (this.#tally.open > 0)
			await new Promise<void>((resolve) => {
				this.#emptied = resolve;
			});
		clearTimeout(this.#cutTimer);
		await closed;
		const cut = this.#cuts.splice(0);
		return { ended: open - cut.length, cut };
	}

	#cutWithin(ms: number): void {
		const atMs = nowInMs() + ms;
		if (atMs >= this.#cutAtMs || this.#tally.open === 0) return;
		this.#cutAtMs = atMs;
		clearTimeout(this.#cutTimer);
		// It keeps the process alive: somebody waits for the report.
		this.#cutTimer = setTimeout(() => this.#cutAll(), ms);
	}

	#cutAll(): void {
		const nowMs = nowInMs();
		for (const connection of this.#schedule.all()) {
			const { address, phase, acceptedMs, reason } = connection;
			// What is being closed already has lost nothing.
			if (reason === undefined) this.#cuts.push({ address, phase, ageMs: Math.round(nowMs - acceptedMs) });
			this.#reset(connection, "drained");
		}
	}

	/** The guard stands before the server's own listeners: what it turns away never reaches them. */
	#takeOver(): void {
		const server = this.#server;
		const emit = server.emit as (...args: unknown[]) => boolean;
		server.emit = ((name: string, ...args: unknown[]): boolean => {
			if (!this.#mayPass(name, args, () => emit.call(server, name, ...args))) return true;
			return emit.call(server, name, ...args);
		}) as typeof server.emit;
		if (server instanceof HttpServer || server instanceof HttpsServer) {
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
				return this.#requested(args[0] as IncomingMessage, args[1] as ServerResponse);
			case "connection":
				return this.#came(args[0], later);
			case "secureConnection":
				this.#secured(args[0] as Socket);
				return true;
			case "upgrade":
			case "connect":
				return this.#upgraded(args[0] as IncomingMessage, args[1] as Socket);
			case "session":
				this.#began(args[0] as { socket: Known; close(): void });
				return true;
			case "stream": {
				const { session } = args[0] as { session?: { socket: Known } };
				const connection = session?.socket[CONNECTION];
				if (connection !== undefined) this.#turns(connection, "open");
				return true;
			}
			case "clientError":
				this.#blame(args[1] as Socket & Known, args[0] as NodeJS.ErrnoException, "bad_request", "HPE_");
				return true;
			case "tlsClientError":
				this.#blame(args[1] as Socket & Known, args[0] as NodeJS.ErrnoException, "tls_failed", "ERR_");
				return true;
			case "drop":
				this.#tally.close("limit_connections");
				this.#refused("limit_connections", "");
				return true;
			case "listening":
				this.#closing = undefined;
				this.#cutAtMs = Number.POSITIVE_INFINITY;
				this.#listens();
				return true;
			default:
				return true;
		}
	}

	#listens(): void {
		const { keepalive } = this.#limits;
		if (keepalive === null) return;
		this.#inherits = false;
		setOnListener(this.#server, keepalive).then(
			(inherits) => {
				this.#inherits = inherits;
			},
			(error: Error) =>
				process.emitWarning(`keepalive is Node's own: ${error.message}`, { code: "SLUICE_KEEPALIVE" }),
		);
	}

	#came(given: unknown, later: () => void): boolean {
		if (!(given instanceof Socket)) return true;
		const socket: Socket & Known = given;
		// It has been let in already, and waited for its PROXY header; or a handler hands it to a second server.
		if (socket[CONNECTION] !== undefined) return true;
		const nowMs = nowInMs();
		this.#tally.accepted++;
		const connection = this.#schedule.add((place) => new Connection(socket, place, nowMs));
		socket[CONNECTION] = connection;
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
		const refusal = this.#refusalOf(connection, nowMs);
		if (refusal !== undefined) {
			this.#refuse(connection, refusal);
			return false;
		}
		if (proxyTrusted === null) return this.#admit(connection, nowMs);
		this.#look(connection, nowMs);
		if (!isIn(proxyTrusted, connection.address)) {
			this.#refuse(connection, "proxy_header");
			return false;
		}
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

	/** What forbids any connection, whoever it is from. */
	#refusalOf(connection: Connection, nowMs: number): Reason | undefined {
		if (this.#closing !== undefined) return "drained";
		if (this.#tally.open > this.#limits.connections) return "limit_connections";
		if (this.#rate?.take(1, nowMs) === false) return "limit_rate";
		// The kernel gives the lowest number that is free, so this one tells how many are in use.
		return descriptorOf(connection.socket) >= this.#descriptorsMost ? "fd_pressure" : undefined;
	}

	/** Its client is known: is there room for one more of it? */
	#admit(connection: Connection, nowMs: number): boolean {
		const { forwardedTrusted } = this.#limits;
		const isProxy = forwardedTrusted !== null && isIn(forwardedTrusted, connection.address);
		if (!isProxy && !this.#counted(connection, nowMs)) return false;
		if (!this.#isHttp && !this.#isTls) connection.phase = "open";
		connection.top.on("finish", this.#onFinish);
		this.#look(connection, nowMs);
		return true;
	}

	#counted(connection: Connection, nowMs: number): boolean {
		if (!this.#sources.isOn) return true;
		const source = sourceOf(connection.address);
		const refusal = this.#sources.enter(source, nowMs);
		if (refusal === undefined) connection.source = source;
		else this.#refuse(connection, refusal);
		return refusal === undefined;
	}

	#secured(socket: Socket & Known): void {
		const connection = connectionBeneath(socket);
		if (connection === undefined) return;
		socket[CONNECTION] = connection;
		connection.top = socket;
		socket.on("finish", this.#onFinish);
		const { alpnProtocol } = socket as Socket & { readonly alpnProtocol?: string | false | null };
		// HTTP has still to say what it wants.
		if (!this.#isHttp && alpnProtocol !== "h2" && alpnProtocol !== "http/1.1")
			this.#turns(connection, "open");
	}

	#began(session: { socket: Known; close(): void }): void {
		const connection = session.socket[CONNECTION];
		if (connection !== undefined) this.#sessions.set(connection, session);
	}

	#requested(request: IncomingMessage, response: ServerResponse): boolean {
		const socket = request.socket as (Socket & Known) | null;
		const connection = socket?.[CONNECTION];
		// HTTP/2 has streams, and is judged by its bytes.
		if (connection === undefined || request.httpVersionMajor > 1) return true;
		connection.requests++;
		connection.phase = "request";
		connection.headMs = 0;
		connection.request = request;
		connection.response = response;
		startBodyWindow(connection, nowInMs());
		(response as ServerResponse & Known)[CONNECTION] = connection;
		response.on("close", this.#onAnswered);
		if (this.#closing !== undefined) response.shouldKeepAlive = false;
		const { forwardedTrusted } = this.#limits;
		return forwardedTrusted === null || this.#countsClient(connection, request, response, forwardedTrusted);
	}

	/** A request that a trusted proxy passes on counts for its client, while it is under way. */
	#countsClient(
		{ address }: Connection,
		request: IncomingMessage,
		response: ServerResponse,
		trusted: NonNullable<Resolved["forwardedTrusted"]>,
	): boolean {
		if (!isIn(trusted, address)) return true;
		const client = clientOf(request, trusted, this.#limits.forwardedHeader);
		if (client === undefined) return true;
		const source = sourceOf(client);
		const refusal = this.#sources.enter(source, nowInMs());
		if (refusal === undefined) {
			response.once("close", () => this.#sources.leave(source));
			return true;
		}
		this.#refused(refusal, client);
		response.writeHead(429, { "content-length": 0 }).end();
		return false;
	}

	#upgraded(request: IncomingMessage, socket: Socket & Known): boolean {
		const connection = socket[CONNECTION];
		if (connection === undefined) return true;
		this.#turns(connection, "open");
		const { forwardedTrusted, forwardedHeader } = this.#limits;
		if (forwardedTrusted === null || connection.source !== "" || !isIn(forwardedTrusted, connection.address))
			return true;
		const client = clientOf(request, forwardedTrusted, forwardedHeader);
		if (client === undefined) return true;
		connection.client = client;
		const refusal = this.#sources.enter(sourceOf(client), nowInMs());
		if (refusal === undefined) {
			connection.source = sourceOf(client);
			return true;
		}
		connection.reason = refusal;
		this.#refused(refusal, client);
		socket.on("error", () => {});
		this.#sayLast(connection, TOO_MANY_ANSWER);
		return false;
	}

	readonly #onAnswered = ((guarded: Guarded) =>
		function (this: ServerResponse): void {
			const connection = (this as ServerResponse & Known)[CONNECTION];
			if (connection !== undefined) guarded.#answered(connection);
		})(this);

	#answered(connection: Connection): void {
		connection.requests--;
		if (connection.requests > 0 || connection.phase !== "request") return;
		connection.request = undefined;
		connection.response = undefined;
		if (connection.socket.destroyed) return;
		const nowMs = nowInMs();
		connection.read = connection.socket.bytesRead;
		connection.phase = "waiting";
		connection.sinceMs = nowMs;
		connection.movedMs = nowMs;
		if (isOver(connection, nowMs)) this.#cut(connection, "lifetime");
		else if (this.#closing !== undefined) this.#dismiss(connection);
		else
			this.#schedule.lookBy(
				connection,
				nowMs + Math.min(this.#limits.keepAliveMs, this.#limits.requestHeadMs),
			);
	}

	#turns(connection: Connection, phase: Phase): void {
		if (connection.phase === phase) return;
		connection.phase = phase;
		connection.sinceMs = nowInMs();
		connection.movedMs = connection.sinceMs;
		connection.request = undefined;
		connection.response = undefined;
		this.#look(connection, connection.sinceMs);
	}

	readonly #onFinish = function (this: Socket & Known): void {
		const connection = this[CONNECTION];
		if (connection !== undefined && !hasEnded(this)) connection.endedFirst = true;
	};

	readonly #onClose = ((guarded: Guarded) =>
		function (this: Socket & Known): void {
			const connection = this[CONNECTION];
			if (connection !== undefined) guarded.#account(connection);
		})(this);

	/** The one end of a connection: its place is given back, and its reason counted. */
	#account(connection: Connection): void {
		const { socket, source, acceptedMs } = connection;
		this.#schedule.remove(connection);
		this.#sessions.delete(connection);
		if (source !== "") this.#sources.leave(source);
		this.#tally.open--;
		const reason = connection.reason ?? reasonOf(connection);
		this.#tally.close(reason);
		if (this.listenerCount("closed") > 0)
			this.emit("closed", {
				...{ reason, address: connection.address, durationMs: nowInMs() - acceptedMs },
				...{ bytesRead: socket.bytesRead, bytesWritten: socket.bytesWritten },
			});
		if (this.#tally.open === 0) this.#emptied?.();
	}

	#refuse(connection: Connection, reason: Reason): void {
		const { address } = connection;
		this.#reset(connection, reason);
		this.#refused(reason, address);
	}

	/** Node closes connections in silence when descriptors run out; a guard says so. */
	#refused(reason: Reason, address: string): void {
		this.#tally.shed++;
		this.emit("shed", reason, address);
		const nowMs = nowInMs();
		if (reason !== "fd_pressure" || nowMs - this.#warnedMs < WARN_MS) return;
		this.#warnedMs = nowMs;
		process.emitWarning(
			`connections are shed: descriptors run out (${this.#descriptorsMost} may be in use; raise ulimit -n)`,
			{ code: "SLUICE_FD_PRESSURE" },
		);
	}

	/** With an end where nothing is lost by it. */
	#cut(connection: Connection, reason: Reason): void {
		if (ENDINGS.has(reason) && waitingBytes(connection.socket) === 0) {
			connection.reason ??= reason;
			connection.socket.destroy();
		} else this.#reset(connection, reason);
	}

	/** Its client sees a reset: an end would leave what waits for it in the kernel for minutes. */
	#reset(connection: Connection, reason: Reason): void {
		connection.reason ??= reason;
		const { socket } = connection;
		try {
			socket.resetAndDestroy();
		} catch {
			// A Unix socket, which knows no reset.
			socket.destroy();
		}
	}

	/** For a drain: what has nothing under way goes now, a request with its answer. */
	#dismiss(connection: Connection): void {
		const { phase, response, top } = connection;
		if (phase === "request") {
			if (response !== undefined) response.shouldKeepAlive = false;
			return;
		}
		if (phase === "open") return;
		connection.reason ??= "drained";
		top.destroySoon();
		this.#schedule.lookAt(connection, nowInMs() + LAST_WORDS_MS);
	}

	#sayLast(connection: Connection, words: string): void {
		connection.top.write(words);
		connection.top.destroySoon();
		this.#schedule.lookAt(connection, nowInMs() + LAST_WORDS_MS);
	}

	/** Ends a connection whose deadline has passed, or finds its next one. */
	#look(connection: Connection, nowMs: number): void {
		if (connection.reason !== undefined) {
			this.#cut(connection, connection.reason);
			return;
		}
		const verdict = judge(connection, this.#limits, nowMs);
		if (typeof verdict !== "string") {
			this.#schedule.lookAt(connection, verdict);
			return;
		}
		const isHalfAsked = verdict === "request_timeout" || verdict === "handshake_timeout";
		const isPlain = connection.top !== connection.socket || !this.#isTls;
		if (this.#isHttp && isPlain && isHalfAsked && connection.socket.bytesRead > 0 && mayAnswer(connection)) {
			connection.reason = verdict;
			this.#sayLast(connection, TIMEOUT_ANSWER);
		} else this.#cut(connection, verdict);
	}

	#blame(socket: Socket & Known, error: NodeJS.ErrnoException, reason: Reason, prefix: string): void {
		const connection = socket[CONNECTION] ?? connectionBeneath(socket);
		if (connection !== undefined && error.code?.startsWith(prefix) === true) connection.reason ??= reason;
	}
}

/** Of a TLS socket, by the one that it was made from, which Node keeps in a private field. */
function connectionBeneath(socket: Socket): Connection | undefined {
	return (socket as Socket & { readonly _parent?: Known | null })._parent?.[CONNECTION];
}

/** No answer has begun that these words would fall into. */
function mayAnswer({ phase, response }: Connection): boolean {
	return phase !== "request" || (response !== undefined && !response.headersSent);
}

/** Of a connection that nobody here ended: what its socket says. */
function reasonOf({ top, socket, endedFirst }: Connection): Reason {
	const { errored } = top as Socket & { readonly errored?: NodeJS.ErrnoException | null };
	const code = (errored ?? (socket as { readonly errored?: NodeJS.ErrnoException | null }).errored)?.code;
	if (code === "ETIMEDOUT") return "keepalive_lost";
	if (code === "ECONNRESET" || code === "EPIPE") return "client_reset";
	if (code?.startsWith("ERR_SSL") === true) return "tls_failed";
	if (endedFirst || !hasEnded(top)) return "upstream_closed";
	return "client_closed";
}
