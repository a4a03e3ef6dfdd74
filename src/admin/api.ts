/** The API of the admin port: questions by GET, changes by POST and DELETE, answers in JSON. `openapi.json` describes it, and a test holds the two together. */
import { z } from "zod";
import { figures } from "./dashboard/figures.js";
import { readFigures } from "./dashboard/read-figures.js";
import { TurnTimes } from "./dashboard/turn-times.js";
import { HUB_OPERATIONS } from "./hub-operations.js";
import { type ApiAnswer, type ApiRequest, FIGURES, failed, type Operation, ok } from "./operation.js";
import {
	explanation,
	gatewayStatus,
	OperationError,
	QUESTION,
	type Question,
	sourcesStatus,
	upstreamStatus,
} from "./operation-view.js";
import {
	durationOf,
	ENDED_FILTER_NAMES,
	endedFilter,
	FILTER_NAMES,
	isFollowing,
	limitOf,
	offsetOf,
	PAGE_NAMES,
	pageOf,
	profileOf,
	QueryError,
	required,
	requireKnown,
	secondsOf,
	sessionFilter,
	weightOf,
} from "./query.js";
import { endedListing, listing, sessionDetails } from "./session-view.js";
import { tunnelsStatus, tunnelsStatusOf } from "./tunnel-view.js";
import type { AdminView } from "./view.js";

/** What is there tells more than numbers: names of hosts, and whatever else lies in memory. */
export const DEBUG = "/api/debug";

/** All that can be asked. */
export const OPERATIONS: readonly Operation[] = [
	{
		method: "GET",
		path: "/api/sessions",
		summary: "Sessions that live and fit all that is said",
		answer: listing,
		parameters: [...FILTER_NAMES, ...PAGE_NAMES],
		run: (view, { query }) => ok(view.sessions().list(sessionFilter(query), pageOf(query))),
	},
	{
		method: "GET",
		path: "/api/sessions/{id}",
		summary: "All that is known of one session that lives",
		answer: sessionDetails,
		parameters: [],
		run(view, _, id) {
			const details = view.sessions().details(id);
			if (details !== undefined) return ok(details);
			const [ended] = view.sessions().ended({ id }, { offset: 0, limit: 1 }).sessions;
			if (ended === undefined)
				return failed(404, `no session ${id} lives, nor is it among the last that ended`);
			return failed(
				404,
				`session ${id} has ended at ${ended.closed} as ${ended.reason}: /api/ended?id=${id}`,
			);
		},
	},
	{
		method: "POST",
		path: "/api/sessions/close",
		summary: "Closes all sessions that fit, as `operator`, spread over the turns of their event loops",
		answer: z.strictObject({ closing: z.int().describe("How many fit") }),
		parameters: [...FILTER_NAMES, "all"],
		run(view, { query, operator }) {
			const filter = sessionFilter(query);
			if (Object.keys(filter).length === 0 && query.get("all") !== "true")
				return failed(
					400,
					"this would close every session: name some by a filter, or say all=true (sluice close --all)",
				);
			const closing = view.sessions().close(filter);
			view.audit({ operator, filter: query.toString(), closing }, "an operator closes sessions");
			return ok({ closing });
		},
	},
	{
		method: "GET",
		path: "/api/ended",
		summary: "Of the last 10,000 sessions that ended those that fit, the last one first",
		answer: endedListing,
		parameters: [...ENDED_FILTER_NAMES, "limit", "offset"],
		run: (view, { query }) =>
			ok(view.sessions().ended(endedFilter(query), { offset: offsetOf(query), limit: limitOf(query) })),
	},
	{
		method: "GET",
		path: "/api/status",
		summary: "How the gateway is: sessions, limits, listeners, upstreams",
		answer: gatewayStatus,
		parameters: [],
		run: (view) => ok(view.operations().status()),
	},
	{
		method: "GET",
		path: "/api/figures",
		summary:
			"What the dashboard draws. As a stream: `past`, readings that were made, then `figures`, one a second",
		answer: figures,
		parameters: ["follow"],
		run: (view, { query }) =>
			isFollowing(query)
				? { status: 200, value: null, following: FIGURES }
				: ok(readFigures(view, new TurnTimes())),
	},
	{
		method: "GET",
		path: "/api/upstreams",
		summary: "Upstreams and their addresses: state, since when and why, sessions",
		answer: z.strictObject({
			upstreams: z.array(upstreamStatus).describe("In the order of the configuration"),
		}),
		parameters: [],
		run: (view) => ok({ upstreams: view.operations().upstreams() }),
	},
	{
		method: "GET",
		path: "/api/tunnels",
		summary: "Agents that are logged in, the tunnels that they have opened, and their lines",
		answer: tunnelsStatus,
		parameters: [],
		run(view) {
			const tunnels = view.tunnels();
			return tunnels === undefined
				? failed(404, 'this gateway takes no agents: its configuration has no "tunnels"')
				: ok(tunnelsStatusOf(tunnels));
		},
	},
	...HUB_OPERATIONS,
	...(["drain", "resume"] as const).map(
		(action): Operation => ({
			method: "POST",
			path: `/api/upstreams/${action}`,
			summary:
				action === "drain"
					? "An address gets no new session, and keeps those that it has; without an address, all of the upstream"
					: "It gets sessions again",
			answer: z.strictObject({ addresses: z.int().describe("Of how many it is said") }),
			parameters: ["upstream", "address"],
			run(view, { query, operator }) {
				const upstream = required(query, "upstream");
				const address = query.get("address") ?? undefined;
				const addresses = view.operations().drain(upstream, address, action === "drain", operator);
				view.audit({ operator, upstream, address }, `an operator ${action}s upstream addresses`);
				return ok({ addresses });
			},
		}),
	),
	{
		method: "POST",
		path: "/api/upstreams/weight",
		summary: "Sets an address's share of sessions, until the file says another one, or the next start",
		answer: z.strictObject({
			weight: z.int().describe("What it is now"),
			before: z.int().describe("What it was"),
		}),
		parameters: ["upstream", "address", "weight"],
		run(view, { query, operator }) {
			const upstream = required(query, "upstream");
			const address = required(query, "address");
			const weight = weightOf(query);
			const before = view.operations().weigh(upstream, address, weight);
			view.audit({ operator, upstream, address, weight, before }, "an operator sets an address's weight");
			return ok({ weight, before });
		},
	},
	{
		method: "GET",
		path: "/api/sources",
		summary: "Client addresses with the most sessions, and those that are banned",
		answer: sourcesStatus,
		parameters: ["limit"],
		run: (view, { query }) => ok(view.operations().sources(limitOf(query))),
	},
	{
		method: "POST",
		path: "/api/sources/ban",
		summary: "Shuts an address or a block out for a time, and closes its sessions, as `banned`",
		answer: z.strictObject({ closing: z.int().describe("How many sessions it has") }),
		parameters: ["source", "for"],
		run(view, { query, operator }) {
			const source = required(query, "source");
			const forMs = durationOf(query, "for");
			const closing = view.operations().ban(source, forMs, operator);
			view.audit({ operator, source, for_ms: forMs, closing }, "an operator bans a source");
			return ok({ closing });
		},
	},
	{
		method: "POST",
		path: "/api/sources/unban",
		summary: "Lets a block come again that was banned",
		answer: z.strictObject({ lifted: z.boolean().describe("Always true") }),
		parameters: ["source"],
		run(view, { query, operator }) {
			const source = required(query, "source");
			if (!view.operations().unban(source))
				return failed(404, `${source} is not banned: /api/sources lists who is`);
			view.audit({ operator, source }, "an operator lifts a ban");
			return ok({ lifted: true });
		},
	},
	...(["pause", "resume"] as const).map(
		(action): Operation => ({
			method: "POST",
			path: `/api/listeners/${action}`,
			summary:
				action === "pause"
					? "A listener accepts nobody: who comes waits in its accept queue"
					: "It accepts again",
			answer: z.strictObject({ listener: z.string().describe("Which one") }),
			parameters: ["listener"],
			run(view, { query, operator }) {
				const listener = required(query, "listener");
				view.operations().rest(listener, action === "pause");
				view.audit({ operator, listener }, `an operator ${action}s a listener`);
				return ok({ listener });
			},
		}),
	),
	{
		method: "GET",
		path: "/api/explain",
		summary:
			"What would become of a connection: its route, why not those before, its upstream, its deadlines",
		answer: z.strictObject({ listeners: z.array(explanation).describe("Each that it could come to") }),
		parameters: QUESTION,
		run(view, { query }) {
			const question = Object.fromEntries(QUESTION.map((name) => [name, query.get(name) ?? undefined]));
			return ok({ listeners: view.operations().explain(question as Question) });
		},
	},
	{
		method: "GET",
		path: "/api/config",
		summary: "The configuration in force, with every default; without secrets",
		answer: z.looseObject({
			listeners: z.array(z.unknown()).describe("With their routes"),
			upstreams: z.array(z.unknown()).describe("With their addresses"),
		}),
		parameters: [],
		run: (view) => ok(view.operations().config()),
	},
	{
		method: "GET",
		path: "/api/certificates",
		summary: "Files of certificates in force, and when the first certificate in each expires",
		answer: z.strictObject({
			certificates: z
				.array(
					z.strictObject({
						file: z.string().describe("As the configuration names it"),
						expires: z.iso.datetime().describe("When its first certificate expires (ISO 8601, UTC)"),
					}),
				)
				.describe("Each file that is in force"),
		}),
		parameters: [],
		run: (view) =>
			ok({
				certificates: view.certificates().map(({ file, expirySeconds }) => ({
					...{ file, expires: new Date(expirySeconds * 1_000).toISOString() },
				})),
			}),
	},
	{
		method: "POST",
		path: "/api/log",
		summary: "Sets the level of the log, until the next start",
		answer: z.strictObject({ level: z.string().describe("The level that holds now") }),
		parameters: ["level"],
		run(view, { query, operator }) {
			const level = required(query, "level");
			view.operations().setLogLevel(level);
			view.audit({ operator, log_level: level }, "an operator sets the log's level");
			return ok({ level });
		},
	},
	{
		method: "POST",
		path: DEBUG,
		summary: "Begins a profile of a thread; `heap` has it stand still meanwhile. Full rights only",
		answer: z.strictObject({ id: z.int().describe("By which the profile is asked for") }),
		parameters: ["profile", "thread", "seconds"],
		run(view, { query, operator }) {
			const kind = profileOf(query);
			const thread = required(query, "thread");
			const seconds = kind === "heap" ? 0 : secondsOf(query);
			const id = view.operations().profile(thread, kind, seconds);
			view.audit({ operator, profile: kind, thread, seconds }, "an operator profiles a thread");
			return ok({ id });
		},
	},
	{
		method: "GET",
		path: `${DEBUG}/{id}`,
		summary: "A profile that was begun, as DevTools opens it; 404 while it is being made. Full rights only",
		answer: z.unknown(),
		parameters: [],
		run(view, _, id) {
			const text = view.operations().profileText(id);
			return text === undefined
				? failed(404, `profile ${id} is being made`)
				: { status: 200, value: null, text };
		},
	},
	{
		method: "POST",
		path: "/api/reload",
		summary: "Reads the configuration's file again, as SIGHUP does",
		answer: z.strictObject({
			reloaded: z.boolean().describe("Always true: a reload that fails is answered 409"),
			added: z
				.array(z.string())
				.describe("Listeners and upstreams that were not there before: `upstreams.web`"),
			removed: z.array(z.string()).describe("Those that are there no more"),
			changed: z.array(z.string()).describe("Keys of the file whose values are others now: `timeouts.idle`"),
			needs_restart: z
				.array(z.string())
				.describe("Keys whose values of the start hold until the next one: `reactors`"),
		}),
		parameters: [],
		async run(view, { operator }) {
			view.audit({ operator }, "an operator reloads");
			try {
				return ok({ reloaded: true, ...(await view.operations().reload()) });
			} catch (error) {
				return failed(409, `not reloaded, nothing has changed: ${(error as Error).message}`);
			}
		},
	},
	{
		method: "GET",
		path: "/api/ledger",
		summary: "Holds the ledger against the kernel's table of descriptors, now",
		answer: z.looseObject({
			checkedAt: z.string().describe("When (ISO 8601, UTC)"),
			descriptors: z.int().describe("How many the kernel's table has"),
			discrepancies: z.array(z.unknown()).describe("What does not fit: none, where all is well"),
		}),
		parameters: [],
		// HEAD would have to look as well, to say how long the answer is.
		run: async (view) => ok(await view.checkLedger()),
	},
];

/** `undefined`: no such path. */
export async function askApi(view: AdminView, request: ApiRequest): Promise<ApiAnswer | undefined> {
	const { method, path, query } = request;
	const there = OPERATIONS.filter((operation) => matches(operation.path, path));
	if (there.length === 0) return undefined;
	const asked = method === "HEAD" ? "GET" : method;
	// A path that is spelt out comes before one with a number.
	const operation = there.find((each) => each.method === asked);
	if (operation === undefined) return failed(405, `only ${methodsOf(path).join(", ")}`);
	try {
		requireKnown(query, operation.parameters);
		return await operation.run(view, request, Number(path.slice(path.lastIndexOf("/") + 1)));
	} catch (error) {
		if (error instanceof QueryError || error instanceof OperationError) return failed(400, error.message);
		throw error;
	}
}

/** What a path can be asked with. */
export function methodsOf(path: string): string[] {
	const methods = OPERATIONS.filter((operation) => matches(operation.path, path)).map(({ method }) => method);
	return methods.includes("GET") ? [...methods, "HEAD"] : methods;
}

function matches(pattern: string, path: string): boolean {
	const start = pattern.slice(0, pattern.lastIndexOf("/") + 1);
	if (pattern.endsWith("/{channel}")) return path.startsWith(start) && path.length > start.length;
	if (!pattern.endsWith("/{id}")) return pattern === path;
	return path.startsWith(start) && /^\d{1,16}$/.test(path.slice(start.length));
}
