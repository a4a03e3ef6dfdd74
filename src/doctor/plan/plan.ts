/** The plan for a number of sessions: what they need, what there is of it, and what gives out first. Pure arithmetic. */
import type { Config } from "../../config/config.js";
import { descriptorsFor } from "../../gateway/descriptors.js";
import { DESCRIPTORS_USED } from "../../kernel/sockets.js";
import { type Asked, datagrams } from "../asked.js";
import { backlogs } from "../checks/accept-queues.js";
import { ENTRIES, isTracking } from "../checks/conntrack.js";
import { descriptorsNeeded, sessionsByDescriptors } from "../checks/descriptors.js";
import { memoryLimit, PROCESS_BYTES, sessionMemoryLimit } from "../checks/memory.js";
import { portsOf, sessionsByAllPorts } from "../checks/ports.js";
import { tcpMemoryMax } from "../checks/socket-memory.js";
import { type Facts, numberOf, numbersOf } from "../facts.js";
import { rowBytes } from "../row-bytes.js";
import { FILES_SPARE, SOCKET_BYTES, TLS_BYTES, WATCH_BYTES } from "./assumed.js";
import { type Kind, kindsOf, streamBuffers } from "./kinds.js";
import type { Measured } from "./measured.js";

/** Something of which there is only so much. */
export interface Resource {
	readonly id: string;
	readonly name: string;
	/** For all sessions that are asked for; `null`: that is no sum. */
	readonly needs: number | null;
	readonly has: number | null;
	readonly unit: "descriptors" | "bytes" | "ports" | "entries" | "watches" | "sessions";
	/** Sessions at which it gives out; `null`: no number of sessions uses it up. */
	readonly givesOutAt: number | null;
	/** `false`: the sessions are there all the same, but not with all their buffers full. */
	readonly isBound: boolean;
}

/** Bytes of one session. */
export interface SessionBytes {
	/** Both sockets and their watches, of the kernel, while nothing is under way. */
	readonly kernelIdle: number;
	/** Its buffers as they begin, and as large as they may grow, all full. */
	readonly kernelBusy: number;
	readonly kernelMost: number;
	/** Of the process: rows of the table, and what TLS keeps. */
	readonly user: number;
	/** Kernel memory of an idle socket was not measured here. */
	readonly isAssumed: boolean;
}

export interface Plan {
	readonly connections: number;
	readonly resources: readonly Resource[];
	/** What gives out first of all that bounds sessions; `null`: nothing does. */
	readonly first: { readonly id: string; readonly at: number } | null;
	readonly perSession: SessionBytes;
	/** Of each kind that a gateway holds. */
	readonly kinds: readonly Kind[];
	/** Of all sessions, idle: the kernel's and the process's, with the process itself. */
	readonly idleBytes: number;
	readonly rates: {
		/** Of all reactors. `null`: not measured. */
		readonly acceptsPerSecond: number | null;
		/** The same, routed and relayed: by what these cost elsewhere. */
		readonly sessionsPerSecond: number | null;
		readonly handshakesPerSecond: number | null;
		readonly key: string;
		/** For all to come back, as after a restart. */
		readonly sessionsSeconds: number | null;
		readonly handshakesSeconds: number | null;
		/** How many may wait to be accepted meanwhile. */
		readonly queue: number;
	};
	readonly measured: Measured;
}

/**
 * A new session that is recognised, routed, relayed and logged took 114 µs of a core (kernel 95, process 19) where a connection that is
 * only dialled, accepted and closed took 31.
 */
const ACCEPTS_PER_SESSION = 4;

/** Sockets of a session. */
const SOCKETS = 2;

export function planFor(asked: Asked, connections: number, measured: Measured): Plan {
	const perSession = sessionBytes(asked, measured);
	const resources = resourcesOf({ ...asked, connections }, connections, perSession);
	const bounds = resources.filter(({ isBound, givesOutAt }) => isBound && givesOutAt !== null);
	const first = bounds.toSorted((a, b) => (a.givesOutAt ?? 0) - (b.givesOutAt ?? 0))[0];
	return {
		connections,
		resources,
		first: first === undefined ? null : { id: first.id, at: first.givesOutAt ?? 0 },
		perSession,
		kinds: kindsOf(asked, measured, memoryLeft(asked), limitOf(asked)),
		idleBytes: processBytes(asked.config) + connections * (perSession.kernelIdle + perSession.user),
		rates: ratesOf(asked, connections, measured),
		measured,
	};
}

/** Sessions, but for those of datagrams, as this configuration has them. */
function sessionBytes(asked: Asked, { socketBytes }: Measured): SessionBytes {
	const { config } = asked;
	const rows = rowBytes();
	const readsRequests = config.listeners.some((listener) => listener.readsRequests);
	const terminates = config.listeners.some(({ certificates }) => certificates.length > 0);
	const buffers = streamBuffers(asked);
	const kernelIdle = SOCKETS * ((socketBytes ?? SOCKET_BYTES) + WATCH_BYTES);
	return {
		kernelIdle,
		kernelBusy: kernelIdle + SOCKETS * buffers.usual,
		kernelMost: kernelIdle + SOCKETS * buffers.most,
		user: rows.relayed + (readsRequests ? rows.requests : 0) + (terminates ? rows.tls + TLS_BYTES : 0),
		isAssumed: socketBytes === null,
	};
}

/** What there is without any session: the process, what may wait in its buffers, and the hub's log. */
function processBytes({ limits, hub }: Config): number {
	return PROCESS_BYTES + limits.bufferedBytes + (hub?.memoryBytes ?? 0);
}

function resourcesOf(asked: Asked, connections: number, session: SessionBytes): Resource[] {
	const { facts } = asked;
	return [
		{
			...bound("descriptors", "descriptors of the process", "descriptors"),
			needs: descriptorsNeeded(asked),
			has: finite(facts.limits["open files"]?.hard),
			givesOutAt: facts.limits["open files"] === undefined ? null : sessionsByDescriptors(asked),
		},
		{
			...bound("limit", "limits.connections", "sessions"),
			needs: connections,
			has: limitOf(asked),
			givesOutAt: limitOf(asked),
		},
		...ofFiles(asked, connections),
		...ofWatches(facts, connections),
		...ofPorts(asked, connections),
		...ofConntrack(facts, connections),
		...ofMemory(asked, connections, session),
	];
}

/** As the file says, or what the gateway makes of any limit of descriptors. */
function limitOf({ config, reactors, facts }: Asked): number {
	const { connections, fdReserve } = config.limits;
	const besides = descriptorsFor(0, fdReserve, reactors, config.listeners.length, facts.openDescriptors);
	return connections ?? Math.floor((DESCRIPTORS_USED - besides) / SOCKETS);
}

function bound(
	id: string,
	name: string,
	unit: Resource["unit"],
): Pick<Resource, "id" | "name" | "unit" | "isBound"> {
	return { id, name, unit, isBound: true };
}

function finite(amount: number | undefined): number | null {
	return amount === undefined || amount >= 2 ** 53 ? null : amount;
}

function ofFiles(asked: Asked, connections: number): Resource[] {
	const most = finite(numberOf(asked.facts, "fs.file-max"));
	if (most === null) return [];
	const left = Math.max(0, most - (numbersOf(asked.facts, "fs.file-nr")[0] ?? 0) - FILES_SPARE);
	const givesOutAt = Math.floor(left / SOCKETS);
	return [
		{
			...bound("file-max", "fs.file-max", "descriptors"),
			needs: SOCKETS * connections,
			has: left,
			givesOutAt,
		},
	];
}

function ofWatches(facts: Facts, connections: number): Resource[] {
	const most = numberOf(facts, "fs.epoll.max_user_watches");
	if (most === undefined) return [];
	const givesOutAt = Math.floor(most / SOCKETS);
	return [
		{
			...bound("epoll-watches", "epoll watches", "watches"),
			needs: SOCKETS * connections,
			has: most,
			givesOutAt,
		},
	];
}

function ofPorts({ config, facts }: Asked, connections: number): Resource[] {
	if (portsOf(facts) === null) return [];
	const all = sessionsByAllPorts(config, facts);
	const isAny = all === Number.POSITIVE_INFINITY;
	return [
		{
			...bound(
				"ports",
				datagrams(config).length > 0 ? "local ports, all upstreams" : "local ports to upstreams",
				"ports",
			),
			needs: isAny ? null : connections,
			has: isAny ? null : all,
			givesOutAt: isAny ? null : all,
		},
	];
}

function ofConntrack(facts: Facts, connections: number): Resource[] {
	const most = numberOf(facts, "net.netfilter.nf_conntrack_max");
	if (most === undefined || !isTracking(facts)) return [];
	const left = Math.max(0, most - (numberOf(facts, "net.netfilter.nf_conntrack_count") ?? 0));
	const givesOutAt = Math.floor(left / ENTRIES);
	return [
		{
			...bound("conntrack", "nf_conntrack_max", "entries"),
			needs: ENTRIES * connections,
			has: left,
			givesOutAt,
		},
	];
}

/** Idle sessions are bounded by the memory that there is; what lies in buffers, by what the kernel and `limits.memory` allow. */
function ofMemory(asked: Asked, connections: number, session: SessionBytes): Resource[] {
	const { facts } = asked;
	const idle = session.kernelIdle + session.user;
	const left = memoryLeft(asked);
	const busy = session.kernelBusy - session.kernelIdle;
	const most = session.kernelMost - session.kernelIdle;
	const buffers = Math.min(sessionMemoryLimit(asked), tcpMemoryMax(facts) ?? Number.POSITIVE_INFINITY);
	const full = (id: string, name: string, bytes: number): Resource[] =>
		bytes === 0
			? []
			: [
					{
						...bound(id, name, "bytes"),
						isBound: false,
						needs: bytes * connections,
						has: buffers,
						givesOutAt: Math.floor(buffers / bytes),
					},
				];
	return [
		{
			...bound("memory-idle", "memory, all idle", "bytes"),
			needs: idle * connections,
			has: left,
			givesOutAt: Math.floor(left / idle),
		},
		...full("memory-busy", "… usual buffers full", busy),
		...full("memory-most", "… largest buffers full", most),
	];
}

/** What there is for sessions, idle. */
function memoryLeft({ config, facts }: Asked): number {
	const all = Math.min(facts.availableBytes ?? Number.POSITIVE_INFINITY, memoryLimit(facts));
	return Math.max(0, all - processBytes(config));
}

function ratesOf(asked: Asked, connections: number, measured: Measured): Plan["rates"] {
	const cores = Math.min(asked.reactors, asked.facts.cores);
	const most = numberOf(asked.facts, "net.core.somaxconn") ?? Number.POSITIVE_INFINITY;
	const queue = backlogs(asked).reduce(
		(sum, { backlog }) => sum + Math.min(backlog, most) * asked.reactors,
		0,
	);
	const together = (rate: number | null): number | null => (rate === null ? null : rate * cores);
	const seconds = (rate: number | null): number | null =>
		rate === null ? null : Number((connections / (rate * cores)).toPrecision(2));
	const { acceptsPerSecond, handshakesPerSecond, key } = measured;
	const sessionsPerSecond =
		acceptsPerSecond === null ? null : Math.round(acceptsPerSecond / ACCEPTS_PER_SESSION);
	return {
		acceptsPerSecond: together(acceptsPerSecond),
		sessionsPerSecond: together(sessionsPerSecond),
		handshakesPerSecond: together(handshakesPerSecond),
		key,
		sessionsSeconds: seconds(sessionsPerSecond),
		handshakesSeconds: seconds(handshakesPerSecond),
		queue,
	};
}
