/**
 * The agent: keeps one control connection to its gateway, its tunnels open on it, and a line for each ticket.
 *
 *     connecting ─► logging in ─► ready ─► (control ends) waiting ─► connecting …
 *                                     └─► ending: running visitors get their time ─► over
 */
import { randomBytes } from "node:crypto";
import { bootClock, type Clock } from "../../parts/boot-clock.js";
import {
	CONTROL_ALPN,
	LINE_ALPN,
	type Message,
	type MessageOf,
	nameWithTransport,
	shortened,
	type Ticket,
} from "../../protocol/tunnel/index.js";
import { Backoff } from "./backoff.js";
import { ControlConnection, type ControlEnd } from "./control.js";
import { dialGateway, knownFrom, makeSureOf } from "./dial.js";
import type { Report } from "./events.js";
import { Figures } from "./figures.js";
import type { Alive, Known } from "./known.js";
import { LineBook } from "./line-book.js";
import { LocalChecks } from "./local-checks.js";
import type { Mover, MoverWorld } from "./mover.js";
import { NodeMover } from "./node-mover.js";
import type { LookOn } from "./onlooker.js";
import { type AgentSettings, sameConnection, sameTunnel, type TunnelSettings } from "./settings.js";
import { Tunnel } from "./tunnel.js";

/** A tunnel that was refused is asked for again after so long, twice as long each time, a minute at the most. */
const ASK_AGAIN_MS = 2_000;
const ASK_AGAIN_MAX_MS = 60_000;

/** A gateway may put an agent off for so long at the most. */
const PUT_OFF_MAX_MS = 600_000;

/** Whoever was not seen when all were cut is cut then. */
const CUT_AGAIN_MS = 1_000;

export interface AgentWorld {
	readonly report: Report;
	/** Name and version, for the gateway's log. */
	readonly version: string;
	/** Who looks on while requests pass. */
	readonly lookOn?: LookOn;
	/** What moves the bytes of lines that it takes, instead of Node's streams. */
	readonly mover?: (world: MoverWorld) => Mover;
	readonly clock?: Clock;
	readonly random?: () => number;
}

/** How it ended: 0 it was asked to, 1 it cannot be. */
export type AgentStatus = 0 | 1;

export class Agent {
	readonly figures = new Figures();
	/** Resolves once nothing of it is left. */
	readonly ended: Promise<AgentStatus>;
	readonly #report: Report;
	readonly #version: string;
	readonly #clock: Clock;
	readonly #random: () => number;
	readonly #instance = randomBytes(16);
	readonly #book: LineBook;
	/** The first that takes a tunnel moves its lines. */
	readonly #movers: readonly Mover[];
	readonly #checks: LocalChecks;
	#resolve: (status: AgentStatus) => void = () => {};
	#settings: AgentSettings;
	#backoff: Backoff;
	#tunnels: Tunnel[];
	#nextNumber = 1;
	#control: ControlConnection | undefined;
	/** Of the gateway that the control connection goes to. */
	#known: Known | undefined;
	/** Of the login that holds, or 0. */
	#readyAt = 0;
	/** When it began to connect last. */
	#dialledAt = 0;
	#dialling = new AbortController();
	#retryTimer: NodeJS.Timeout | undefined;
	#drainTimer: NodeJS.Timeout | undefined;
	/** It ends as soon as nothing is left of the last line: with what. */
	#ending: { readonly status: AgentStatus; readonly why: string } | undefined;
	/** All lines that nobody uses have been asked to end. */
	#isDraining = false;
	#isOver = false;

	constructor(settings: AgentSettings, world: AgentWorld) {
		this.#settings = settings;
		this.#report = world.report;
		this.#version = world.version;
		this.#clock = world.clock ?? bootClock();
		this.#random = world.random ?? Math.random;
		this.#backoff = new Backoff(settings.retryMaxMs, this.#random);
		this.#tunnels = settings.tunnels.map((each) => new Tunnel(each));
		this.ended = new Promise((resolve) => {
			this.#resolve = resolve;
		});
		const book = new LineBook({
			report: this.#report,
			figures: this.figures,
			failed: (ticket, message) =>
				this.#control?.send({ type: "failed", ticket: ticket.id, message: shortened(message) }),
			localFailed: (tunnel) => this.#checks.hurry(tunnel),
			emptied: () => {
				if (this.#isDraining) this.#finish();
			},
		});
		this.#book = book;
		const inNode = new NodeMover({
			book,
			lookOn: world.lookOn,
			dial: ({ plain }, signal) =>
				dialGateway(this.#settings, plain ? undefined : LINE_ALPN, signal, this.#known),
		});
		const faster = world.mover?.({ book, report: this.#report, makeSure: () => this.#makeSure() });
		this.#movers = faster === undefined ? [inNode] : [faster, inNode];
		this.#checks = new LocalChecks({
			...{ report: this.#report, figures: this.figures, random: this.#random },
			told: (tunnel) => this.#toldOfLocal(tunnel),
		});
	}

	/** Logged in. */
	get isConnected(): boolean {
		return this.#readyAt > 0;
	}

	/** What it knows of a tunnel now, by the name that events have. */
	tunnel(name: string): TunnelSettings | undefined {
		return this.#settings.tunnels.find((each) => nameWithTransport(each) === name);
	}

	metrics(): string {
		const own = this.figures.page(this.isConnected, this.#book.counts());
		return own + this.#movers.map((mover) => mover.metrics()).join("");
	}

	/** Not when it was asked to end before. */
	start(): void {
		if (this.#ending !== undefined) return;
		this.#checks.follow(this.#tunnels);
		void this.#connect();
	}

	async #connect(): Promise<void> {
		const { signal } = this.#dialling;
		const { insecure, identity } = this.#settings;
		this.#dialledAt = performance.now();
		try {
			const wire = await dialGateway(this.#settings, insecure ? undefined : CONTROL_ALPN, signal);
			if (signal.aborted) {
				wire.stream.destroy();
				return;
			}
			this.#known = knownFrom(wire, this.#settings);
			this.#control = new ControlConnection(
				wire,
				{ identity, instance: this.#instance, agent: this.#version, clock: this.#clock },
				{
					ready: (epoch, alive) => this.#ready(epoch, alive),
					heard: (message) => this.#heard(message),
					ended: (end) => this.#lost(end),
				},
			);
		} catch (error) {
			if (signal.aborted) return;
			this.#lost({ why: (error as Error).message, final: false, retryAfterMs: 0, cut: false });
		}
	}

	#ready(epoch: number, alive: Alive): void {
		this.#readyAt = performance.now();
		if (this.#known !== undefined) this.#known.alive = alive;
		const { host, port } = this.#settings.gateway;
		this.#report({ event: "connected", gateway: `${host}:${port}`, epoch });
		for (const tunnel of this.#tunnels) if (tunnel.state === "waiting") this.#ask(tunnel);
	}

	/** Not before its local service has been looked at: nobody is to be sent to one that is down. */
	#ask(tunnel: Tunnel): void {
		tunnel.isHeldBack = !this.#checks.isKnown(tunnel);
		if (tunnel.isHeldBack) return;
		tunnel.number = this.#nextNumber++;
		tunnel.state = "asked";
		this.#control?.send(tunnel.open());
		if (this.#checks.whyDown(tunnel) !== undefined) this.#tellLocal(tunnel);
	}

	#toldOfLocal(tunnel: Tunnel): void {
		if (tunnel.isHeldBack) this.#ask(tunnel);
		else if (tunnel.state === "asked" || tunnel.state === "open") this.#tellLocal(tunnel);
	}

	/** What its check says of the local service. A gateway takes it for up until it hears otherwise. */
	#tellLocal(tunnel: Tunnel): void {
		const why = this.#checks.whyDown(tunnel);
		const message = shortened(why ?? "");
		this.#control?.send({ type: "local", tunnel: tunnel.number, up: why === undefined, message });
	}

	#heard(message: Message): void {
		if (message.type === "opened") this.#opened(message);
		else if (message.type === "refused_tunnel" || message.type === "closed") this.#refused(message);
		else if (message.type === "lines") {
			const tunnel = this.#find(message.tunnel);
			// What was asked for before a tunnel was closed may come behind it.
			if (tunnel?.state === "open" && this.#ending === undefined) this.#openLines(tunnel, message.tickets);
		}
	}

	#openLines(tunnel: Tunnel, tickets: readonly Ticket[]): void {
		const known = this.#known;
		if (known === undefined) return;
		const mover = this.#movers.find((each) => each.takes(tunnel.settings, this.#settings, known));
		mover?.open(tunnel, tickets, known);
	}

	async #makeSure(): Promise<void> {
		if (this.#known !== undefined) await makeSureOf(this.#known, this.#settings, this.#dialling.signal);
	}

	#retire(number?: number): void {
		for (const mover of this.#movers) mover.retire(number);
	}

	#cut(): void {
		for (const mover of this.#movers) mover.cut();
	}

	#find(number: number): Tunnel | undefined {
		return this.#tunnels.find((each) => each.number === number);
	}

	#opened(message: MessageOf<"opened">): void {
		const { tunnel: number } = message;
		const tunnel = this.#find(number);
		if (tunnel === undefined || tunnel.state !== "asked") return;
		const objection = tunnel.objectionTo(message, this.#settings.insecure);
		if (objection !== undefined) {
			this.#control?.send({ type: "close", tunnel: number });
			this.#refused({ type: "closed", tunnel: number, ...objection, final: true });
			return;
		}
		this.#report(tunnel.opened(message, this.#settings.insecure));
	}

	#refused({ type, tunnel: number, code, message, final }: MessageOf<"refused_tunnel" | "closed">): void {
		const tunnel = this.#find(number);
		if (tunnel === undefined || tunnel.state === "refused") return;
		this.#retire(number);
		const isFinal = final === true;
		const event = type === "closed" ? "tunnel_closed" : "tunnel_refused";
		const told = { event, tunnel: tunnel.name, code, why: message, final: isFinal } as const;
		if (isFinal) {
			tunnel.state = "refused";
			this.#report(told);
			if (this.#tunnels.every(({ state }) => state === "refused"))
				this.#end({ status: 1, why: "the gateway has refused all of its tunnels" });
			return;
		}
		const askAgainMs = Math.min(ASK_AGAIN_MAX_MS, ASK_AGAIN_MS * 2 ** tunnel.refusals++);
		tunnel.state = "waiting";
		tunnel.number = -1;
		tunnel.retryTimer = setTimeout(() => {
			if (this.isConnected && this.#ending === undefined) this.#ask(tunnel);
		}, askAgainMs);
		this.#report({ ...told, retry_in_ms: askAgainMs });
	}

	/** The control connection is gone, or did not come to be. Running visitors do not need it. */
	#lost({ why, final, retryAfterMs, cut }: ControlEnd): void {
		const readyMs = this.#readyAt === 0 ? 0 : Math.max(1, performance.now() - this.#readyAt);
		this.#forget();
		this.figures.reconnects++;
		if (cut) this.#cut();
		if (final || this.#ending !== undefined) {
			this.#report({ event: "disconnected", why, retry_in_ms: null });
			this.#end({ status: 1, why });
			return;
		}
		const leastMs = Math.min(retryAfterMs, PUT_OFF_MAX_MS);
		// An attempt that nobody answered has taken its part of the pause already.
		const spentMs = readyMs === 0 ? performance.now() - this.#dialledAt : 0;
		const waitMs = Math.max(leastMs, this.#backoff.next(readyMs, leastMs) - spentMs);
		this.#report({ event: "disconnected", why, retry_in_ms: Math.round(waitMs) });
		this.#retryTimer = setTimeout(() => void this.#connect(), waitMs);
	}

	/** What hangs on a control connection goes with it. */
	#forget(): void {
		this.#control = undefined;
		this.#known = undefined;
		this.#readyAt = 0;
		for (const tunnel of this.#tunnels) {
			tunnel.leave();
			tunnel.number = -1;
		}
		this.#retire();
	}

	/** Other settings from now on. Tunnels that stay as they are stay open, and what they end at may change under them. */
	reload(settings: AgentSettings): void {
		if (this.#ending !== undefined) return;
		const anew = !sameConnection(settings, this.#settings);
		this.#settings = settings;
		this.#backoff = new Backoff(settings.retryMaxMs, this.#random);
		this.#report({ event: "reloaded", tunnels: settings.tunnels.length });
		for (const mover of this.#movers) mover.follow(settings);
		this.#keepOnly(settings.tunnels);
		if (anew) {
			this.#control?.bye("ended", "its settings have changed");
			this.#forget();
			clearTimeout(this.#retryTimer);
			this.#dialling.abort();
			this.#dialling = new AbortController();
			void this.#connect();
		} else if (this.isConnected) {
			for (const tunnel of this.#tunnels) if (tunnel.state === "waiting") this.#ask(tunnel);
		}
	}

	#keepOnly(wanted: readonly TunnelSettings[]): void {
		const old = [...this.#tunnels];
		this.#tunnels = wanted.map((settings) => {
			const index = old.findIndex((each) => sameTunnel(each.settings, settings));
			const [kept] = index < 0 ? [] : old.splice(index, 1);
			// What was refused may have been allowed since.
			if (kept === undefined || kept.state === "refused") return new Tunnel(settings);
			kept.settings = settings;
			return kept;
		});
		for (const gone of old) {
			const { number, state } = gone;
			gone.leave();
			if (state === "open" || state === "asked") this.#control?.send({ type: "close", tunnel: number });
			this.#retire(number);
			if (!wanted.some((each) => nameWithTransport(each) === gone.name)) this.figures.forget(gone.name);
		}
		this.#checks.follow(this.#tunnels);
	}

	/** No new visitor; those that run have their time, and then it ends. */
	end(why: string): void {
		this.#end({ status: 0, why });
	}

	#end(ending: { readonly status: AgentStatus; readonly why: string }): void {
		if (this.#isOver) return;
		if (this.#ending === undefined) {
			this.#ending = ending;
			this.#drain();
		}
		if (this.#book.isEmpty) this.#finish();
	}

	#drain(): void {
		clearTimeout(this.#retryTimer);
		this.#dialling.abort();
		this.#checks.stop();
		for (const tunnel of this.#tunnels) {
			const { number, state } = tunnel;
			tunnel.leave();
			if (state === "open" || state === "asked") this.#control?.send({ type: "close", tunnel: number });
		}
		this.#retire();
		this.#isDraining = true;
		const { busy, isEmpty } = this.#book;
		if (isEmpty) return;
		const { drainMs } = this.#settings;
		if (busy > 0) this.#report({ event: "draining", visitors: busy, drain_ms: drainMs });
		this.#drainTimer = setTimeout(() => this.#cutAll(), drainMs);
	}

	/** Until nobody is left: a visitor may have taken a line at this very moment. */
	#cutAll(): void {
		// Before: the end of the last one stops it.
		this.#drainTimer = setTimeout(() => this.#cutAll(), CUT_AGAIN_MS);
		this.#cut();
	}

	#finish(): void {
		if (this.#isOver || this.#ending === undefined) return;
		this.#isOver = true;
		clearTimeout(this.#drainTimer);
		this.#control?.bye("ended", this.#ending.why);
		this.#forget();
		const { status, why } = this.#ending;
		void Promise.all(this.#movers.map((mover) => mover.end())).finally(() => {
			this.#report({ event: "ended", why, status });
			this.#resolve(status);
		});
	}
}
