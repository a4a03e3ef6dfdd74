/** What an operation of the API is: how it is asked, and how it answers. */
import type { z } from "zod";
import type { RequestBody } from "./bodies.js";
import type { Following } from "./followers.js";
import type { AdminView } from "./view.js";

/** The dashboard's figures are followed, and no channel. */
export const FIGURES = "figures";

export interface ApiRequest {
	readonly method: string;
	readonly path: string;
	readonly query: URLSearchParams;
	/** Who asks, for the log: an address. */
	readonly operator: string;
	/** Absent: nothing was sent with it. */
	readonly body?: RequestBody;
	/** `Last-Event-ID`: where a browser was in a stream of events that broke. */
	readonly lastEventId?: string | undefined;
}

export interface ApiAnswer {
	readonly status: number;
	readonly value: unknown;
	/** Instead: JSON as it is. */
	readonly text?: string;
	/** Instead: a stream of events. */
	readonly following?: Following | typeof FIGURES;
}

/** What may be sent with a request. */
export interface OperationBody {
	readonly description: string;
	readonly types: readonly string[];
}

export interface Operation {
	readonly method: "GET" | "POST" | "DELETE";
	/** `{id}` stands for a number, `{channel}` for all that is left of the path. */
	readonly path: string;
	readonly summary: string;
	readonly parameters: readonly string[];
	readonly body?: OperationBody;
	/** What it answers with. */
	readonly answer: z.ZodType;
	run(view: AdminView, request: ApiRequest, id: number): ApiAnswer | Promise<ApiAnswer>;
}

export function ok(value: unknown): ApiAnswer {
	return { status: 200, value };
}

/** `facts`: what else is known of it. */
export function failed(
	status: number,
	error: string,
	facts: Readonly<Record<string, unknown>> = {},
): ApiAnswer {
	return { status, value: { error, ...facts } };
}
