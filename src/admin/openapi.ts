/** The OpenAPI description of the API, made from its operations and the schemas of their answers. */
import { z } from "zod";
import { OPERATIONS } from "./api.js";
import { REFUSAL_FACTS } from "./hub-view.js";
import type { OperationBody } from "./operation.js";
import { PARAMETERS } from "./query.js";
import { OPERATOR_HEADER } from "./rights.js";

let description: Record<string, unknown> | undefined;

/** OpenAPI 3.1.1, which takes JSON Schema as it is. Made when it is asked for first: the schemas take some milliseconds. */
export function openApi(): Record<string, unknown> {
	description ??= describe();
	return description;
}

function describe(): Record<string, unknown> {
	const paths: Record<string, Record<string, unknown>> = {};
	for (const operation of OPERATIONS) {
		const { method, path, summary, parameters, body, answer } = operation;
		const { $schema: _, ...schema } = z.toJSONSchema(answer);
		const entry = paths[path] ?? {};
		paths[path] = entry;
		entry[method.toLowerCase()] = {
			summary,
			parameters: [
				...(path.endsWith("{id}") ? [parameter("id", "path")] : []),
				...(path.endsWith("{channel}") ? [parameter("channel", "path")] : []),
				...parameters.map((name) => parameter(name, "query")),
				...(method === "GET" ? [] : [operatorHeader()]),
			],
			...(body === undefined ? {} : { requestBody: bodyOf(body) }),
			responses: {
				200: { description: "The answer", content: { "application/json": { schema } } },
				default: {
					description: "It could not be done; `error` says why, and what to do",
					content: { "application/json": { schema: { $ref: "#/components/schemas/Failure" } } },
				},
			},
		};
	}
	return {
		openapi: "3.1.1",
		info: {
			title: "Sluice's admin port",
			version: "1",
			description: "Questions by GET, changes by POST and DELETE. See docs/operations.md.",
		},
		security: [{}, { token: [] }],
		paths,
		components: {
			schemas: {
				Failure: {
					type: "object",
					properties: { error: { type: "string" }, ...REFUSAL_FACTS },
					required: ["error"],
					additionalProperties: false,
				},
			},
			securitySchemes: { token: { type: "http", scheme: "bearer" } },
		},
	};
}

function bodyOf({ description, types }: OperationBody): Record<string, unknown> {
	const content = Object.fromEntries(types.map((type) => [type, { schema: {} }]));
	return { description, required: true, content };
}

function parameter(name: string, place: "path" | "query"): Record<string, unknown> {
	return {
		...{ name, in: place, description: PARAMETERS[name] ?? "" },
		...(place === "path" ? { required: true } : {}),
		schema: { type: "string" },
	};
}

function operatorHeader(): Record<string, unknown> {
	return {
		...{ name: OPERATOR_HEADER, in: "header", required: true },
		description: "Who asks for the change, for the log",
		schema: { type: "string" },
	};
}
