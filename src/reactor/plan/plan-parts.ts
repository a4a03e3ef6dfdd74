/**
 * A plan in messages that a reactor can take one per turn. Taking a message means to read it whole, and fifty thousand routes
 * at once would take a fifth of a second.
 */
import type { UpstreamPlan } from "../../upstream/plan.js";
import type { ListenerPlan, Plan, PlanPart, ReactorCommand } from "./plan.js";

// A message of so much is read in a quarter of a millisecond or so.
const ROUTES_PER_PART = 64;
/** An entry holds what is in its files: a few kilobytes. */
const ENTRIES_PER_PART = 16;
/** An address of TLS carries its authorities with it, tens of kilobytes where the file has many. */
const ADDRESSES_PER_PART = 64;
const SECURED_PER_PART = 4;

/** The plan, behind those of its parts that would make it too long. */
export function planCommands(plan: Plan): ReactorCommand[] {
	const parts: PlanPart[] = [];
	const listeners = plan.listeners.map((listener) => {
		for (const routes of slices(listener.routes, ROUTES_PER_PART))
			parts.push({ ...partOf(listener), routes });
		for (const tls of slices(listener.tls, ENTRIES_PER_PART)) parts.push({ ...partOf(listener), tls });
		const isLong = listener.routes.length > ROUTES_PER_PART;
		const hasMany = listener.tls.length > ENTRIES_PER_PART;
		return { ...listener, routes: isLong ? [] : listener.routes, tls: hasMany ? [] : listener.tls };
	});
	const lists = upstreamLists(plan.upstreams);
	if (lists.length > 1)
		for (const upstreams of lists) parts.push({ listener: -1, routes: [], tls: [], upstreams });
	return [
		...parts.map((part): ReactorCommand => ({ kind: "part", part })),
		{ kind: "plan", plan: { ...plan, listeners, upstreams: lists.length > 1 ? [] : plan.upstreams } },
	];
}

function partOf({ slot }: ListenerPlan): PlanPart {
	return { listener: slot, routes: [], tls: [], upstreams: [] };
}

/** None, where one message has room for all. */
function* slices<Item>(items: readonly Item[], most: number): Iterable<readonly Item[]> {
	if (items.length <= most) return;
	for (let start = 0; start < items.length; start += most) yield items.slice(start, start + most);
}

function upstreamLists(upstreams: readonly UpstreamPlan[]): UpstreamPlan[][] {
	const lists: UpstreamPlan[][] = [];
	let room = 0;
	for (const upstream of upstreams) {
		const each = upstream.addresses.some(({ tls }) => tls !== undefined)
			? 1 / SECURED_PER_PART
			: 1 / ADDRESSES_PER_PART;
		const share = Math.max(1, upstream.addresses.length) * each;
		if (room < share) {
			lists.push([]);
			room = 1;
		}
		lists.at(-1)?.push(upstream);
		room -= share;
	}
	return lists;
}
