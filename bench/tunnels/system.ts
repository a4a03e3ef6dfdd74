/** A tunnel under test: a gateway and its agents, and how its visitors speak. One file per program in systems/. */
import type { CertificateFiles } from "../../src/rig/certificate.js";
import type { OwnedProcess } from "../../src/rig/processes.js";
import type { Program } from "../start.js";

/** What visitors come for: many requests over a kept connection, one request that ends it, downloads. */
export const WAYS = ["relay", "once", "bulk"] as const;
export type Way = (typeof WAYS)[number];

/** By way, a port of 127.0.0.1. */
export type Ports = Readonly<Record<Way, number>>;

/**
 * How visitors say where they want to go. `port`: each way has one, and bytes are all that passes. `host`: all come to the port of
 * `relay`, with requests that are read. `hello`: the same with a ClientHello, behind which bytes pass.
 */
export type Manner = "port" | "host" | "hello";

export interface Assignment {
	/** Where agents come to. */
	readonly agents: number;
	/** Where visitors do. */
	readonly listen: Ports;
	/** The agents' local services. */
	readonly to: Ports;
	/** For those who speak TLS. */
	readonly certificate: CertificateFiles;
	/** A directory of its own. */
	readonly directory: string;
}

export interface Ends {
	readonly gateway: Program;
	/** Most have one. */
	readonly agents: readonly Program[];
}

export interface TunnelSystem {
	readonly id: string;
	/** One line for the report: mode, encryption, what is not as packaged. */
	readonly note: string;
	/** Its version, or `null` when it is not on the PATH. */
	version(): string | null;
	/** What to do when it is not there. */
	readonly install: string;
	/** Why a row cannot be run on it, by row id. */
	readonly cannot: Readonly<Record<string, string>>;
	readonly manner: Manner;
	/** The one port that its agents know, where they cannot be told another: then one instance runs at a time. */
	readonly agentsPort?: number;
	/** Writes its configuration. */
	prepare(assignment: Assignment): Ends;
	/** Has so many lines parked for each of its tunnels; `undefined`: it cannot be told. They come when they come. */
	park?(running: RunningTunnel, lines: number): void;
}

/** One that is up, and whose visitors are answered. */
export interface RunningTunnel {
	readonly system: TunnelSystem;
	readonly assignment: Assignment;
	readonly gateway: OwnedProcess;
	/** All processes of either end, as of now. */
	gatewayPids(): number[];
	agentPids(): number[];
	stop(): Promise<void>;
}
