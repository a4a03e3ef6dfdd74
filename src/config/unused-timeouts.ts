/**
 * Deadlines that are written and never come, because another one always comes first. A deadline is told only when that
 * holds wherever it applies, and only when the file says it: defaults give way without a word.
 */
import * as defaults from "./defaults.js";
import { HUB, REJECT, TUNNELS } from "./names.js";
import { mapping } from "./plain.js";
import { bytesTargets, readsRequests } from "./request-rules.js";
import type { ConfigFile } from "./schema.js";
import type { Path, Report } from "./source.js";
import { formatDuration } from "./units.js";

type Section = NonNullable<ConfigFile["timeouts"]>;
type Key = "idle" | "stall" | "half_closed" | "lifetime" | "response_head" | "request_head" | "keep_alive";

/** A deadline that holds somewhere. `path`: where it is written; null: it is the default. */
interface Held {
	readonly key: Key;
	/** Infinity: off. */
	readonly ms: number;
	readonly path: Path | null;
}

/** A section of the file, and where it stands; `null`: nowhere, for it is a default. */
type Level = readonly [section: Section | undefined, path: Path | null];

/** What holds for them where nobody says anything. */
const OF_TUNNELS: Level = [
	{ idle: defaults.tunnels.timeouts.idleMs, response_head: defaults.tunnels.timeouts.responseHeadMs },
	null,
];

export function checkUnusedTimeouts(file: ConfigFile, report: Report): void {
	const uses = new Uses();
	const takeNone = bytesTargets(file.upstreams);
	for (const [index, { listen, timeouts, routes }] of (file.listeners ?? []).entries()) {
		if (listen.transport === "udp") {
			useDatagrams(file, index, uses);
			continue;
		}
		const levels: Level[] = [
			[file.timeouts, ["timeouts"]],
			[timeouts, ["listeners", index, "timeouts"]],
		];
		if (readsRequests(routes, takeNone)) useBetweenRequests(levels, uses);
		for (const [position, route] of routes.entries()) {
			const { to } = route;
			if (typeof to !== "string" || to === REJECT) continue;
			const { timeouts: theirs } = mapping(file.upstreams?.[to]);
			const isTunnels = to === TUNNELS;
			const all: Level[] = [
				...(isTunnels ? [OF_TUNNELS] : []),
				...levels,
				isTunnels
					? [file.tunnels?.timeouts, ["tunnels", "timeouts"]]
					: [theirs as Section | undefined, ["upstreams", to, "timeouts"]],
				[route.timeouts, ["listeners", index, "routes", position, "timeouts"]],
			];
			if (to === HUB) {
				useSubscribed(all, uses);
				continue;
			}
			// Of tunnels it is the agent that says which.
			if (takeNone.has(to) || isTunnels) useRelayed(all, uses);
			if (!takeNone.has(to)) useExchanged(all, uses);
		}
	}
	const { tunnels } = file;
	// Visitors of ports that agents ask for come by no listener of the file.
	if (tunnels !== undefined)
		useRelayed(
			[OF_TUNNELS, [file.timeouts, ["timeouts"]], [tunnels.timeouts, ["tunnels", "timeouts"]]],
			uses,
		);
	uses.tell(report);
	checkGeneral(file, report);
}

/** Deadlines of the file as a whole that hold for datagrams as well. */
const OF_DATAGRAMS: ReadonlySet<string> = new Set(["handshake", "lifetime", "drain"]);

/** Where nothing but datagrams comes, most of them have nobody to be held against. */
function checkGeneral({ timeouts, listeners = [], tunnels }: ConfigFile, report: Report): void {
	if (tunnels !== undefined || listeners.some(({ listen }) => listen.transport === "tcp")) return;
	for (const key of Object.keys(timeouts ?? {}))
		if (!OF_DATAGRAMS.has(key))
			report.warning(
				["timeouts", key],
				`${key} does nothing here: it is of connections, and all listeners are on UDP; ${key === "idle" ? 'write it under "timeouts" of each of them' : "remove it"}`,
				"key",
			);
}

/** Datagrams: of the general deadlines `idle` does not hold. */
function useDatagrams(
	{ timeouts, listeners, upstreams, tunnels }: ConfigFile,
	index: number,
	uses: Uses,
): void {
	const listener = listeners?.[index];
	const { idle: _, ...general } = timeouts ?? {};
	for (const [position, route] of (listener?.routes ?? []).entries()) {
		const { to } = route;
		if (typeof to !== "string" || to === REJECT) continue;
		const { timeouts: theirs } = mapping(upstreams?.[to]);
		const levels: Level[] = [
			[general, ["timeouts"]],
			[listener?.timeouts, ["listeners", index, "timeouts"]],
			to === TUNNELS
				? [tunnels?.timeouts, ["tunnels", "timeouts"]]
				: [theirs as Section | undefined, ["upstreams", to, "timeouts"]],
			[route.timeouts, ["listeners", index, "routes", position, "timeouts"]],
		];
		const [idle, lifetime] = [held("idle", levels), held("lifetime", levels)];
		uses.note(idle, idle.ms >= lifetime.ms ? lifetime : null);
	}
}

/** Bytes: the lifetime ends a session at once, and it counts from accept, before all others. */
function useRelayed(levels: readonly Level[], uses: Uses): void {
	const lifetime = held("lifetime", levels);
	for (const key of ["idle", "half_closed", "stall"] as const) {
		const own = held(key, levels);
		uses.note(own, own.ms >= lifetime.ms ? lifetime : null);
	}
}

/** Subscribers: silence ends none, and the rest is of upstreams. */
function useSubscribed(levels: readonly Level[], uses: Uses): void {
	const [stall, lifetime] = [held("stall", levels), held("lifetime", levels)];
	uses.note(stall, stall.ms >= lifetime.ms ? lifetime : null);
}

/** Requests: an answer that is under way when the lifetime ends has `stall` to end as well. */
function useExchanged(levels: readonly Level[], uses: Uses): void {
	const lifetime = held("lifetime", levels);
	const stall = held("stall", levels);
	const idle = held("idle", levels);
	uses.note(stall, null);
	for (const own of [idle, held("half_closed", levels), held("response_head", levels)]) {
		// No byte moves while an answer is awaited.
		const sooner = own.key === "response_head" && own.ms > idle.ms ? idle : null;
		uses.note(own, own.ms >= lifetime.ms + stall.ms ? lifetime : sooner);
	}
}

/** Between two requests nothing is under way that would have to end. */
function useBetweenRequests(levels: readonly Level[], uses: Uses): void {
	const lifetime = held("lifetime", levels);
	for (const key of ["keep_alive", "request_head"] as const) {
		const own = held(key, levels);
		uses.note(own, own.ms >= lifetime.ms ? lifetime : null);
	}
}

const USUAL_MS: Readonly<Record<Key, number>> = {
	idle: defaults.timeouts.idleMs,
	stall: defaults.timeouts.stallMs,
	half_closed: defaults.timeouts.halfClosedMs,
	lifetime: Number.POSITIVE_INFINITY,
	response_head: defaults.timeouts.responseHeadMs,
	request_head: defaults.timeouts.requestHeadMs,
	keep_alive: defaults.timeouts.keepAliveMs,
};

/** What is said last holds. */
function held(key: Key, levels: readonly Level[]): Held {
	for (const [section, path] of levels.toReversed()) {
		const value = section?.[key];
		if (value === undefined) continue;
		return { key, ms: value === "off" ? Number.POSITIVE_INFINITY : value, path: path && [...path, key] };
	}
	return { key, ms: USUAL_MS[key], path: null };
}

/** Where each written deadline holds, and what comes before it there. */
class Uses {
	readonly #byPlace = new Map<string, { readonly own: Held; readonly before: Held | null }>();

	/** `before`: what always comes sooner than `own`; null: it may come first. */
	note(own: Held, before: Held | null): void {
		if (own.path === null) return;
		const place = own.path.map(String).join(" ");
		// One place where it may come first is enough.
		if (before === null || !this.#byPlace.has(place)) this.#byPlace.set(place, { own, before });
	}

	tell(report: Report): void {
		for (const { own, before } of this.#byPlace.values()) {
			if (before === null || own.path === null) continue;
			const where = before.path === null ? "the default" : `line ${report.lineOf(before.path)}`;
			report.warning(
				own.path,
				`${own.key} (${formatDuration(own.ms)}) never comes: ${before.key} (${formatDuration(before.ms)}, ${where}) ends the session before; shorten ${own.key}, or lengthen ${before.key}`,
			);
		}
	}
}
