/** What `docs/capacity.md` was made from: the machine that it was made on, and what was measured there. Stands at the end of the page, so that a test can make it again. */
import type { Facts } from "../facts.js";
import type { Measured } from "../plan/measured.js";

/** What clients see whom nobody accepts. */
export interface Door {
	readonly backlog: number;
	readonly clients: number;
	readonly established: number;
	readonly retrying: number;
	readonly halfOpen: number;
	/** Descriptors of the listening side: when all that can be are established, and when these are accepted. */
	readonly descriptorsBefore: number;
	readonly descriptorsAccepted: number;
}

export interface SocketBytes {
	/** What the buffers of an established socket hold before a byte was sent. */
	readonly empty: number;
	/** Of both ends of one connection, whose reader takes nothing: bytes that were taken for it, and what they take of memory. */
	readonly taken: number;
	readonly full: number;
}

export interface Recorded {
	/** `2026-11-30` */
	readonly date: string;
	readonly machine: Pick<Facts, "kernel" | "node" | "cores" | "memoryBytes">;
	readonly settings: Readonly<Record<string, string>>;
	readonly measured: Measured;
	readonly door: Door;
	readonly sockets: SocketBytes;
}

/** Of the gateway that the page is about. */
export const REACTORS = 2;
/** What a gateway has open before its first reactor. */
export const OPEN = 20;

/** Settings that the page's sums depend on. */
export const SETTINGS = [
	"net.core.rmem_default",
	"net.core.somaxconn",
	"net.core.wmem_default",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.tcp_rmem",
	"net.ipv4.tcp_wmem",
] as const;

/** A machine that bounds nothing: the page says what is needed, and not what one machine has. */
export function factsOf({ machine, settings }: Recorded): Facts {
	return {
		...machine,
		nowMs: 0,
		uid: 0,
		isNetworkAdmin: false,
		mayRaiseLimits: false,
		isContainer: false,
		noSystemCalls: null,
		limits: {},
		openDescriptors: OPEN,
		settings,
		unread: {},
		availableBytes: machine.memoryBytes,
		swapBytes: 0,
		swapUsedBytes: 0,
		tcpBytes: null,
		udpBytes: null,
		tcpSockets: null,
		timeWait: null,
		memoryGroup: null,
		pidsGroup: null,
		ipv6: "none",
		names: [],
		namesLeftOut: 0,
		certificates: { problems: [], warnings: [], expiries: [] },
	};
}
