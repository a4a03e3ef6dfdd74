/** `sluice sessions | ended | why | close`. */
import type { EndedSession, Listing, LiveSession, SessionDetails } from "../../admin/session-view.js";
import { explained, REASONS } from "../../parts/reasons.js";
import { AdminClient } from "./client.js";
import { OperateError, type Where } from "./operate-error.js";
import { duration, facts, json, size, table } from "./table.js";

/** Options that are filters of the API, under the same names. */
const FILTERS = [
	...["listener", "route", "upstream", "address", "source", "protocol", "name", "state", "reactor"],
	...["minAge", "maxAge", "minIdle", "reason", "sort", "order", "limit", "offset"],
] as const;

export type Options = Where & Readonly<Partial<Record<(typeof FILTERS)[number], string>>>;

function queryOf(options: Options): URLSearchParams {
	const query = new URLSearchParams();
	for (const name of FILTERS) {
		const value = options[name];
		// `--min-age` is minAge here and min_age there.
		if (value !== undefined)
			query.set(
				name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
				value,
			);
	}
	return query;
}

export async function sessions(options: Options): Promise<string> {
	const listing = await new AdminClient(options).get<Listing>("/api/sessions", queryOf(options));
	if (options.json === true) return json(listing);
	const { total, matched, sessions: shown } = listing;
	const rest = matched > shown.length ? `; ${shown.length} are shown, --limit and --offset show others` : "";
	return `${shown.length === 0 ? "" : sessionTable(shown)}${matched} of ${total} sessions${rest}\n`;
}

/** `extra`: one more column, its heading and its cell. */
export function sessionTable(
	sessions: readonly LiveSession[],
	extra: (session: LiveSession) => readonly [string, string] | undefined = () => undefined,
): string {
	const [first] = sessions;
	const heading = first === undefined ? undefined : extra(first)?.[0];
	return table(
		[
			...[
				"ID",
				"SOURCE",
				"PROTOCOL",
				"NAME",
				"ROUTE",
				"UPSTREAM",
				"STATE",
				"AGE",
				"IDLE",
				"IN",
				"OUT",
				"BUFFERED",
			],
			...(heading === undefined ? [] : [heading]),
		],
		sessions.map((each) => [
			...[String(each.id), each.source, each.protocol, each.name ?? "-", each.route ?? "-"],
			...[upstreamOf(each), each.state, duration(each.age_ms), duration(each.idle_ms)],
			...[size(each.bytes_from_client), size(each.bytes_to_client), size(each.buffered_bytes)],
			...(extra(each) ?? []).slice(1),
		]),
	);
}

function upstreamOf({ upstream, address }: { upstream: string | null; address: string | null }): string {
	return upstream === null ? "-" : `${upstream} ${address ?? ""}`.trimEnd();
}

export async function ended(options: Options): Promise<string> {
	const found = await new AdminClient(options).get<{ sessions: readonly EndedSession[] }>(
		"/api/ended",
		queryOf(options),
	);
	if (options.json === true) return json(found);
	if (found.sessions.length === 0) return "none of the last 10,000 that ended\n";
	return table(
		["ID", "CLOSED", "REASON", "LASTED", "SOURCE", "PROTOCOL", "NAME", "ROUTE", "UPSTREAM", "IN", "OUT"],
		found.sessions.map((each) => [
			...[String(each.id), each.closed, each.reason, lastedOf(each), each.source, each.protocol],
			...[each.name ?? "-", each.route ?? "-", upstreamOf(each)],
			...[size(each.bytes_from_client), size(each.bytes_to_client)],
		]),
	);
}

function lastedOf({ accepted, closed }: EndedSession): string {
	return duration(Date.parse(closed) - Date.parse(accepted));
}

/** Why did it end; or what is it at, and what ends it next? */
export async function why(id: string, options: Where): Promise<string> {
	if (!/^\d+$/.test(id)) throw new OperateError(`"${id}" is no session's number: as in the log's "id"`);
	const client = new AdminClient(options);
	const found = await client.get<{ sessions: readonly EndedSession[] }>(
		"/api/ended",
		new URLSearchParams({ id }),
	);
	const [over] = found.sessions;
	if (over !== undefined) return options.json === true ? json(over) : endedText(over);
	const details = await client.get<SessionDetails>(`/api/sessions/${id}`);
	return options.json === true ? json(details) : liveText(details);
}

function endedText(session: EndedSession): string {
	return facts([
		["session", `${session.id} has ended`],
		["reason", session.reason],
		...explanation(session),
		...timeline(session),
		["closed", `${session.closed}  ${sinceAccept(session, session.closed)}`],
		["from client", size(session.bytes_from_client)],
		["to client", size(session.bytes_to_client)],
	]);
}

/** A gateway of a later version may have reasons that are not known here. */
function explanation({ reason }: EndedSession): (readonly [string, string])[] {
	if (!REASONS.includes(reason)) return [];
	const { means, advice } = explained(reason);
	return [
		["", means],
		["what to do", advice],
	];
}

function liveText(session: SessionDetails): string {
	return facts([
		["session", `${session.id} lives, ${session.state}`],
		...timeline(session),
		...(session.waits_for_rate_ms > 0
			? [["slowed", `by its rate, for ${duration(session.waits_for_rate_ms)} more`] as [string, string]]
			: []),
		["last byte", `${duration(session.idle_ms)} ago`],
		["from client", size(session.bytes_from_client)],
		["to client", size(session.bytes_to_client)],
		["buffered", size(session.buffered_bytes)],
		...session.deadlines.map(({ timeout, at, in_ms }, index): [string, string] => [
			index === 0 ? "ends next by" : "",
			`${timeout}, in ${duration(Math.max(0, in_ms))} (${at})`,
		]),
		["client", tcpText(session.client_tcp)],
		["upstream", tcpText(session.upstream_tcp)],
	]);
}

function timeline(session: LiveSession | EndedSession): [string, string][] {
	const { source, listener, protocol, name, route, accepted, secured, recognized, connected } = session;
	// Most sessions have no such step, and those that have it may have ended in it.
	const ofTls: [string, string][] =
		secured === null ? [] : [["secured", `${secured}  ${sinceAccept(session, secured)}`]];
	return [
		["accepted", `${accepted}  from ${source} on ${listener}`],
		...ofTls,
		[
			"recognized",
			recognized === null
				? "-"
				: `${recognized}  ${sinceAccept(session, recognized)}  ${protocol} ${name ?? ""}`.trimEnd(),
		],
		["route", route ?? "-"],
		[
			"connected",
			connected === null ? "-" : `${connected}  ${sinceAccept(session, connected)}  ${upstreamOf(session)}`,
		],
	];
}

function sinceAccept({ accepted }: { accepted: string }, time: string): string {
	return `+${duration(Date.parse(time) - Date.parse(accepted))}`;
}

function tcpText(facts: SessionDetails["client_tcp"]): string {
	if (facts === null) return "-";
	const { round_trip_ms: trip, round_trip_variation_ms: variation, retransmits, unacknowledged } = facts;
	const { received_ago_ms: received, sent_ago_ms: sent } = facts;
	return `last byte from it ${duration(received)} ago, to it ${duration(sent)} ago; round trip ${trip.toFixed(2)} ms ± ${variation.toFixed(2)}, ${retransmits} segments sent again, ${unacknowledged} not acknowledged`;
}

export async function close(
	id: string | undefined,
	options: Options & { readonly all?: boolean },
): Promise<string> {
	const query = queryOf(options);
	if (id !== undefined) query.set("id", id);
	if (options.all === true) query.set("all", "true");
	const { closing } = await new AdminClient(options).post<{ closing: number }>("/api/sessions/close", query);
	if (options.json === true) return json({ closing });
	if (id !== undefined && closing === 0)
		throw new OperateError(`there is no session ${id}, or none any more`);
	return `${closing} ${closing === 1 ? "session is" : "sessions are"} being closed\n`;
}
