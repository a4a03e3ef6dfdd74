/** Deadlines that contradict each other, wherever each of them stands; and those that nothing would be held to. */
import { takesDatagrams } from "./datagram-rules.js";
import * as defaults from "./defaults.js";
import { REJECT } from "./names.js";
import { attempt, list, type Mapping, mapping } from "./plain.js";
import type { Path, Report } from "./source.js";
import { formatDuration, parseDuration } from "./units.js";

/** `takeNone`: targets that take no requests. */
export function checkTimeouts(file: Mapping, takeNone: ReadonlySet<string>, report: Report): void {
	const { timeouts: general, listeners, upstreams, keepalive, tunnels } = file;
	const userTimeoutMs = attempt(mapping(keepalive)["user_timeout"], parseDuration);
	const check = (timeouts: unknown, path: Path): void => checkStall(timeouts, path, userTimeoutMs, report);
	checkSilence(general, {}, ["timeouts"], report);
	// Where nobody says anything the default holds, and the general place is to blame.
	check({ stall: formatDuration(defaults.timeouts.stallMs), ...mapping(general) }, []);
	check(mapping(tunnels)["timeouts"], ["tunnels"]);
	for (const [name, value] of Object.entries(mapping(upstreams))) {
		const { timeouts, http, udp } = mapping(value);
		const path = ["upstreams", name];
		check(timeouts, path);
		if (http === undefined && udp === undefined) checkResponseHead(timeouts, path, `"${name}"`, report);
	}
	for (const [index, value] of list(listeners).entries()) {
		const { timeouts, routes } = mapping(value);
		const path = ["listeners", index];
		// What means nothing there is told elsewhere.
		const none: ReadonlySet<string> = takesDatagrams(mapping(value)) ? new Set() : takeNone;
		checkSilence(timeouts, mapping(general), [...path, "timeouts"], report);
		check(timeouts, path);
		for (const [position, route] of list(routes).entries())
			checkRoute(mapping(route), [...path, "routes", position], none, check, report);
	}
}

function checkRoute(
	{ timeouts, to }: Mapping,
	path: Path,
	takeNone: ReadonlySet<string>,
	check: (timeouts: unknown, path: Path) => void,
	report: Report,
): void {
	if (timeouts === undefined) return;
	check(timeouts, path);
	if (to === REJECT)
		report.problem(
			[...path, "timeouts"],
			'"timeouts" does nothing with "to: reject": what takes this route is closed at once; remove it',
			"key",
		);
	else if (typeof to === "string" && takeNone.has(to)) checkResponseHead(timeouts, path, `"${to}"`, report);
}

function checkResponseHead(timeouts: unknown, path: Path, name: string, report: Report): void {
	if (mapping(timeouts)["response_head"] === undefined) return;
	report.problem(
		[...path, "timeouts", "response_head"],
		`"response_head" holds for requests, and ${name} takes none: name an upstream with "http", or remove it`,
		"key",
	);
}

/** `general`: what holds where the listener says nothing. */
function checkSilence(timeouts: unknown, general: Mapping, path: Path, report: Report): void {
	const { silence, handshake } = mapping(timeouts);
	const silenceMs = attempt(silence, parseDuration);
	const handshakeMs =
		attempt(handshake, parseDuration) ??
		attempt(general["handshake"], parseDuration) ??
		defaults.timeouts.handshakeMs;
	if (silenceMs === null || silenceMs < handshakeMs) return;
	report.problem(
		[...path, "silence"],
		`silence must be shorter than handshake (${formatDuration(handshakeMs)}): otherwise a silent client is closed before it is routed`,
	);
}

/** A living reader that takes nothing would be closed as if it were dead. `path`: `[]` for the general ones. */
function checkStall(timeouts: unknown, path: Path, userTimeoutMs: number | null, report: Report): void {
	const stallMs = attempt(mapping(timeouts)["stall"], parseDuration);
	if (userTimeoutMs === null || stallMs === null || userTimeoutMs > stallMs) return;
	const [own, what] =
		path.length === 0
			? [["keepalive", "user_timeout"], `timeouts.stall (${formatDuration(stallMs)})`]
			: [[...path, "timeouts", "stall"], `this stall (${formatDuration(stallMs)})`];
	report.problem(
		own,
		`user_timeout must be longer than ${what}: the kernel would reset a slow reader as if it were dead; lengthen it, or shorten stall`,
	);
}
