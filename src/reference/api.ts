/** `docs/reference/api.md`: what the admin port can be asked, and what it answers. */
import { z } from "zod";
import { OPERATIONS } from "../admin/api.js";
import { REFUSAL_FACTS } from "../admin/hub-view.js";
import type { Operation, OperationBody } from "../admin/operation.js";
import { PARAMETERS } from "../admin/query.js";
import { type Field, fieldsOf, type JsonSchema, meaningOf, typeOf } from "./json-schema.js";
import { anchorOf, code, page, type ReferencePage, table } from "./markdown.js";

const INTRO = `The [admin port](../operations.md#the-admin-port) answers questions by GET and makes changes by POST and DELETE; all parameters stand behind
the question mark, and answers are JSON. A change needs the header \`Sluice-Operator\`, with the name of who asks for it, and
[rights](../operations.md#who-may); a question can be asked by HEAD as well. What cannot be done is answered with a status from 400 on and
an \`error\` that says why and what to do. The same as an OpenAPI description is in \`sluice.openapi.json\`, which the port serves as
\`/api/openapi.json\`. The [commands](cli.md) use nothing else.`;

export function apiPage(): ReferencePage {
	return page("api.md", {
		title: "API of the admin port",
		source: ["src/admin/api.ts", "src/admin/hub-operations.ts", "src/admin/query.ts"],
		intro: INTRO,
		body: [
			table(["operation", "what it does"], OPERATIONS.map(overviewRow)),
			...OPERATIONS.flatMap(section),
			failures(),
		],
	});
}

function nameOf({ method, path }: Operation): string {
	return `${method} ${path}`;
}

function overviewRow(operation: Operation): string[] {
	return [`[\`${nameOf(operation)}\`](#${anchorOf(nameOf(operation))})`, operation.summary];
}

function section(operation: Operation): string[] {
	const { path, summary, parameters, body, answer } = operation;
	const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
	const rows = [
		...inPath.map((name) => [code(name), "the path", PARAMETERS[name] ?? ""]),
		...parameters.map((name) => [code(name), "the query", PARAMETERS[name] ?? ""]),
	];
	return [
		`## ${nameOf(operation)}`,
		`${summary}.`,
		...(rows.length === 0 ? [] : [table(["parameter", "in", "meaning"], rows)]),
		...(body === undefined ? [] : [bodyText(body)]),
		answerText(z.toJSONSchema(answer) as JsonSchema),
	];
}

function bodyText({ description, types }: OperationBody): string {
	return `**Sent with it**, as ${types.map(code).join(", ")}: ${description}.`;
}

function answerText(schema: JsonSchema): string {
	const fields = fieldsOf(schema);
	if (fields.length === 0) return "**Answer:** any JSON.";
	return `**Answer:**\n\n${table(["field", "type", "meaning"], fields.map(fieldRow))}`;
}

function fieldRow({ path, schema, isOptional }: Field): string[] {
	return [code(path), `${typeOf(schema)}${isOptional ? ", or absent" : ""}`, meaningOf(schema)];
}

function failures(): string {
	const rows = Object.entries(REFUSAL_FACTS).map(([name, schema]) =>
		fieldRow({ path: name, schema, isOptional: true }),
	);
	return `## What cannot be done\n\n${table(
		["field", "type", "meaning"],
		[["`error`", "string", "Why, and what to do instead"], ...rows],
	)}`;
}
