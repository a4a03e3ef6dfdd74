/** What is attacked, and what can be seen of it. Each kind has a file in targets/. */

export type TargetKind = "gateway" | "bare" | "guarded" | "given";

/** Those that are shown beside the gateway, and do not decide how a drill ends. */
export function isCompared(kind: TargetKind): boolean {
	return kind === "bare" || kind === "guarded";
}

export interface Target {
	readonly kind: TargetKind;
	/** In reports: `gateway`, `bare server`, `guarded server`, `127.0.0.1:443`. */
	readonly label: string;
	readonly address: string;
	/** What is attacked. */
	readonly port: number;
	/** Where the good client goes. Absent: there, too. */
	readonly clientPort?: number;
	/** Of its listeners behind the first. */
	readonly otherPorts?: readonly number[];
	/** Where one publishes to its channels. Absent: it has none, or nobody knows. */
	readonly publishPort?: number;
	/** Port of its listener on the drill's own link; `null` without one. */
	readonly linkPort: number | null;
	/** `null` when its process cannot be seen. */
	readonly pid: number | null;
	/** Length of one accept queue as the drill asked for it; `null` when it did not. */
	readonly backlog: number | null;
	/** What the gateway says of itself; `null` when it says nothing. */
	metrics(): Promise<TargetMetrics | null>;
	/** Errors that it logged, the first of them. */
	errors(): readonly string[];
	/** What it wrote last, for whoever reads about a failure. */
	lastWords(): string;
	stop(): Promise<void>;
}

export interface TargetMetrics {
	/** Sessions alive. */
	readonly sessions: number;
	readonly acceptQueueLimit: number;
	/** What the kernel's sockets hold for its sessions. */
	readonly socketMemoryBytes: number;
	/** Descriptors that are kept for what comes next: of pipes, and of an agent's lines. */
	readonly keptDescriptors: number;
	/** `null`: this version does not count it. */
	readonly ledgerDiscrepancy: number | null;
	readonly closedByReason: Readonly<Record<string, number>>;
	/** Halves of hellos that it holds, and that were given up since it began; `null`: it takes no datagrams. */
	readonly halfHellos: number | null;
	readonly halfHellosGivenUp: number | null;
	/** Half-open connections of its listeners, and SYNs that were answered with a cookie; `null`: it does not say. */
	readonly synReceived: number | null;
	readonly cookiesSent: number | null;
	/** Sessions alive on the listener of the drill's own link. */
	readonly linkSessions: number;
	/** `null`: it has no hub. */
	readonly hub: HubFigures | null;
}

/** What a gateway counts of its hub. */
export interface HubFigures {
	/** What waits for subscribers outside of the log. */
	readonly outboxBytes: number;
	/** Subscribers that take no more at the moment. */
	readonly blocked: number;
	/** By entries of `hub.channels`, and their figures by what they are called behind `sluice_hub_`. */
	readonly channels: Readonly<Record<string, Readonly<Record<string, number>>>>;
}
