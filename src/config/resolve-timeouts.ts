/** Deadlines from the general to the special: all sessions, those of a listener, of an upstream, of a route. The last one that says something wins. */
import type { Deadlines, RoutedTimeouts, Timeouts } from "./config.js";
import * as defaults from "./defaults.js";
import type { ConfigFile } from "./schema.js";
import { usualUserTimeoutMs } from "./user-timeout.js";

type TimeoutsFile = NonNullable<ConfigFile["timeouts"]>;
type RoutedFile = Pick<
	TimeoutsFile,
	"connect" | "idle" | "stall" | "half_closed" | "lifetime" | "response_head"
>;

export type ListenerTimeoutsFile = Omit<TimeoutsFile, "drain">;

export function resolveTimeouts(file: TimeoutsFile = {}): Timeouts {
	const handshakeMs = file.handshake ?? defaults.timeouts.handshakeMs;
	return {
		...defaults.timeouts,
		...routedTimeouts(file),
		handshakeMs,
		drainMs: file.drain ?? defaults.timeouts.drainMs,
		requestHeadMs: file.request_head ?? defaults.timeouts.requestHeadMs,
		keepAliveMs: file.keep_alive ?? defaults.timeouts.keepAliveMs,
		silenceMs: file.silence ?? usualSilenceMs(defaults.timeouts.silenceMs, handshakeMs),
	};
}

/** Who shortens the handshake need not know of silence, which must be shorter still. */
function usualSilenceMs(silenceMs: number, handshakeMs: number): number {
	return Math.min(silenceMs, Math.max(1, Math.floor(handshakeMs / 2)));
}

/** A listener's, over the general ones. */
export function listenerTimeouts(general: Timeouts, file: ListenerTimeoutsFile = {}): Timeouts {
	const handshakeMs = file.handshake ?? general.handshakeMs;
	return {
		...general,
		...routedTimeouts(file),
		handshakeMs,
		requestHeadMs: file.request_head ?? general.requestHeadMs,
		keepAliveMs: file.keep_alive ?? general.keepAliveMs,
		silenceMs:
			file.silence ??
			(file.handshake === undefined ? general.silenceMs : usualSilenceMs(general.silenceMs, handshakeMs)),
	};
}

/** Only what the file says. */
export function routedTimeouts(file: RoutedFile = {}): Partial<RoutedTimeouts> {
	const { connect, idle, stall, half_closed: halfClosed, lifetime, response_head: responseHead } = file;
	return {
		...(connect === undefined ? {} : { connectMs: connect }),
		...(idle === undefined ? {} : { idleMs: idle }),
		...(stall === undefined ? {} : { stallMs: stall }),
		...(halfClosed === undefined ? {} : { halfClosedMs: halfClosed }),
		...(lifetime === undefined ? {} : { lifetimeMs: lifetime === "off" ? 0 : lifetime }),
		...(responseHead === undefined ? {} : { responseHeadMs: responseHead }),
	};
}

/**
 * Of visitors of tunnels, over those of their listener. `before`: what the file says more generally, which the defaults of tunnels give
 * way to.
 */
export function tunnelTimeouts(
	file: RoutedFile | undefined,
	before: readonly (RoutedFile | undefined)[],
): Partial<RoutedTimeouts> {
	const said: Partial<RoutedTimeouts> = Object.assign({}, ...before.map(routedTimeouts));
	const { idleMs, responseHeadMs } = defaults.tunnels.timeouts;
	return {
		...(said.idleMs === undefined ? { idleMs } : {}),
		...(said.responseHeadMs === undefined ? { responseHeadMs } : {}),
		...routedTimeouts(file),
	};
}

/** How deadlines become what sessions are held to: the kernel's own depends on `stall`. */
export type Holding = (timeouts: Timeouts) => Deadlines;

export function holding(file: ConfigFile["keepalive"]): Holding {
	const probedMs = probedMsOf(file);
	return (timeouts) => ({
		timeouts,
		userTimeoutMs: file?.user_timeout ?? usualUserTimeoutMs(probedMs, timeouts.stallMs),
	});
}

/** Silence until a peer is given up that answers no probe. */
function probedMsOf(file: ConfigFile["keepalive"]): number {
	const idleSeconds = file?.idle ?? defaults.keepalive.idleSeconds;
	const intervalSeconds = file?.interval ?? defaults.keepalive.intervalSeconds;
	return (idleSeconds + (file?.probes ?? defaults.keepalive.probes) * intervalSeconds) * 1_000;
}
