/** The API of the admin port: questions by GET, changes by POST, answers in JSON. `openapi.json` describes it, and a test holds the two together. */
import { z } from "zod";
import {
	ENDED_FILTER_NAMES,
	endedFilter,
	FILTER_NAMES,
	limitOf,
	PAGE_NAMES,
	pageOf,
	QueryError,
	requireKnown,
	sessionFilter,
} from "./query.js";
import { endedSession, listing, sessionDetails } from "./session-view.js";
import type { AdminView } from "./view.js";

export interface ApiRequest {
	readonly method: string;
	readonly path: string;
	readonly query: URLSearchParams;
	/** Who asks, for the log: an address. */
	readonly operator: string;
}

export interface ApiAnswer {
	readonly status: number;
	readonly value: unknown;
}

interface Operation {
	readonly method: "GET" | "POST";
	/** `{id}` stands for a number. */
	readonly path: string;
	readonly summary: string;
	readonly parameters: readonly string[];
	/** What it answers with. */
	readonly answer: z.ZodType;
	run(view: AdminView, request: ApiRequest, id: number): ApiAnswer | Promise<ApiAnswer>;
}

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
			const [ended] = view.sessions().ended({ id }, 1);
			if (ended === undefined) return failed(404, `no session ${id} lives, nor is it among the last that ended`);
			return failed(404, `session ${id} has ended at ${ended.closed} as ${ended.reason}: /api/ended?id=${id}`);
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
				return failed(400, "this would close every session: name some by a filter, or say all=true");
			const closing = view.sessions().close(filter);
			view.audit({ operator, filter: query.toString(), closing }, "an operator closes sessions");
			return ok({ closing });
		},
	},
	{
		method: "GET",
		path: "/api/ended",
		summary: "Of the last 10,000 sessions that ended those that fit, the last one first",
		answer: z.strictObject({ sessions: z.array(endedSession) }),
		parameters: [...ENDED_FILTER_NAMES, "limit"],
		run: (view, { query }) =>
			ok({ sessions: view.sessions().ended(endedFilter(query), limitOf(query)) }),
	},
	{
		method: "GET",
		path: "/api/ledger",
		summary: "Holds the ledger against the kernel's table of descriptors, now",
		answer: z.looseObject({ checkedAt: z.string(), descriptors: z.int(), discrepancies: z.array(z.unknown()) }),
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
		if (error instanceof QueryError) return failed(400, error.message);
		throw error;
	}
}

/** What a path can be asked with. */
export function methodsOf(path: string): string[] {
	const methods = OPERATIONS.filter((operation) => matches(operation.path, path)).map(({ method }) => method);
	return methods.includes("GET") ? [...methods, "HEAD"] : methods;
}

function matches(pattern: string, path: string): boolean {
	if (!pattern.endsWith("/{id}")) return pattern === path;
	const start = pattern.slice(0, -"{id}".length);
	return path.startsWith(start) && /^\d{1,16}$/.test(path.slice(start.length));
}

function ok(value: unknown): ApiAnswer {
	return { status: 200, value };
}

export function failed(status: number, error: string): ApiAnswer {
	return { status, value: { error } };
}
