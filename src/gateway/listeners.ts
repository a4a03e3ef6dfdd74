/** The gateway's listening sockets: a set is opened whole or not at all, and carried over reloads. */
import { overlap } from "../config/bind-rules.js";
import type { Config, ListenerConfig } from "../config/config.js";
import {
	acceptQueue,
	type ConnectionOptions,
	closeDescriptor,
	openListener,
	setConnectionOptions,
	startListening,
} from "../kernel/sockets.js";
import { StartError } from "./errors.js";
import { addressBytes } from "./plan.js";

export interface OpenListener {
	readonly config: ListenerConfig;
	/** One descriptor per reactor. */
	readonly fds: readonly number[];
	/** The port, also when the config said 0. */
	readonly port: number;
	/** What an operator has said of it; stays over reloads, and goes with it. */
	readonly told: { rests: boolean };
}

/** By name. */
export type Listeners = ReadonlyMap<string, OpenListener>;

/**
 * The listeners of a config: those of `present` that it names too, and new ones. `admin`: where this process has its
 * admin pages, whatever the config says of them.
 *
 * @throws StartError, with nothing new left open, when one cannot be opened
 */
export function openListeners(
	config: Config,
	present: Listeners,
	reactors: number,
	admin: { readonly host: string; readonly port: number } | null,
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
			const address = listener.host === "*" ? null : addressBytes(listener.host);
			const { port, backlog } = listener;
			// What the same reload gives up.
			const succeeds = [...present.values()].some(
				(each) =>
					each.port === port && overlap(each.config.host, listener.host) && !named.has(each.config.name),
			);
			const bound = openListener(
				{ address, port, backlog, connection: connectionOptions(config, listener), succeeds },
				reactors,
			);
			const entry = { config: listener, ...bound, told: { rests: false } };
			opened.push(entry);
			listeners.set(listener.name, entry);
		} catch (error) {
			for (const { fds } of opened) fds.forEach(closeDescriptor);
			if (admin !== null && admin.port === listener.port && overlap(admin.host, listener.host))
				throw StartError.heldByAdmin(listener.name);
			throw StartError.listening(listener.name, listener.port, error);
		}
	}
	return listeners;
}

/** Closes what `before` has and `after` has not. */
export function closeListeners(before: Listeners, after: Listeners = new Map()): void {
	for (const [name, { fds }] of before) if (!after.has(name)) fds.forEach(closeDescriptor);
}

/** Gives open listeners the backlog and socket options of a new config; accepted connections inherit the latter. */
export function retune(listeners: Listeners, config: Config): void {
	for (const listener of listeners.values()) {
		for (const fd of listener.fds) {
			setConnectionOptions(fd, connectionOptions(config, listener.config));
			startListening(fd, listener.config.backlog);
		}
	}
}

function connectionOptions({ keepalive, sockets }: Config, { deadlines }: ListenerConfig): ConnectionOptions {
	return { keepalive: { ...keepalive, userTimeoutMs: deadlines.userTimeoutMs }, sockets };
}

/** Connections waiting to be accepted, and how many may, over all reactors. */
export function acceptQueues(listeners: Listeners): { listener: string; depth: number; limit: number }[] {
	return [...listeners.values()].map(({ config, fds }) => {
		const queues = fds.map(acceptQueue);
		return {
			listener: config.name,
			depth: queues.reduce((sum, queue) => sum + queue.depth, 0),
			limit: queues.reduce((sum, queue) => sum + queue.limit, 0),
		};
	});
}
