/** A relay of datagrams under test: how to find it, start it and stop it. One file per program in systems/. */

import type { Program } from "../start.js";

/** What comes to the ports that a system listens on, where it relays whatever comes. */
export const PLAIN_ROLES = ["echo", "batches", "quic", "brief", "held"] as const;
type PlainRole = (typeof PLAIN_ROLES)[number];

/** `sni`: it is relayed by name. */
export const ROLES = [...PLAIN_ROLES, "sni"] as const;
export type Role = PlainRole | "sni";

/** A port that a system listens on. */
export interface Way {
	readonly role: PlainRole;
	readonly listen: number;
	/** Where it must send what arrives there. */
	readonly to: number;
	/** Sessions that are silent for so long end. */
	readonly idleS: number;
}

/** Where a system listens, and where it must send what arrives there. All on 127.0.0.1. */
export interface Assignment {
	/** Who routes by name asks for QUIC_NAME in what comes to `quic`. */
	readonly ways: readonly Way[];
	/** Where names are looked at, and what goes where by them; anything else is refused. */
	readonly sni: number;
	readonly namedTo: readonly { readonly name: string; readonly port: number }[];
	/** A directory of its own. */
	readonly directory: string;
}

export interface UdpSystem {
	readonly id: string;
	/** One line for the report: threads, mode, what is not as packaged. */
	readonly note: string;
	/** Its version, or `null` when it is not installed. */
	version(): string | null;
	/** What to do when it is not installed. */
	readonly install: string;
	/** Why a row cannot be run on it, by row id. */
	readonly cannot: Readonly<Record<string, string>>;
	/** Nothing is judged by it: it is in the first rounds only. */
	readonly isBystander?: true;
	/** Writes its configuration and says how to start it, in the foreground. */
	prepare(assignment: Assignment): Program;
}

/** One that is up and answers. */
export interface RunningUdp {
	readonly system: UdpSystem;
	readonly listen: Readonly<Record<Role, number>>;
	/** All its processes, as of now. */
	pids(): number[];
	stop(): Promise<void>;
}

export const QUIC_NAME = "quic.bench.test";

/** Silent sessions end after so long: flows speak all the time, and those of a round before need not stay. */
export const IDLE_S = 2;
/** By role: `brief` and `held` are for rows in which sessions fall silent. */
export const IDLE_S_OF: Readonly<Record<PlainRole, number>> = {
	...{ echo: IDLE_S, batches: IDLE_S, quic: IDLE_S },
	...{ brief: 1, held: 60 },
};

/** Each must be able to hold so many: the idle row has 9,000. Sluice keeps two descriptors for each, of 20,000. */
export const SESSIONS_MAX = 9_500;

/** What a socket that anybody sends to has room for: all datagrams that are under way at once, with what the kernel needs beside. */
export const RECEIVE_BYTES = 4 * 1024 * 1024;
