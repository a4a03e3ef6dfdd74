/**
 * One tunnel that an agent asks for, from `open` to its end: the name is looked at, leased, given a port, told to the reactors, and all of
 * that is given back, whenever it ends and whatever is under way then.
 */
import { isDeepStrictEqual } from "node:util";
import { parseCidr } from "../../config/address.js";
import type { Cidr, TunnelAgentConfig } from "../../config/config.js";
import { InvalidValue } from "../../config/errors.js";
import { parseHash, parseUser } from "../../config/passwords.js";
import {
	carriesDatagrams,
	hasPort,
	isEndToEnd,
	type Open,
	type TunnelCode,
} from "../../protocol/tunnel/index.js";
import { nameFor, type TunnelName } from "../registry/names.js";
import type { House } from "./house.js";
import type { LinesCut, OpenTunnel, TunnelEnd } from "./interfaces.js";
import type { AskForLines } from "./line-desk.js";

/** Ports that are tried for a tunnel: somebody else on this machine may have one, and not all. */
const PORT_TRIES = 8;

/**
 * Sessions of datagrams that a tunnel has at a time, where nobody says how many. The address that a datagram comes from may be forged,
 * and each session takes a line, which is a connection: a flood is not to take all that gateway and agent have.
 */
const DATAGRAM_SESSIONS = 1_000;

/** Why a tunnel is not opened, as the agent is told. */
export interface Refusal {
	readonly code: TunnelCode;
	readonly message: string;
	readonly final: boolean;
}

/** Whose tunnel it is. */
export interface Offerer {
	/** As the file has it now. */
	readonly config: TunnelAgentConfig;
	readonly epoch: number;
	readonly inTheOpen: boolean;
	/** What the agent calls this gateway: where visitors of ports connect to. */
	readonly gatewayName: string;
}

export class Offer {
	readonly message: Open;
	readonly #house: House;
	readonly #by: Offerer;
	readonly #ask: AskForLines;
	/** What is to be given back. */
	#leased: string | undefined;
	#keepMs = 0;
	tunnel: OpenTunnel | undefined;
	addresses: readonly string[] = [];
	isOpen = false;
	/** What its agent says is wrong with the local service; nothing: it is up. */
	localDown: string | undefined;
	isOver = false;

	constructor(house: House, by: Offerer, message: Open, ask: AskForLines) {
		this.#house = house;
		this.#by = by;
		this.message = message;
		this.#ask = ask;
	}

	/** Resolves to what is wrong with it, or nothing: it is open, or `isOver` meanwhile. */
	async open(): Promise<Refusal | undefined> {
		const { leases, settings } = this.#house;
		const { config, epoch } = this.#by;
		const { kind, name: written, allow } = this.message;
		const named = nameFor(config, settings.tunnels.domain, kind, written);
		if (typeof named === "string") return { code: "name", message: named, final: true };
		const blocks = allow === undefined ? null : blocksOf(allow);
		if (typeof blocks === "string") return { code: "invalid", message: blocks, final: true };
		const fault = faultOfPasswords(this.message);
		if (fault !== undefined) return { code: "invalid", message: fault, final: true };
		const { name } = named;
		const refusal = await leases.acquire({ name, kind, identity: config.id, epoch, shared: config.shared });
		if (refusal !== undefined) return refusal;
		this.#leased = name;
		if (this.isOver) return this.#giveBack();
		const failure = await this.#tell(named, blocks);
		if (failure !== undefined) this.#giveBack();
		return failure;
	}

	/** A port where it needs one, and then reactors, which may find that the port is somebody else's. */
	async #tell({ name, host }: TunnelName, allow: readonly Cidr[] | null): Promise<Refusal | undefined> {
		const { desk, events, settings } = this.#house;
		const { config } = this.#by;
		const { kind, port: asked = null } = this.message;
		const ports = this.#house.portsOf(kind);
		const tried = new Set<number>();
		for (;;) {
			const port = ports?.take(config.id, name, asked, tried) ?? null;
			if (ports !== null && port === null) return noPort(asked, tried);
			const tunnel = desk.add(
				{
					...{ identity: config.id, epoch: this.#by.epoch, kind, name, host, port, allow },
					...{ plain: this.#isPlain(), ...this.#limits() },
				},
				this.#ask,
			);
			this.tunnel = tunnel;
			try {
				const opened = events.opened(tunnel);
				// Before anybody can be sent there.
				if (this.localDown !== undefined) events.local(tunnel.number, false, this.localDown);
				await opened;
			} catch (error) {
				if (this.isOver) return undefined;
				this.tunnel = undefined;
				desk.close(tunnel.number);
				const message = error instanceof Error ? error.message : String(error);
				if (port === null) return { code: "limit", message, final: false };
				ports?.release(config.id, name, port);
				tried.add(port);
				this.#house.log.warn({ port, tunnel: name, error: message }, "a port for a tunnel is not free");
				if (asked !== null || tried.size >= PORT_TRIES) return noPort(asked, tried);
				continue;
			}
			if (this.isOver) return undefined;
			this.isOpen = true;
			this.addresses = hasPort(kind)
				? [`${this.#by.gatewayName}:${port}${kind === "udp" ? "/udp" : ""}`]
				: settings.publicAddresses(kind, host ?? "");
			return undefined;
		}
	}

	/** Asks for lines, from when the agent knows that it is open. */
	begin(): void {
		if (this.isOpen && this.tunnel !== undefined) this.#house.desk.open(this.tunnel.number);
	}

	/**
	 * It is over, whether or not it was open yet. `keepMs`: for so long its name is nobody else's.
	 */
	end(cut: LinesCut, why: TunnelEnd, keepMs: number): void {
		if (this.isOver) return;
		this.isOver = true;
		this.#keepMs = keepMs;
		const { tunnel } = this;
		if (tunnel !== undefined) {
			this.#house.events.closed(tunnel.number, cut, why);
			this.#house.desk.close(tunnel.number);
		}
		this.#giveBack();
	}

	/** What the agent's check of its local service says, also of one that is not open yet. */
	local(isUp: boolean, why: string): void {
		const wasUp = this.localDown === undefined;
		this.localDown = isUp ? undefined : why;
		const { tunnel } = this;
		if (isUp === wasUp || this.isOver || tunnel === undefined) return;
		this.#house.events.local(tunnel.number, isUp, why);
	}

	/** After a reload. Why the file allows it no more, or nothing. */
	whyNotAllowed(): string | undefined {
		const { tunnel } = this;
		if (tunnel === undefined) return undefined;
		const { domain } = this.#house.settings.tunnels;
		const named = nameFor(this.#by.config, domain, tunnel.kind, this.message.name);
		if (typeof named === "string") return named;
		if (named.host !== tunnel.host) return `the gateway's domain is ${domain ?? "none"} now`;
		const ports = this.#house.portsOf(tunnel.kind);
		if (tunnel.port !== null && ports?.allows(this.#by.config, tunnel.port) === false)
			return `port ${tunnel.port} is not among the ports of "${this.#by.config.id}"`;
		const limits = this.#limits();
		if (
			Object.entries(limits).some(
				([key, value]) => !isDeepStrictEqual(value, tunnel[key as keyof OpenTunnel]),
			)
		) {
			this.tunnel = { ...tunnel, ...limits };
			this.#house.desk.change(this.tunnel);
			this.#house.events.changed(this.tunnel);
		}
		return undefined;
	}

	#giveBack(): undefined {
		const { leases } = this.#house;
		const { config, epoch } = this.#by;
		const ports = this.#house.portsOf(this.message.kind);
		const [name, port] = [this.#leased, this.tunnel?.port ?? null];
		if (name === undefined) return undefined;
		this.#leased = undefined;
		if (port !== null) ports?.release(config.id, name, port);
		void leases.release(name, config.id, epoch, this.#keepMs);
		return undefined;
	}

	#isPlain(): boolean {
		const { plainLines } = this.#house.settings.tunnels;
		const { kind, plain = false } = this.message;
		return this.#by.inTheOpen || (plainLines && (isEndToEnd(kind) || (hasPort(kind) && plain)));
	}

	/** The agent may narrow what the file says, and never widen it. */
	#limits(): Pick<OpenTunnel, "connections" | "bytesPerSecond" | "basicAuth"> {
		const { connections, bytesPerSecond, basicAuth } = this.#by.config;
		const { kind, basic_auth: own } = this.message;
		const asked = kind === "http" ? [basicAuth, own] : [];
		return {
			basicAuth: asked.filter((list) => list != null),
			connections:
				less(connections, this.message.connections) ?? (carriesDatagrams(kind) ? DATAGRAM_SESSIONS : null),
			bytesPerSecond: less(bytesPerSecond, this.message.bytes_per_second),
		};
	}
}

function less(own: number | null, asked: number | undefined): number | null {
	return asked === undefined ? own : Math.min(own ?? asked, asked);
}

function blocksOf(texts: readonly string[]): readonly Cidr[] | string {
	try {
		return texts.map(parseCidr);
	} catch (error) {
		if (error instanceof InvalidValue) return `allow: ${error.message}`;
		throw error;
	}
}

/** What is wrong with what an agent wants visitors to be asked for. */
function faultOfPasswords({ kind, basic_auth: entries }: Open): string | undefined {
	if (entries === undefined) return undefined;
	if (kind !== "http") return `basic_auth: visitors of a ${kind} tunnel cannot be asked`;
	if (entries.length === 0) return "basic_auth: nobody could come in";
	try {
		for (const { user, hash } of entries) {
			parseUser(user);
			parseHash(hash);
		}
		return undefined;
	} catch (error) {
		if (error instanceof InvalidValue) return `basic_auth: ${error.message}`;
		throw error;
	}
}

function noPort(asked: number | null, tried: ReadonlySet<number>): Refusal {
	if (asked !== null)
		return { code: "port", message: `port ${asked} is not allowed for this agent, or taken`, final: true };
	return {
		code: "port",
		message:
			tried.size > 0 ? "other programs have the ports that were tried" : "no port is free for this agent",
		final: false,
	};
}
