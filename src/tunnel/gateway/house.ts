/** What all parts of the control plane share: who may do what, what is open, and where it is told. */

import type { TunnelAgentConfig } from "../../config/config.js";
import { hasPort, type Login, type TunnelKind } from "../../protocol/tunnel/index.js";
import { Delays } from "../registry/delays.js";
import type { DepthLimits } from "../registry/depth.js";
import { Identities } from "../registry/identities.js";
import { type Leases, MemoryLeases } from "../registry/leases.js";
import { Ports } from "../registry/ports.js";
import type { AgentView, ControlSettings, OpenTunnel, TunnelEvents } from "./interfaces.js";
import { LineDesk } from "./line-desk.js";

/** Where the control plane tells what people should know. The gateway's own log is one. */
export interface TunnelLog {
	info(facts: object, message: string): void;
	warn(facts: object, message: string): void;
}

/** An agent that has logged in, as others see it. */
export interface Session {
	readonly login: Login;
	readonly config: TunnelAgentConfig;
	/** Another login of the same identity takes its place. */
	supersede(): void;
	/** The file names it no more, or not with its key. */
	remove(): void;
	/** The file says something else of it now. */
	reload(config: TunnelAgentConfig): void;
	drain(): void;
	stop(): void;
	tick(isFresh: boolean): void;
	view(): AgentView;
	/** Its tunnels, with what only it knows of them. */
	offers(): readonly {
		readonly tunnel: OpenTunnel | undefined;
		readonly addresses: readonly string[];
		readonly isOpen: boolean;
		readonly localDown: string | undefined;
	}[];
}

/** What a control plane is made with. */
export interface HouseOptions {
	readonly settings: ControlSettings;
	readonly events: TunnelEvents;
	readonly log: TunnelLog;
	/** Milliseconds of a clock that goes on while the machine sleeps. */
	readonly now: () => number;
	/** Default: in memory. */
	readonly leases?: Leases;
}

export class House {
	settings: ControlSettings;
	isDraining = false;
	readonly events: TunnelEvents;
	readonly log: TunnelLog;
	readonly now: () => number;
	readonly leases: Leases;
	readonly identities = new Identities();
	readonly #ports = { tcp: new Ports(), udp: new Ports() };
	readonly delays: Delays;
	readonly desk: LineDesk;
	readonly sessions = new Set<Session>();
	readonly #refused = new Map<string, number>();
	/** Identities that have been there before. */
	readonly #known = new Set<string>();
	logins = 0;
	reconnects = 0;

	constructor({ settings, events, log, now, leases }: HouseOptions) {
		this.settings = settings;
		this.events = events;
		this.log = log;
		this.now = now;
		this.leases = leases ?? new MemoryLeases(now);
		this.delays = new Delays(now);
		this.desk = new LineDesk(now, depthOf(settings));
		this.#configure();
	}

	/** Who is there stays; what each may do is looked at by `control.ts`. */
	reload(settings: ControlSettings): void {
		this.settings = settings;
		this.#configure();
		this.desk.configure(depthOf(settings));
	}

	#configure(): void {
		this.identities.configure(this.settings.tunnels);
		for (const ports of Object.values(this.#ports)) ports.configure(this.settings.tunnels);
		const ids = new Set(this.settings.tunnels.agents.map(({ id }) => id));
		for (const id of this.#known) if (!ids.has(id)) this.#known.delete(id);
	}

	/** A number may be taken for connections and for datagrams, by two tunnels. `null`: visitors of this kind come by a name. */
	portsOf(kind: TunnelKind): Ports | null {
		return hasPort(kind) ? this.#ports[kind] : null;
	}

	loggedIn(id: string): void {
		this.logins++;
		if (this.#known.has(id)) this.reconnects++;
		this.#known.add(id);
	}

	/** Counts what was refused. `code`: one of those that this side says. */
	refused(code: string): void {
		this.#refused.set(code, (this.#refused.get(code) ?? 0) + 1);
	}

	get refusals(): Readonly<Record<string, number>> {
		return Object.fromEntries(this.#refused);
	}
}

function depthOf({ tunnels: { lines, linesMax, linesReserved } }: ControlSettings): DepthLimits {
	return { lines, linesMax, reserved: linesReserved };
}
