/** Ports of `tcp` tunnels, or those of `udp` tunnels, which have the same numbers and others: which agent may have which, which are taken, and which one a tunnel had before. */
import type { PortRange, TunnelAgentConfig, TunnelsConfig } from "../../config/config.js";

/** Names whose port is remembered. Beyond that the longest unused one may come back to another port. */
const REMEMBERED_MAX = 4_096;

export class Ports {
	#all: PortRange | null = null;
	/** Of agents that have their own. */
	#own = new Map<string, PortRange>();
	/** Who has it, `identity name`, and how many times: agents that share a name share its port. */
	readonly #holders = new Map<number, { readonly owner: string; readonly count: number }>();
	/** The port that an owner had last; the longest unused first. */
	readonly #remembered = new Map<string, number>();

	/** What the file says from now on. Ports that are taken stay so, whether or not they would be given today. */
	configure({ ports, agents }: Pick<TunnelsConfig, "ports" | "agents">): void {
		this.#all = ports;
		this.#own = new Map(agents.flatMap(({ id, ports: own }) => (own === null ? [] : [[id, own] as const])));
	}

	/** Whether the file lets this agent have it. */
	allows(identity: Pick<TunnelAgentConfig, "id">, port: number): boolean {
		const own = this.#own.get(identity.id);
		if (own !== undefined) return within(own, port);
		if (this.#all === null || !within(this.#all, port)) return false;
		for (const range of this.#own.values()) if (within(range, port)) return false;
		return true;
	}

	/**
	 * A port for the name of an agent: the one asked for, the one it had before, or the first that is free and that nobody had before
	 * him. `null`: there is none. `except`: those that somebody else on this machine was found to have.
	 */
	take(id: string, name: string, asked: number | null, except: ReadonlySet<number>): number | null {
		const owner = ownerOf(id, name);
		const isFree = (port: number): boolean =>
			!except.has(port) && (this.#holders.get(port)?.owner ?? owner) === owner && this.allows({ id }, port);
		const before = this.#remembered.get(owner);
		const port =
			asked !== null
				? isFree(asked)
					? asked
					: null
				: before !== undefined && isFree(before)
					? before
					: this.#first(id, isFree);
		if (port === null) return null;
		this.#holders.set(port, { owner, count: (this.#holders.get(port)?.count ?? 0) + 1 });
		this.#remember(owner, port);
		return port;
	}

	release(id: string, name: string, port: number): void {
		const held = this.#holders.get(port);
		if (held?.owner !== ownerOf(id, name)) return;
		if (held.count > 1) this.#holders.set(port, { ...held, count: held.count - 1 });
		else this.#holders.delete(port);
	}

	get taken(): number {
		return this.#holders.size;
	}

	/** The first that is free, and of those one that nobody would come back to. */
	#first(id: string, isFree: (port: number) => boolean): number | null {
		const range = this.#own.get(id) ?? this.#all;
		if (range === null) return null;
		const missed = new Set(this.#remembered.values());
		let second: number | null = null;
		for (let port = range.from; port <= range.to; port++) {
			if (!isFree(port)) continue;
			if (!missed.has(port)) return port;
			second ??= port;
		}
		return second;
	}

	#remember(owner: string, port: number): void {
		this.#remembered.delete(owner);
		this.#remembered.set(owner, port);
		const [oldest] = this.#remembered.keys();
		if (this.#remembered.size > REMEMBERED_MAX && oldest !== undefined) this.#remembered.delete(oldest);
	}
}

function within({ from, to }: PortRange, port: number): boolean {
	return from <= port && port <= to;
}

/** Neither has a blank in it. */
function ownerOf(id: string, name: string): string {
	return `${id} ${name}`;
}
