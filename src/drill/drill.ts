/**
 * What a drill is: data that says what is attacked, how, and what must hold. The files in drills/ are of this
 * type; run.ts carries them out.
 */
import type { Assault, Scene } from "./assault.js";
import type { DrillProgram } from "./programs.js";
import type { DrillPorts } from "./upstream-ports.js";

/**
 * What kind of listener is attacked:
 *
 * - `relay`: it routes by name and passes bytes on;
 * - `http`: its routes lead to `http:` upstreams, so each request is read;
 * - `tls`: the same behind TLS that the gateway terminates;
 * - `agents`: the port of tunnels' agents. The good client is a visitor of a tunnel, at a listener of its own;
 * - `udp`: it takes datagrams, and routes QUIC by name;
 * - `hub`: subscribers of the hub come to it. The good client is those who read, and who publishes.
 */
export const LISTENER_KINDS = ["relay", "http", "tls", "agents", "udp", "hub"] as const;

export type ListenerKind = (typeof LISTENER_KINDS)[number];

export interface Drill {
	readonly name: string;
	/** One line for the list. */
	readonly summary: string;
	readonly defaults: {
		readonly connections: number;
		/** Length of the attack. Calm before it and after it last half as long each. */
		readonly seconds: number;
	};
	/** The command line's --connections counts what needs no descriptor each, such as sessions one after the other. */
	readonly connectionsInTurn?: true;
	/** What it counts, for the report. Default: connections. */
	readonly counted?: string;
	/** Descriptors that a target of the drill's own may have (ulimit -n). Default: all this machine gives. */
	readonly descriptorLimit?: number;
	/** Memory that a target of the drill's own may have (memory-group.ts), where the rights allow to bound it. */
	readonly memoryGroupBytes?: number;
	/** It runs this program of others. */
	readonly program?: DrillProgram;
	/** It is always compared with the plain server, as with --bare. */
	readonly compares?: true;
	/** Fewer connections than its default come where this machine has not enough descriptors or ports for those, and it is said so. */
	readonly makesDo?: true;
	/** What a connection of it takes of the target's descriptors. Default: 2, for a session with an upstream. */
	readonly descriptorsEach?: 1;
	/** The good client's p99 up to which calm is calm. Default: 50 ms. */
	readonly calmP99MaxMs?: number;
	/** Wants a link of its own (network-namespace.ts), where the rights allow one. */
	readonly link?: true;
	/** All of it happens in a network namespace of its own (own-namespace.ts), which it must have. */
	readonly ownNamespace?: true;
	/** The gateway is compared with itself under other circumstances, which this says: `without syncookies`. */
	readonly comparedWith?: string;
	/** No more than this, whatever is asked for. Default: what the machine has room for, and an hour. */
	readonly most?: { readonly connections: number; readonly seconds: number };
	/** The attack on each kind of listener, or why there is none. Few have one on the agents' port, or with datagrams, or on the hub. */
	readonly on: Readonly<Record<Exclude<ListenerKind, "agents" | "udp" | "hub">, Plan | string>> & {
		readonly agents?: Plan;
		readonly udp?: Plan;
		readonly hub?: Plan;
	};
	/** How the attack ends. */
	readonly ending: AttackEnding;
	readonly thresholds: readonly Threshold[];
}

/** How one kind of listener is attacked. */
export interface Plan {
	/** Configuration of the drill's own gateway, without its `admin` line. */
	configure(upstreams: DrillPorts, listeners: ListenerAddresses): string;
	/** Who attacks, once per target. */
	attack(scene: Scene): Promise<Assault>;
	/** Where datagrams come: ports of the plain relay that it is compared with, behind the first. Each has sessions of its own. */
	readonly barePorts?: number;
	/** Attackers at once, unless the command line says otherwise. Default: the drill's. */
	readonly connections?: number;
	/** What attackers are told by the target's deadlines; `null` when no deadline of the target ends them. */
	readonly deadline: AttackDeadline | null;
}

/** Where the drill's own gateway listens, as it stands in the configuration. */
export interface ListenerAddresses {
	readonly main: string;
	/** Host side of a link that the drill made; `null` without one. */
	readonly link: string | null;
}

export interface AttackDeadline {
	/** Key under `timeouts`; or what a body's rate is measured over, which is no setting. */
	readonly key: "handshake" | "idle" | "stall" | "body rate";
	/** In the drill's own gateway. */
	readonly ownMs: number;
	/** In a target that is only named: the default that docs/configuration.md states. */
	readonly givenMs: number;
}

/**
 * - `target`: nobody new comes, and the target must get rid of those who are there;
 * - `attackers`: they close by themselves, all at once;
 * - `done`: when all of them have got what they came for, however long that takes (and at the latest at
 *   a bound).
 */
export type AttackEnding = "target" | "attackers" | "done";

/** A number that must be reached. `measure` names one of the run's measures. */
export interface Threshold {
	readonly measure: string;
	readonly title: string;
	readonly unit: Unit;
	readonly bound: { readonly atMost: number } | { readonly atLeast: number } | { readonly exactly: number };
	/** Only some targets can say; where they cannot, nothing is judged. Otherwise a missing number has not held. */
	readonly optional?: true;
	/**
	 * Decided by the clock, which a machine with other work to do does not keep: where calm was not calm it is not
	 * judged. But it is if the measure `unless` is not 0, because then not only the clock was at fault.
	 */
	readonly byClock?: true | { readonly unless: string };
}

export type Unit = "share" | "ms" | "bytes" | "times" | "count" | "cores";
