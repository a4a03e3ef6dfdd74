/**
 * Deadlines that are written and never come, because another one always comes first. A deadline is told only when that
 * holds wherever it applies, and only when the file says it: defaults give way without a word.
 */
import * as defaults from "./defaults.js";
import { REJECT, TUNNELS } from "./names.js";
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

/** A section of the file, and where it stands. */
type Level = readonly [section: Section | undefined, path: Path];

export function checkUnusedTimeouts(file: ConfigFile, report: Report): void {
	const uses = new Uses();
	const takeNone = bytesTargets(file.upstreams);
	for (const [index, { timeouts, routes }] of (file.listeners ?? []).entries()) {
		const levels: Level[] = [
			[file.timeouts, ["timeouts"]],
			[timeouts, ["listeners", index, "timeouts"]],
		];
		if (readsRequests(routes, takeNone)) useBetweenRequests(levels, uses);
		for (const [position, route] of routes.entries()) {
			const { to } = route;
			if (typeof to !== "string" || to === REJECT) continue;
			const { timeouts: theirs } = mapping(file.upstreams?.[to]);
			const all: Level[] = [
				...levels,
				[theirs as Section | undefined, ["upstreams", to, "timeouts"]],
				[route.timeouts, ["listeners", index, "routes", position, "timeouts"]],
			];
			// Of tunnels it is the agent that says which.
			if (takeNone.has(to) || to === TUNNELS) useRelayed(all, uses);
			if (!takeNone.has(to)) useExchanged(all, uses);
		}
	}
	uses.tell(report);
}

/** Bytes: the lifetime ends a session at once, and it counts from accept, before all others. */
function useRelayed(levels: readonly Level[], uses: Uses): void {
	const lifetime = held("lifetime", levels);
	for (const key of ["idle", "half_closed", "stall"] as const) {
		const own = held(key, levels);
		uses.note(own, own.ms >= lifetime.ms ? lifetime : null);
	}
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
		return { key, ms: value === "off" ? Number.POSITIVE_INFINITY : value, path: [...path, key] };
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
