/** A program that sends one message to many subscribers: how to find it, start it and stop it. One file per program in systems/. */
import type { CertificateFiles } from "../../src/rig/certificate.js";
import type { PublishersDoor, SubscribersDoor } from "../../src/rig/subscribers/doors.js";
import type { Program } from "../start.js";
import type { Audience } from "./load/driver.js";

export const ROLES = ["plain", "tls", "publish"] as const;

/** Where a system listens. All on 127.0.0.1. */
export interface Assignment {
	readonly listen: Readonly<Record<(typeof ROLES)[number], number>>;
	/** For those who terminate TLS. */
	readonly certificate: CertificateFiles;
	/** A directory of its own. */
	readonly directory: string;
	/** Each collection of Node's is to be a full one: what is garbage is nobody's memory. */
	readonly collects: boolean;
}

/** Where its subscribers come, and where one publishes. */
export interface Doors {
	readonly plain: SubscribersDoor;
	/** `null`: it has none. */
	readonly tls: SubscribersDoor | null;
	readonly publish: PublishersDoor;
}

/** Who listens to an instance: all read, or a part of them does not. */
export type Manner = "all-read" | "some-deaf";

export interface HubSystem {
	readonly id: string;
	/** One line for the report: threads, mode, what is not as packaged. */
	readonly note: string;
	/** Its version, or `null` when it is not installed. */
	version(): string | null;
	/** What to do when it is not installed. */
	readonly install: string;
	/** Why a row cannot be run on it, by row id. */
	readonly cannot: Readonly<Record<string, string>>;
	readonly manner: Manner;
	/** Whom it is another instance of: whoever chooses that one gets this one, too. It is in the rows of deliveries only. */
	readonly variantOf?: string;
	/** Ratios to it are judged, or it is. The others are in the first rounds only. */
	readonly isJudged: boolean;
	/** Writes its configuration and says how to start it, in the foreground. */
	prepare(assignment: Assignment): Program;
	doors(assignment: Assignment): Doors;
	/** Bytes that wait for all of its subscribers beside what stands there once for all; absent: it does not say. */
	outboxes?(doors: Doors): Promise<number>;
}

/** One that is up, and who listens to it and publishes. */
export interface RunningHub {
	readonly system: HubSystem;
	readonly doors: Doors;
	readonly audience: Audience;
	/** All its processes, as of now. */
	pids(): number[];
	stop(): Promise<void>;
}

/** The channel that everybody listens to. */
export const CHANNEL = "bench";
/** Subscribers that each must be able to hold; below the usual limit of 20,000 descriptors. */
export const SUBSCRIBERS_MAX = 9_000;
/** Same for all: the kernel caps it at net.core.somaxconn. */
export const BACKLOG = 4_096;

/** The arguments of Node for a script and what it is told. */
export function nodeArguments(
	{ collects }: Assignment,
	script: string,
	...args: readonly string[]
): string[] {
	return [...(collects ? ["--gc-global"] : []), script, ...args];
}

/** A system, and further instances of it. */
export function withVariants(
	system: Omit<HubSystem, "manner" | "variantOf">,
	variants: readonly (keyof typeof NOTES)[],
): HubSystem[] {
	const first: HubSystem = { ...system, manner: "all-read" };
	return [
		first,
		...variants.map(
			(variant): HubSystem => ({
				...first,
				id: `${system.id}-${variant}`,
				note: NOTES[variant],
				manner: variant === "deaf" ? "some-deaf" : "all-read",
				variantOf: system.id,
			}),
		),
	];
}

const NOTES = {
	again: "a second instance of the same, to see how far the machine's weather alone moves a ratio",
	deaf: "one more, of whose subscribers one in twenty does not read",
} as const;
