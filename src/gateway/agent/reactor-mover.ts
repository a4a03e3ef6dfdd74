/**
 * An agent's lines in a reactor: a line that a visitor takes is a session from then on, and goes the way of every session, to the local
 * service as its upstream. What the agent tells and counts is the same as with Node's streams (`tunnel/agent/node-mover.ts`).
 */
import { isIP } from "node:net";
import { requireOpenssl } from "../../kernel/openssl/library.js";
import { encodeInternet } from "../../kernel/sockaddr.js";
import { LINE_ALPN, type Ticket } from "../../protocol/tunnel/index.js";
import type { LineGateway, LineOrder } from "../../reactor/plan/plan.js";
import type { Known } from "../../tunnel/agent/known.js";
import type { LineBook, LineEntry } from "../../tunnel/agent/line-book.js";
import type { Mover, MoverWorld } from "../../tunnel/agent/mover.js";
import type { AgentSettings, TunnelSettings } from "../../tunnel/agent/settings.js";
import type { Tunnel } from "../../tunnel/agent/tunnel.js";
import { Gateway } from "../gateway.js";
import { lineOptions } from "../line-options.js";
import type { EndedVisit, LineNews, OwnLines, OwnLinesListener } from "../own-lines.js";
import { addressBytes } from "../plan.js";
import { agentConfig, localAddresses, nameIn } from "./config.js";

/** The log goes to standard error: standard output has the agent's events. */
const LOG_FD = 2;

/**
 * Starts the reactors. Rejects where they cannot run, and leaves nothing open. What it returns is an agent's `mover`. `looksOn`:
 * requests are to be looked on, which a reactor does not show.
 */
export async function startReactorMover(
	settings: AgentSettings,
	looksOn: boolean,
): Promise<(world: MoverWorld) => Mover> {
	const mover = new ReactorMover(settings, looksOn);
	await mover.start();
	return (world) => mover.use(world);
}

class ReactorMover implements Mover, OwnLinesListener {
	readonly #looksOn: boolean;
	/** It has failed, and takes nothing any more. */
	#isBroken = false;
	#settings: AgentSettings;
	/** What `localhost` is. */
	#local: readonly string[] = [];
	#gateway: Gateway | undefined;
	#world: MoverWorld | undefined;
	/** By the numbers of their orders, until a visitor has them. */
	readonly #lines = new Map<number, LineEntry>();
	/** Of these, those whose orders wait for a reload. */
	readonly #unsent = new Set<number>();
	/** By the numbers of their sessions. */
	readonly #visits = new Map<number, LineEntry>();
	/** Of sessions of which nobody has told yet that they began. */
	readonly #endedBefore = new Map<number, EndedVisit>();
	/** By the names of tunnels of datagrams. */
	readonly #idleMs = new Map<string, number>();
	#last = 0;
	/** The last reload. */
	#followed: Promise<void> = Promise.resolve();
	#isMakingSure = false;

	constructor(settings: AgentSettings, looksOn: boolean) {
		this.#settings = settings;
		this.#looksOn = looksOn;
	}

	async start(): Promise<void> {
		// Lines and services may need TLS at any time, also after a reload.
		requireOpenssl();
		this.#local = await localAddresses();
		const config = agentConfig(this.#settings, this.#local);
		this.#gateway = await Gateway.start(config, { logFd: LOG_FD, ownLines: this });
		void this.#gateway.failed.then((error) => this.#failed(error));
	}

	/** Its connections are reset. The gateway sees that, and asks for other lines, which Node's streams open. */
	#failed({ message }: Error): void {
		this.#isBroken = true;
		this.#world?.report({ event: "without_reactor", why: `it has failed: ${message}` });
		this.#closeAll("internal");
		void this.#gateway?.stop();
	}

	use(world: MoverWorld): this {
		this.#world = world;
		return this;
	}

	get #book(): LineBook | undefined {
		return this.#world?.book;
	}

	get #ownLines(): OwnLines | undefined {
		return this.#gateway?.ownLines;
	}

	/** Not through a proxy, nor where requests are changed or looked on: for these there are Node's streams. */
	takes({ kind, hostHeader }: TunnelSettings, { proxy }: AgentSettings, known: Known): boolean {
		const isLookedOn = kind === "http" && this.#looksOn;
		if (this.#isBroken || isLookedOn) return false;
		return proxy === undefined && hostHeader === undefined && isPlainAddress(known.address);
	}

	open(tunnel: Tunnel, tickets: readonly Ticket[], known: Known): void {
		this.#noteIdle(tunnel);
		const orders: LineOrder[] = [];
		for (const ticket of tickets) {
			const entry = this.#book?.open(tunnel, ticket);
			if (entry === undefined) continue;
			const number = ++this.#last;
			this.#lines.set(number, entry);
			this.#unsent.add(number);
			orders.push({ number, ticket: ticket.id, key: ticket.key });
		}
		const gateway = this.#lineGateway(tunnel, known);
		const listener = nameIn(tunnel.settings);
		// A tunnel that a reload has brought is known to the reactors behind it.
		void this.#followed.then(() => this.#send(listener, gateway, orders));
	}

	/** The gateway has said how long sessions of datagrams may be idle, or has said something else. */
	#noteIdle({ name, idleMs }: Tunnel): void {
		if (idleMs === undefined || this.#idleMs.get(name) === idleMs) return;
		this.#idleMs.set(name, idleMs);
		this.follow(this.#settings);
	}

	/** Those that have not been given up meanwhile. */
	#send(listener: string, gateway: LineGateway, orders: readonly LineOrder[]): void {
		const wanted = orders.filter(({ number }) => this.#unsent.delete(number));
		if (wanted.length === 0) return;
		try {
			this.#ownLines?.open(listener, gateway, wanted);
		} catch (error) {
			for (const { number } of wanted) this.news({ kind: "failed", number, why: (error as Error).message });
		}
	}

	/** Nobody has been told of their orders. All, or those that one tunnel had under this number. */
	#giveUpUnsent(tunnel?: number): void {
		for (const number of [...this.#unsent]) {
			const entry = this.#lines.get(number);
			if (entry === undefined || (tunnel !== undefined && entry.number !== tunnel)) continue;
			this.#unsent.delete(number);
			this.#lines.delete(number);
			this.#book?.closed(entry, undefined);
		}
	}

	#lineGateway({ plain }: Tunnel, { address = "", fingerprint, alive }: Known): LineGateway {
		const { host, port } = this.#settings.gateway;
		const sockaddr = encodeInternet(addressBytes(address), port);
		const options = lineOptions(alive.heartbeatMs, alive.deadAfterMs);
		if (plain || fingerprint === undefined) return { sockaddr, options, tls: null };
		// Its certificate is held against the one that the control connection has made sure of.
		const client = { serverName: host, verify: false, alpn: [LINE_ALPN] };
		// What lines of one gateway have in common is of no use to another.
		const identity = `${host}:${port} ${fingerprint}`;
		return { sockaddr, options, tls: { identity, client, fingerprint } };
	}

	news(item: LineNews): void {
		const entry = this.#lines.get(item.number);
		if (entry === undefined) return;
		if (item.kind === "parked") {
			this.#book?.parked(entry);
			return;
		}
		this.#lines.delete(item.number);
		if (item.kind === "began") this.#began(entry, item.session, item.source);
		else {
			if (item.kind === "failed") this.#book?.failed(entry, item.why);
			this.#book?.closed(entry, undefined);
			if (item.kind === "failed" && item.hasOtherCertificate === true) this.#makeSure();
		}
	}

	#began(entry: LineEntry, session: number, source: string | null): void {
		const as = entry.tunnel.settings.kind === "http" ? "requests" : "visitor";
		this.#book?.began(entry, as, source);
		this.#visits.set(session, entry);
		const ended = this.#endedBefore.get(session);
		this.#endedBefore.delete(session);
		if (ended !== undefined) this.ended(ended);
	}

	ended(visit: EndedVisit): void {
		const entry = this.#visits.get(visit.session);
		if (entry === undefined) {
			if (!this.#isBroken) this.#endedBefore.set(visit.session, visit);
			return;
		}
		this.#visits.delete(visit.session);
		// Of a visitor whose bytes have gone there it is something else that failed.
		const why = visit.bytesFromVisitor === 0 ? NOT_REACHED[visit.reason] : undefined;
		if (why !== undefined) this.#book?.localFailed(entry, why);
		this.#book?.closed(entry, visit);
	}

	/** Later lines are opened to what it finds. */
	#makeSure(): void {
		if (this.#isMakingSure) return;
		this.#isMakingSure = true;
		const done = (): void => {
			this.#isMakingSure = false;
		};
		// Where it is not believed, the lines that failed have been told.
		this.#world?.makeSure().then(done, done);
	}

	retire(number?: number): void {
		this.#giveUpUnsent(number);
		if (number === undefined) {
			this.#ownLines?.close();
			return;
		}
		for (const entry of this.#lines.values()) {
			if (entry.number !== number) continue;
			this.#ownLines?.close(nameIn(entry.tunnel.settings));
			return;
		}
	}

	cut(): void {
		this.#giveUpUnsent();
		this.#ownLines?.close();
		this.#ownLines?.cut();
	}

	metrics(): string {
		return this.#isBroken ? "" : (this.#gateway?.metrics() ?? "");
	}

	follow(settings: AgentSettings): void {
		this.#settings = settings;
		if (this.#isBroken) return;
		this.#followed = this.#followed
			.then(() => this.#gateway?.reload(agentConfig(settings, this.#local, this.#idleMs)))
			.catch((error: Error) =>
				this.#gateway?.log.logger.error({ error: error.message }, "the reactors keep the settings of before"),
			);
	}

	async end(): Promise<void> {
		await this.#followed;
		await this.#gateway?.stop();
		this.#closeAll("drained");
	}

	/** Whatever is still in the book. */
	#closeAll(reason: EndedVisit["reason"]): void {
		const visits = [...this.#visits.values()];
		const lines = [...this.#lines.values()];
		this.#visits.clear();
		this.#lines.clear();
		this.#unsent.clear();
		this.#endedBefore.clear();
		for (const entry of visits) this.#book?.closed(entry, { reason, bytesFromVisitor: 0, bytesToVisitor: 0 });
		for (const entry of lines) this.#book?.closed(entry, undefined);
	}
}

/** Without a zone, which a link-local address has. */
function isPlainAddress(address = ""): boolean {
	return isIP(address) !== 0 && !address.includes("%");
}

/** Reasons of sessions that never had the local service. */
const NOT_REACHED: Readonly<Partial<Record<EndedVisit["reason"], string>>> = {
	connect_refused: "it refuses connections",
	connect_timeout: "it has not answered within 10 s",
	upstream_down:
		"its name is neither in /etc/hosts nor in DNS, or has no address (--node-streams asks the system)",
	tls_failed: "the TLS handshake with it failed",
};
