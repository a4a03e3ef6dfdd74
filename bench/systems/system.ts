/** A system under test: how to find it, start it and stop it. One file per system in this folder. */

import type { CertificateFiles } from "../../src/rig/certificate.js";
import { DIALOGUE_NAMES, type DialogueName } from "../load/dialogues.js";
import type { Program } from "../start.js";

export const ROLES = ["relay", "sni", "bulk", "http", "tls", "tlsOnce", ...DIALOGUE_NAMES] as const;
export type Role = (typeof ROLES)[number];

/** Where a system listens, and where it must send what arrives there. All on 127.0.0.1. */
export interface Assignment {
	readonly listen: Readonly<Record<Role, number>>;
	readonly relayTo: number;
	readonly bulkTo: number;
	/** Takes requests that a proxy has rewritten. */
	readonly httpTo: number;
	/** Answers once and ends; behind the listener `tlsOnce`. Behind `tls` is `relayTo`. */
	readonly onceTo: number;
	/** Behind the listener of each dialogue. */
	readonly dialogueTo: Readonly<Record<DialogueName, number>>;
	/** For those who terminate TLS. */
	readonly certificate: CertificateFiles;
	/** By SNI name; anything else is refused. */
	readonly sniTo: readonly { readonly name: string; readonly port: number }[];
	/** A directory of its own. */
	readonly directory: string;
}

export interface System {
	readonly id: string;
	/** One line for the report: threads, mode, what is not as packaged. */
	readonly note: string;
	/** Its version, or `null` when it is not installed. */
	version(): string | null;
	/** What to type when it is not installed. */
	readonly install: string;
	/** Why a row cannot be run on it, by row id. */
	readonly cannot: Readonly<Record<string, string>>;
	/** It reads requests, and listens on the port for that. */
	readonly readsRequests: boolean;
	/** It terminates TLS, and listens on the ports for that. */
	readonly terminatesTls: boolean;
	/** Only these rows, when it exists for their sake. */
	readonly onlyRows?: readonly string[];
	/** Whom it is a variant of: whoever chooses that one gets this one, too. */
	readonly variantOf?: string;
	/** The directory `dist` that it is run from, of Sluice. */
	readonly dist?: string;
	/** Writes its configuration and says how to start it, in the foreground. */
	prepare(assignment: Assignment): Program;
}

/** A system that is up and answers. */
export interface Running {
	readonly system: System;
	readonly listen: Readonly<Record<Role, number>>;
	/** From its start to its first answered request. */
	readonly readyMs: number;
	/** All its processes, as of now. */
	pids(): number[];
	/** What it wrote to its standard output and error; removed by `stop`. */
	readonly outputFile: string;
	stop(): Promise<void>;
}

/** Rows in which small requests are read and rewritten. */
export const HTTP_ROWS = ["http-64", "http-512"] as const;
/** Rows in which they are relayed. */
export const RELAY_ROWS = ["request-64", "request-512"] as const;

/** Same for all: the kernel caps it at net.core.somaxconn. */
export const BACKLOG = 4096;
/** Sessions each must be able to hold: the idle row has 5,000. Two descriptors each stay below 20,000. */
export const SESSIONS_MAX = 9000;
/** Threads or workers of each system that can have more than one. */
export const THREADS = 2;
