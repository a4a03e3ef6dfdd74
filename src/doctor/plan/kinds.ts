/** What one of each kind takes that a gateway holds, and how many of that kind alone this machine has room for. */
import { type Asked, datagrams, streams } from "../asked.js";
import { sessionsByDescriptors } from "../checks/descriptors.js";
import { portsOf, sessionsByAllPorts } from "../checks/ports.js";
import { numberOf, numbersOf } from "../facts.js";
import { rowBytes } from "../row-bytes.js";
import { DATAGRAM_SOCKET_BYTES, FILES_SPARE, SOCKET_BYTES, TLS_BYTES, WATCH_BYTES } from "./assumed.js";
import type { Measured } from "./measured.js";

/** Bytes of one, by whose they are and when. */
export interface Kind {
	readonly id: "session" | "datagrams" | "line" | "subscriber";
	readonly name: string;
	/** The configuration has such: without it they are only there to be compared. */
	readonly isUsed: boolean;
	readonly descriptors: number;
	/** Its sockets and their watches, of the kernel, while nothing is under way. */
	readonly kernelIdle: number;
	/** Its buffers as they begin, and as large as they may grow, all full. */
	readonly kernelBusy: number;
	readonly kernelMost: number;
	/** Of the process: rows of the table, what TLS keeps, what a client of datagrams is known by. */
	readonly user: number;
	/** How many of it alone there is room for, and what gives out then; `null`: nothing that was read bounds them. */
	readonly first: { readonly id: string; readonly at: number } | null;
}

/** Memory that is left for them. */
export function kindsOf(asked: Asked, measured: Measured, leftBytes: number, limit: number): Kind[] {
	const { config } = asked;
	const rows = rowBytes();
	const stream = (measured.socketBytes ?? SOCKET_BYTES) + WATCH_BYTES;
	const datagram = (measured.datagramSocketBytes ?? DATAGRAM_SOCKET_BYTES) + WATCH_BYTES;
	const tls = rows.tls + TLS_BYTES;
	const hasTls = streams(config).some(({ certificates }) => certificates.length > 0);
	const readsRequests = config.listeners.some((listener) => listener.readsRequests);
	const buffers = streamBuffers(asked);
	const kind = (
		id: Kind["id"],
		name: string,
		isUsed: boolean,
		sockets: number,
		each: { readonly idle: number; readonly usual: number; readonly most: number },
		user: number,
	): Kind => {
		const kernelIdle = sockets * each.idle;
		const bytes = {
			kernelIdle,
			kernelBusy: kernelIdle + sockets * each.usual,
			kernelMost: kernelIdle + sockets * each.most,
			user,
		};
		const idle = kernelIdle + user;
		const first = firstOf([
			["limit", limit],
			...byDescriptors(asked, sockets),
			...byPorts(asked, id),
			["memory-idle", Math.floor(leftBytes / idle)],
		]);
		return { id, name, isUsed, descriptors: sockets, ...bytes, first };
	};
	const streamed = { idle: stream, ...buffers };
	const sessionUser = rows.relayed + (readsRequests ? rows.requests : 0) + (hasTls ? tls : 0);
	const lineUser = rows.line + (config.tunnels?.tls === null ? 0 : tls);
	const subscriberUser = rows.subscriber + (hasTls ? tls : 0);
	return [
		kind("session", "session", streams(config).length > 0, 2, streamed, sessionUser),
		kind(
			"datagrams",
			"session of datagrams",
			datagrams(config).length > 0,
			1,
			{ idle: datagram, ...datagramBuffers(asked) },
			rows.relayed + rows.flow,
		),
		kind("line", "line, parked", config.tunnels !== null, 1, streamed, lineUser),
		kind("subscriber", "subscriber", config.hub !== null, 1, streamed, subscriberUser),
	];
}

/** Of one TCP socket, full. */
export function streamBuffers({ config, facts }: Asked): { readonly usual: number; readonly most: number } {
	const { receiveBytes, sendBytes } = config.sockets;
	const of = (index: 1 | 2): number =>
		// Of a size that is fixed the kernel reckons twice as much, for what it needs itself.
		(receiveBytes === null ? (numbersOf(facts, "net.ipv4.tcp_rmem")[index] ?? 0) : 2 * receiveBytes) +
		(sendBytes === null ? (numbersOf(facts, "net.ipv4.tcp_wmem")[index] ?? 0) : 2 * sendBytes);
	return { usual: of(1), most: of(2) };
}

/** Of one UDP socket towards an upstream: nothing tunes these, they stay as they begin. */
function datagramBuffers({ facts }: Asked): { readonly usual: number; readonly most: number } {
	const usual =
		(numberOf(facts, "net.core.rmem_default") ?? 0) + (numberOf(facts, "net.core.wmem_default") ?? 0);
	return { usual, most: usual };
}

type Bound = readonly [id: string, at: number];

function firstOf(bounds: readonly Bound[]): Kind["first"] {
	const [first] = bounds.filter(([, at]) => Number.isFinite(at)).toSorted(([, a], [, b]) => a - b);
	return first === undefined ? null : { id: first[0], at: first[1] };
}

/** The table has a row for each two descriptors that there may be, whatever takes it. */
function byDescriptors(asked: Asked, each: number): Bound[] {
	const { facts } = asked;
	const files = (numberOf(facts, "fs.file-max") ?? Number.POSITIVE_INFINITY) - FILES_SPARE;
	const watches = numberOf(facts, "fs.epoll.max_user_watches") ?? Number.POSITIVE_INFINITY;
	const open = numbersOf(facts, "fs.file-nr")[0] ?? 0;
	const room = (left: number): number => Math.max(0, Math.floor(left / each));
	return [
		...(facts.limits["open files"] === undefined
			? []
			: [["descriptors", sessionsByDescriptors(asked)] as const]),
		["file-max", room(files - open)],
		["epoll-watches", room(watches)],
	];
}

/** Lines and subscribers are connections that came: they have the port that they came to. */
function byPorts({ config, facts }: Asked, id: Kind["id"]): Bound[] {
	const ports = portsOf(facts);
	if (ports === null) return [];
	const upstreams = config.upstreams.filter((upstream) => upstream.datagrams === undefined);
	if (id === "session") return [["ports", sessionsByAllPorts({ ...config, upstreams }, facts)]];
	return id === "datagrams" ? [["ports", ports]] : [];
}
