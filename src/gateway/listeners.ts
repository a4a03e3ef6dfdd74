/** The gateway's listening sockets: a set is opened whole or not at all, and carried over reloads. */
import { isWildcard, overlap } from "../config/bind-rules.js";
import type { Config, ListenerConfig } from "../config/config.js";
import { AF_INET, AF_INET6, EADDRINUSE } from "../kernel/constants.js";
import { setPathProbing } from "../kernel/datagram-options.js";
import { type DatagramListenerOptions, openDatagramListener } from "../kernel/datagram-sockets.js";
import { type HalfOpen, halfOpenConnections } from "../kernel/half-open.js";
import {
	acceptQueue,
	type ConnectionOptions,
	closeDescriptor,
	openListener,
	SystemError,
	setConnectionOptions,
	startListening,
} from "../kernel/sockets.js";
import { formatAddress } from "../protocol/index.js";
import { StartError } from "./errors.js";
import { Inherited, openShared } from "./inherited.js";
import { addressBytes } from "./plan.js";

export interface OpenListener {
	readonly config: ListenerConfig;
	/** One descriptor per reactor. */
	readonly fds: readonly number[];
	/** What its unit calls the socket that all of them are of; absent: each is a socket of its own. */
	readonly inheritedAs?: string;
	/** The port, also when the config said 0. */
	readonly port: number;
	/** What an operator has said of it; stays over reloads, and goes with it. */
	readonly told: { rests: boolean };
}

/** An address and its port, as they are bound. */
export interface Place {
	readonly host: string;
	readonly port: number;
}

/** By name. */
export type Listeners = ReadonlyMap<string, OpenListener>;

/**
 * The listeners of a config: those of `present` that it names too, and new ones. `admin`: where this process has its
 * admin pages, whatever the config says of them. `inherited`: sockets that are open already.
 *
 * @throws StartError, with nothing new left open, when one cannot be opened
 */
export function openListeners(
	config: Config,
	present: Listeners,
	reactors: number,
	admin: Place | null,
	inherited: Inherited = NONE_INHERITED,
): Listeners {
	const listeners = new Map<string, OpenListener>();
	const opened: OpenListener[] = [];
	const named = new Set(config.listeners.map(({ name }) => name));
	for (const listener of config.listeners) {
		const known = present.get(listener.name);
		if (known !== undefined) {
			listeners.set(listener.name, { ...known, config: listener });
			continue;
		}
		if (listener.isForOwnLines === true) {
			listeners.set(listener.name, { config: listener, fds: [], port: 0, told: { rests: false } });
			continue;
		}
		try {
			// What the same reload gives up.
			const succeeds = [...present.values()].some(
				(each) =>
					each.port === listener.port &&
					isForDatagrams(each.config) === isForDatagrams(listener) &&
					overlap(each.config.host, listener.host) &&
					!named.has(each.config.name),
			);
			const bound = openOne(config, listener, succeeds, reactors, inherited);
			const entry = { config: listener, ...bound, told: { rests: false } };
			opened.push(entry);
			listeners.set(listener.name, entry);
		} catch (error) {
			for (const { fds } of opened) fds.forEach(closeDescriptor);
			if (
				!isForDatagrams(listener) &&
				admin !== null &&
				admin.port === listener.port &&
				overlap(admin.host, listener.host)
			)
				throw StartError.heldByAdmin(listener.name);
			const obstacle = inherited.obstacleTo(listener);
			if (obstacle !== undefined && isTaken(error)) throw StartError.heldByManager(listener.name, obstacle);
			throw StartError.listening(listener.name, listener.port, error);
		}
	}
	return listeners;
}

function openOne(
	config: Config,
	listener: ListenerConfig,
	succeeds: boolean,
	reactors: number,
	inherited: Inherited,
): Pick<OpenListener, "fds" | "port" | "inheritedAs"> {
	const { host, port, backlog } = listener;
	const address = host === "*" ? null : addressBytes(host);
	if (isForDatagrams(listener))
		return openDatagramListener(datagramOptions(config, listener, address, succeeds), reactors);
	const connection = connectionOptions(config, listener);
	const socket = inherited.socketOf(listener);
	if (socket !== undefined)
		return { ...openShared(socket, backlog, connection, reactors), inheritedAs: socket.name };
	return openListener({ address, port, backlog, connection, succeeds }, reactors);
}

const NONE_INHERITED = new Inherited([]);

function isTaken(error: unknown): boolean {
	return error instanceof SystemError && error.errno === EADDRINUSE;
}

/** A descriptor for each of its queues. */
export function queuesOf({ fds, inheritedAs }: OpenListener): readonly number[] {
	return inheritedAs === undefined ? fds : fds.slice(0, 1);
}

/** Gives open listeners the backlog and socket options of a new config; accepted connections inherit the latter. */
export function retune(listeners: Listeners, config: Config): void {
	for (const listener of listeners.values()) {
		if (isForDatagrams(listener.config)) {
			for (const fd of listener.fds) setPathProbing(fd, speaksQuic(listener.config));
			continue;
		}
		for (const fd of listener.fds) {
			setConnectionOptions(fd, connectionOptions(config, listener.config));
			startListening(fd, listener.config.backlog);
		}
	}
}

export function isForDatagrams({ datagrams }: ListenerConfig): boolean {
	return datagrams !== undefined;
}

/**
 * Clients of QUIC may come, who find out for themselves how long datagrams may be. Those of tunnels may at any time: no reload says when an
 * agent opens one.
 */
function speaksQuic({ routes }: ListenerConfig): boolean {
	return routes.some(
		({ sni, alpn, protocol, noTunnel }) =>
			sni !== null || alpn !== null || protocol?.includes("quic") === true || noTunnel === true,
	);
}

function datagramOptions(
	{ sockets }: Config,
	listener: ListenerConfig,
	address: Uint8Array | null,
	succeeds: boolean,
): DatagramListenerOptions {
	return {
		...{ address, port: listener.port, bindsAny: isWildcard(listener.host), succeeds },
		...{ receiveBytes: sockets.receiveBytes, probesPath: speaksQuic(listener) },
	};
}

function connectionOptions({ keepalive, sockets }: Config, { deadlines }: ListenerConfig): ConnectionOptions {
	return { keepalive: { ...keepalive, userTimeoutMs: deadlines.userTimeoutMs }, sockets };
}

/** Connections waiting to be accepted, and how many may, over all reactors. */
export function acceptQueues(listeners: Listeners): { listener: string; depth: number; limit: number }[] {
	const streams = [...listeners.values()].filter(({ config }) => !isForDatagrams(config));
	return streams.map((listener) => {
		const queues = queuesOf(listener).map(acceptQueue);
		return {
			listener: listener.config.name,
			depth: queues.reduce((sum, queue) => sum + queue.depth, 0),
			limit: queues.reduce((sum, queue) => sum + queue.limit, 0),
		};
	});
}

/** Connections of each listener whose handshake is not over. */
export function halfOpen(listeners: Listeners): { listener: string; count: number }[] {
	const streams = [...listeners.values()].filter(
		({ config, fds }) => !isForDatagrams(config) && fds.length > 0,
	);
	const all = halfOpenConnections(new Set(streams.flatMap(({ config }) => familiesOf(config.host))));
	return streams.map((listener) => ({
		listener: listener.config.name,
		count: all.reduce((sum, each) => sum + (isTo(listener, each) ? each.count : 0), 0),
	}));
}

/** Where there is no IPv6, every address is every one of IPv4. */
function familiesOf(host: string): readonly number[] {
	if (host === "*") return [AF_INET, AF_INET6];
	return [host.includes(":") ? AF_INET6 : AF_INET];
}

/** Listeners of one port have addresses that do not overlap. */
function isTo({ config, port }: OpenListener, { address, port: toPort }: HalfOpen): boolean {
	return port === toPort && overlap(config.host, formatAddress(address, 0, address.length === 4 ? 4 : 6));
}
