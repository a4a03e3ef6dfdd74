/** `timeouts`: of all sessions, and of those of one listener, upstream or route, which may have their own. */

import { z } from "zod";
import * as defaults from "./defaults.js";
import { InvalidValue } from "./errors.js";
import { duration, expected, offMeant, section } from "./schema-values.js";
import { offWord } from "./switches.js";
import { formatDuration, parseDuration } from "./units.js";

/** What holds where nothing is said, in words: a listener, an upstream and a route have no default of their own. */
type Instead =
	| "as usual"
	| "that of `timeouts`"
	| "that of the listener"
	| "that of the upstream, or of the listener";

function told(instead: Instead, usual: string, description: string) {
	return instead === "as usual"
		? { description, default: usual }
		: { description: `${description} Default: ${instead}.` };
}

function deadline(instead: Instead, usualMs: number, description: string) {
	return duration()
		.optional()
		.meta(told(instead, formatDuration(usualMs), description));
}

const lifetimeDuration = (text: string): number => {
	try {
		return parseDuration(text);
	} catch (error) {
		if (/^0+\s*[a-z]*$/.test(text)) throw new InvalidValue(`no time at all: write off instead of ${text}`);
		const off = offMeant(text);
		if (off !== "") throw new InvalidValue(`expected a duration such as 12h, or off, found "${text}"${off}`);
		throw error instanceof InvalidValue ? new InvalidValue(`${error.message}, or off`) : error;
	}
};

function lifetime(instead: Instead) {
	const description =
		"Whole life of a session, however busy. Then it is closed as lifetime. `off`: sessions may live for ever.";
	return z
		.union([offWord(), duration(lifetimeDuration)], {
			error: expected(
				"a duration such as 12h, or off",
				(input) =>
					offMeant(input) ||
					(typeof input === "number" && input > 0 ? `: write ${input}s or ${input}ms` : ""),
			),
		})
		.optional()
		.meta(told(instead, "off", description));
}

/** What a session has once it is routed: of these a route and an upstream may have their own. */
const routed = (instead: Instead) => ({
	connect: deadline(
		instead,
		defaults.timeouts.connectMs,
		"Until an upstream address accepts; then the next address is tried, and after the last the session is closed as connect_timeout.",
	),
	idle: deadline(
		instead,
		defaults.timeouts.idleMs,
		`No byte in either direction. Then the session is closed as idle_timeout. Listeners on UDP are not held to the general one: where they, their upstream and their route say nothing, it is ${formatDuration(defaults.datagrams.idleMs)}, and ${formatDuration(defaults.datagrams.quicIdleMs)} for QUIC.`,
	),
	stall: deadline(
		instead,
		defaults.timeouts.stallMs,
		"Bytes wait and their reader takes none. Then the session is closed as stall_timeout.",
	),
	half_closed: deadline(
		instead,
		defaults.timeouts.halfClosedMs,
		"One direction has ended and the other is silent. Then the session is closed as half_closed_timeout.",
	),
	lifetime: lifetime(instead),
	response_head: deadline(
		instead,
		defaults.timeouts.responseHeadMs,
		"HTTP: from the end of a request until the upstream begins to answer. Then 504, and response_timeout.",
	),
});

/** What a connection has before it is routed as well, and between its requests. */
const accepted = (instead: Instead) => ({
	handshake: deadline(
		instead,
		defaults.timeouts.handshakeMs,
		"From accept until the connection can be routed, the PROXY header included. Then it is closed as handshake_timeout.",
	),
	...routed(instead),
	request_head: deadline(
		instead,
		defaults.timeouts.requestHeadMs,
		"HTTP: from the first byte of a request's head to its last; bytes do not renew it. The first head of a connection has `handshake`. Then 408, and request_timeout.",
	),
	keep_alive: deadline(
		instead,
		defaults.timeouts.keepAliveMs,
		"HTTP: between two requests of a connection. Then it is closed as idle_timeout.",
	),
	silence: deadline(
		instead,
		defaults.timeouts.silenceMs,
		"A client that has said nothing for this long takes the first `protocol: any` route; one that has said what does not tell its protocol counts as `other`. Must be shorter than handshake; where nothing is said, it is half of it at the most.",
	),
});

export const timeouts = section({
	...accepted("as usual"),
	drain: deadline(
		"as usual",
		defaults.timeouts.drainMs,
		"After SIGTERM, how long running sessions may finish. What is left then is closed as drained.",
	),
});

export const listenerTimeouts = section(accepted("that of `timeouts`"))
	.optional()
	.describe("Deadlines of this listener's sessions, instead of the general timeouts.");

export const upstreamTimeouts = section(routed("that of the listener"))
	.optional()
	.describe(
		"Deadlines of sessions, and of requests, that go to this upstream, instead of their listener's timeouts.",
	);

export const tunnelTimeouts = section(routed("that of the listener"))
	.optional()
	.describe(
		`Deadlines of visitors of tunnels, instead of their listener's. Where nobody says anything, idle is ${formatDuration(defaults.tunnels.timeouts.idleMs)} and response_head ${formatDuration(defaults.tunnels.timeouts.responseHeadMs)}.`,
	);

export const routeTimeouts = section(routed("that of the upstream, or of the listener"))
	.optional()
	.describe("Deadlines of what takes this route, instead of its upstream's and its listener's timeouts.");
