/** An agent that has logged in: its tunnels, what it says, and whether it is still there. */
import { performance } from "node:perf_hooks";
import type { TunnelAgentConfig } from "../../config/config.js";
import {
	type Bye,
	carriesDatagrams,
	type Login,
	type Message,
	type Open,
	shortened,
	TICKETS_MAX,
	type Ticket,
} from "../../protocol/tunnel/index.js";
import type { Channel, ChannelListener } from "./channel.js";
import type { House, Session } from "./house.js";
import type { AgentView, LinesCut, TunnelEnd } from "./interfaces.js";
import { Offer, type Offerer } from "./offer.js";

/** Tunnels of one agent: each has lines parked, and takes a place in tables. */
const TUNNELS_MAX = 256;

export interface SessionOptions {
	readonly house: House;
	readonly channel: Channel;
	readonly login: Login;
	readonly config: TunnelAgentConfig;
	readonly epoch: number;
	readonly address: string;
	readonly inTheOpen: boolean;
	readonly gatewayName: string;
	/** As its hello told them. */
	readonly heartbeatMs: number;
	readonly deadAfterMs: number;
}

export class AgentSession implements ChannelListener, Offerer, Session {
	readonly login: Login;
	readonly epoch: number;
	readonly inTheOpen: boolean;
	readonly gatewayName: string;
	config: TunnelAgentConfig;
	readonly #house: House;
	readonly #channel: Channel;
	readonly #options: SessionOptions;
	/** By the agent's number. */
	readonly #offers = new Map<number, Offer>();
	/** Tickets that go out at the end of this turn of the loop, by tunnel. */
	readonly #asked = new Map<number, Ticket[]>();
	readonly #sinceMs = Date.now();
	/** Of the ping that is under way. */
	#pingSentMs: number | undefined;
	#rttMs: number | null = null;
	#isOver = false;

	constructor(options: SessionOptions) {
		this.#options = options;
		this.#house = options.house;
		this.#channel = options.channel;
		this.login = options.login;
		this.epoch = options.epoch;
		this.config = options.config;
		this.inTheOpen = options.inTheOpen;
		this.gatewayName = options.gatewayName;
	}

	/** Others of the same identity go where it cannot be shared with them; then this one is welcome. */
	begin(): void {
		const { house, address } = this.#options;
		for (const other of [...house.sessions]) if (this.#replaces(other)) other.supersede();
		house.sessions.add(this);
		house.loggedIn(this.config.id);
		house.log.info(
			{ agent: this.config.id, epoch: this.epoch, address, program: this.login.agent },
			"an agent has logged in",
		);
		this.#channel.listen(this);
		this.#channel.send({ type: "welcome", epoch: this.epoch });
	}

	#replaces({ config, login }: Session): boolean {
		if (config.id !== this.config.id) return false;
		return !this.config.shared || Buffer.compare(login.instance, this.login.instance) === 0;
	}

	supersede(): void {
		const { superseded, deadAfterMs } = this.#house.settings.tunnels;
		this.#end(superseded === "cut" ? "all" : "parked", "superseded", deadAfterMs, {
			code: "superseded",
			message: "another login of the same agent has taken its place",
		});
	}

	/** The file names it no more, or not with its key: it is cut at once, its visitors with it. */
	remove(): void {
		this.#end("all", "removed", 0, {
			code: "removed",
			message: "the gateway's file names this agent no more",
		});
	}

	drain(): void {
		this.#end("parked", "drained", 0, { code: "draining", message: "the gateway is about to end" });
	}

	stop(): void {
		this.#end("parked", "drained", 0);
		this.#channel.destroy();
	}

	/** After a reload: tunnels that the file allows no more are closed. */
	reload(config: TunnelAgentConfig): void {
		this.config = config;
		for (const [number, offer] of this.#offers) {
			const why = offer.whyNotAllowed();
			if (why === undefined) continue;
			this.#offers.delete(number);
			const wasOpen = offer.isOpen;
			offer.end("all", "removed", 0);
			const refusal = { tunnel: number, code: "removed", message: shortened(why), final: true } as const;
			this.#channel.send(wasOpen ? { type: "closed", ...refusal } : { type: "refused_tunnel", ...refusal });
		}
	}

	message(message: Message): void {
		switch (message.type) {
			case "open":
				void this.#open(message);
				return;
			case "close":
				this.#offers.get(message.tunnel)?.end("parked", "ended", 0);
				this.#offers.delete(message.tunnel);
				return;
			case "local":
				this.#offers.get(message.tunnel)?.local(message.up, message.message);
				return;
			case "failed":
				this.#house.desk.failed(message.ticket, this.epoch);
				return;
			case "ping":
				this.#channel.send({ type: "pong", sent_ms: message.sent_ms });
				return;
			case "pong":
				this.#ponged(message.sent_ms);
				return;
			case "bye":
				this.#end(
					"parked",
					message.code === "ended" ? "ended" : "lost",
					this.#keepMs(message.code === "ended"),
				);
				this.#channel.destroy();
				return;
			default:
				// What only a gateway says, or what was said before: it means nothing here.
				this.fault(`"${message.type}" is nothing that a gateway is told now`);
		}
	}

	async #open(message: Open): Promise<void> {
		const { tunnel: number } = message;
		if (this.#offers.has(number)) return this.fault(`tunnel ${number} is open already`);
		if (this.#offers.size >= TUNNELS_MAX)
			return this.#refuse(number, {
				code: "limit",
				message: `more than ${TUNNELS_MAX} tunnels`,
				final: false,
			});
		const offer = new Offer(this.#house, this, message, (tickets) => this.#ask(number, tickets));
		this.#offers.set(number, offer);
		const refusal = await offer.open();
		if (offer.isOver) return;
		if (refusal !== undefined) {
			this.#offers.delete(number);
			return this.#refuse(number, refusal);
		}
		const { tunnel, addresses } = offer;
		if (tunnel === undefined) return;
		const { kind, name, plain } = tunnel;
		this.#house.log.info({ agent: this.config.id, tunnel: name, kind, addresses }, "a tunnel is open");
		const asks = message.basic_auth === undefined ? {} : { basic_auth: true };
		const { datagramIdleMs } = this.#house.settings;
		const ends = carriesDatagrams(kind) ? { idle_ms: datagramIdleMs(kind) } : {};
		this.#channel.send({ type: "opened", tunnel: number, addresses, plain, ...asks, ...ends });
		offer.begin();
	}

	#refuse(tunnel: number, { code, message, final }: { code: string; message: string; final: boolean }): void {
		this.#house.refused(code);
		this.#house.log.warn({ agent: this.config.id, code, reason: message }, "a tunnel is refused");
		this.#channel.send({ type: "refused_tunnel", tunnel, code, message: shortened(message), final });
	}

	/** Tickets of what happens in one turn of the loop go out in one message. */
	#ask(tunnel: number, tickets: readonly Ticket[]): void {
		const asked = this.#asked.get(tunnel);
		if (asked !== undefined) {
			asked.push(...tickets);
			return;
		}
		this.#asked.set(tunnel, [...tickets]);
		if (this.#asked.size === 1) setImmediate(() => this.#sendAsked());
	}

	#sendAsked(): void {
		for (const [tunnel, tickets] of this.#asked)
			for (let first = 0; first < tickets.length; first += TICKETS_MAX)
				this.#channel.send({ type: "lines", tunnel, tickets: tickets.slice(first, first + TICKETS_MAX) });
		this.#asked.clear();
	}

	#ponged(sentMs: number): void {
		if (sentMs !== this.#pingSentMs) return;
		this.#pingSentMs = undefined;
		this.#rttMs = performance.now() - sentMs;
	}

	/** Now and then. `isFresh`: this process has run without a break, so that who has said nothing is silent indeed. */
	tick(isFresh: boolean): void {
		const { heartbeatMs, deadAfterMs } = this.#options;
		const now = this.#house.now();
		if (isFresh && now - this.#channel.heardMs >= deadAfterMs) this.#dead(deadAfterMs);
		else if (now - this.#channel.sentMs >= heartbeatMs) this.#ping();
	}

	#ping(): void {
		this.#pingSentMs = performance.now();
		this.#channel.send({ type: "ping", sent_ms: this.#pingSentMs });
	}

	#dead(silentMs: number): void {
		this.#end("parked", "dead", this.#keepMs(false), {
			code: "dead",
			message: `nothing heard for ${silentMs} ms`,
		});
	}

	fault(what: string): void {
		this.#end("parked", "protocol", this.#keepMs(false), { code: "protocol", message: shortened(what) });
	}

	closed(): void {
		this.#end("parked", "lost", this.#keepMs(false));
	}

	/** For so long names wait for an agent that has gone without saying that it is done. */
	#keepMs(isDone: boolean): number {
		return isDone ? 0 : this.#house.settings.tunnels.deadAfterMs;
	}

	/** Once, whatever comes first. */
	#end(cut: LinesCut, why: TunnelEnd, keepMs: number, last?: Omit<Bye, "type">): void {
		if (this.#isOver) return;
		this.#isOver = true;
		this.#house.sessions.delete(this);
		for (const offer of this.#offers.values()) offer.end(cut, why, keepMs);
		const facts = { agent: this.config.id, epoch: this.epoch, why, reason: last?.message };
		const isExpected = why === "ended" || why === "drained";
		this.#house.log[isExpected ? "info" : "warn"](facts, "an agent has gone");
		if (last !== undefined) this.#channel.end({ type: "bye", ...last });
	}

	view(): AgentView {
		return {
			...{ id: this.config.id, epoch: this.epoch, address: this.#options.address },
			...{ agent: this.login.agent, sinceMs: this.#sinceMs, rttMs: this.#rttMs },
		};
	}

	/** Of its tunnels, what only it knows. */
	offers(): readonly Offer[] {
		return [...this.#offers.values()];
	}
}
