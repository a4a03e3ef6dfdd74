/** A route whose conditions are lists takes what one of several routes with single conditions would take: one for each combination. */
import { ROUTES_MAX } from "./bounds.js";
import type { RouteConditions, RouteConfig } from "./config.js";
import { CONDITIONS } from "./label.js";
import type { Mapping } from "./plain.js";

/** What reactors are told. */
export function alternativesOf(route: RouteConfig): RouteConditions[] {
	const { to, answer, requests, basicAuth, label } = route;
	const lists = Object.fromEntries(CONDITIONS.map((key) => [key, route[key]]));
	return combinations(lists).map((values) => ({
		...(values as unknown as Omit<RouteConditions, "to" | "answer" | "requests" | "basicAuth" | "label">),
		...{ to, answer, requests, label },
		...(basicAuth === undefined ? {} : { basicAuth }),
	}));
}

/** How many these are. */
export function countAlternatives(route: Mapping): number {
	return CONDITIONS.reduce((count, key) => {
		const value = route[key];
		return Array.isArray(value) ? count * Math.max(1, value.length) : count;
	}, 1);
}

/** Of a route as it is written. None of one that has more than there is room for, which is told elsewhere. */
export function writtenAlternatives(route: Mapping): Mapping[] {
	if (countAlternatives(route) > ROUTES_MAX) return [];
	const lists: Record<string, readonly unknown[]> = {};
	for (const key of CONDITIONS) {
		const value = route[key];
		if (Array.isArray(value)) lists[key] = value;
	}
	return combinations(lists).map((values) => ({ ...route, ...values }));
}

function combinations(lists: Readonly<Record<string, readonly unknown[] | null>>): Record<string, unknown>[] {
	let found: Record<string, unknown>[] = [{}];
	for (const [key, values] of Object.entries(lists))
		found = found.flatMap((before) => (values ?? [null]).map((value) => ({ ...before, [key]: value })));
	return found;
}
