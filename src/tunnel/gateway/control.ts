/** The control plane of tunnels, on the main thread: takes control connections, and keeps what agents have opened (`interfaces.ts`). */
import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { createSecureContext, type SecureContext } from "node:tls";
import { bootClock } from "../../parts/boot-clock.js";
import type { Leases } from "../registry/leases.js";
import type { Channel } from "./channel.js";
import { Greeting } from "./greeting.js";
import { House, type TunnelLog } from "./house.js";
import type {
	ControlConnection,
	ControlSettings,
	Lines,
	TunnelControl,
	TunnelEvents,
	TunnelsView,
} from "./interfaces.js";
import { tunnelsView } from "./view.js";

export interface TunnelControlOptions {
	readonly settings: ControlSettings;
	readonly events: TunnelEvents;
	readonly log: TunnelLog;
	/** What agents are told: name and version. */
	readonly program: string;
	/** Whoever accounts for descriptors sees each socket of a control connection, until it emits `close`. */
	readonly opened?: (socket: Socket) => void;
	/** Default: in memory. */
	readonly leases?: Leases;
	/** Milliseconds of a clock that goes on while the machine sleeps. Default: the system's. */
	readonly now?: () => number;
}

/** Control connections that have not logged in, of which more are told to come again. Each is a TLS session, and a signature to look at. */
const GREETINGS_MAX = 1_024;

/** Deadlines are looked at so often: a handshake of 5 s needs no finer grain. Shorter heartbeats are looked at more often. */
const TICK_MS = 250;
const TICK_MIN_MS = 10;

export function startTunnelControl(options: TunnelControlOptions): TunnelControl {
	return new Control(options);
}

class Control implements TunnelControl {
	readonly #options: TunnelControlOptions;
	readonly #house: House;
	readonly #now: () => number;
	#secureContext: SecureContext | null;
	readonly #greetings = new Set<Greeting>();
	readonly #channels = new Set<Channel>();
	#isStopped = false;
	#timer: NodeJS.Timeout;
	#tickMs: number;
	#tickedMs: number;
	/** Descriptors that are this control plane's. */
	readonly #sockets = new Set<Socket>();
	/** For whoever waits until there are none. */
	readonly #awaiting: (() => void)[] = [];

	constructor(options: TunnelControlOptions) {
		this.#options = options;
		this.#now = options.now ?? bootClock();
		this.#house = new House({ ...options, now: this.#now });
		this.#secureContext = contextOf(options.settings);
		this.#tickMs = tickOf(options.settings);
		this.#tickedMs = this.#now();
		this.#timer = this.#startTimer();
	}

	get lines(): Lines {
		return this.#house.desk;
	}

	accept({ fd, address, inTheOpen }: ControlConnection): void {
		const socket = this.#socketOf(fd);
		if (socket === undefined) return;
		this.#sockets.add(socket);
		socket.once("close", () => {
			this.#sockets.delete(socket);
			this.#tellGone();
		});
		this.#options.opened?.(socket);
		// In the open only where the file says so: a reload may have changed that since it was accepted. Of a crowd half is told so.
		const isOverrun = this.#greetings.size >= 2 * GREETINGS_MAX;
		if (this.#isStopped || isOverrun || inTheOpen !== (this.#secureContext === null)) {
			socket.destroy();
			return;
		}
		const greeting = new Greeting({
			...{ house: this.#house, socket, address, secureContext: this.#secureContext },
			program: this.#options.program,
			isCrowded: this.#greetings.size >= GREETINGS_MAX,
			over: (over) => this.#greetings.delete(over),
			channel: (channel) => this.#follow(channel),
		});
		this.#greetings.add(greeting);
	}

	#socketOf(fd: number): Socket | undefined {
		try {
			return new Socket({ fd, readable: true, writable: true });
		} catch (error) {
			closeSync(fd);
			this.#options.log.warn(
				{ error: (error as Error).message },
				"a control connection cannot be taken over",
			);
			return undefined;
		}
	}

	#follow(channel: Channel): void {
		this.#channels.add(channel);
		channel.stream.once("close", () => this.#channels.delete(channel));
	}

	reload(settings: ControlSettings): void {
		this.#secureContext = contextOf(settings);
		this.#house.reload(settings);
		for (const session of [...this.#house.sessions]) {
			const config = this.#house.identities.find(session.config.id, session.login.key);
			if (config === undefined) session.remove();
			else session.reload(config);
		}
		this.#tickMs = tickOf(settings);
		clearInterval(this.#timer);
		if (!this.#isStopped) this.#timer = this.#startTimer();
	}

	drain(): Promise<void> {
		this.#house.isDraining = true;
		for (const session of [...this.#house.sessions]) session.drain();
		return this.#gone();
	}

	/** Who has not logged in yet is told to go when he does, and has his handshake's time for it. */
	#gone(): Promise<void> {
		return new Promise((resolve) => {
			this.#awaiting.push(resolve);
			this.#tellGone();
		});
	}

	#tellGone(): void {
		if (this.#sockets.size > 0) return;
		for (const resolve of this.#awaiting.splice(0)) resolve();
	}

	async stop(): Promise<void> {
		this.#isStopped = true;
		this.#house.isDraining = true;
		clearInterval(this.#timer);
		for (const greeting of [...this.#greetings]) greeting.destroy();
		for (const session of [...this.#house.sessions]) session.stop();
		for (const channel of this.#channels) channel.destroy();
		for (const socket of this.#sockets) socket.destroy();
		await this.#gone();
	}

	view(): TunnelsView {
		return tunnelsView(this.#house, this.#greetings.size);
	}

	#startTimer(): NodeJS.Timeout {
		return setInterval(() => this.#tick(), this.#tickMs).unref();
	}

	/**
	 * After a sleep of the machine, or of this process, everybody seems silent: what has come meanwhile is read first, and who is
	 * silent then is so at the next tick.
	 */
	#tick(): void {
		const now = this.#now();
		const isFresh = now - this.#tickedMs < Math.max(2 * this.#tickMs, 2 * TICK_MS);
		this.#tickedMs = now;
		for (const greeting of [...this.#greetings]) greeting.tick();
		for (const session of [...this.#house.sessions]) session.tick(isFresh);
		for (const channel of this.#channels) channel.tick();
		this.#house.desk.tick();
	}
}

function contextOf({ certificate }: ControlSettings): SecureContext | null {
	return certificate === null ? null : createSecureContext({ ...certificate, minVersion: "TLSv1.3" });
}

function tickOf({ tunnels: { heartbeatMs } }: ControlSettings): number {
	return Math.max(TICK_MIN_MS, Math.min(TICK_MS, heartbeatMs / 4));
}
