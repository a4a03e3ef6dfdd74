/** What a JSON Schema says of a value, in a few words for a cell of a table. */
import { REASONS } from "../parts/reasons.js";
import { code } from "./markdown.js";

/** As zod writes it, as far as tables need it. */
export interface JsonSchema {
	readonly type?: string | readonly string[];
	readonly description?: string;
	readonly default?: unknown;
	readonly examples?: readonly unknown[];
	readonly enum?: readonly unknown[];
	readonly const?: unknown;
	readonly format?: string;
	readonly pattern?: string;
	readonly minimum?: number;
	readonly maximum?: number;
	readonly minLength?: number;
	readonly minItems?: number;
	readonly maxItems?: number;
	readonly properties?: Readonly<Record<string, JsonSchema>>;
	readonly required?: readonly string[];
	readonly items?: JsonSchema;
	readonly additionalProperties?: JsonSchema | boolean;
	readonly anyOf?: readonly JsonSchema[];
}

/** `sessions[].id`: a place in an answer. */
export interface Field {
	readonly path: string;
	readonly schema: JsonSchema;
	readonly isOptional: boolean;
}

/** All that stands in a value, its own parts behind each. */
export function fieldsOf(schema: JsonSchema, path = ""): Field[] {
	const { properties, items, additionalProperties, anyOf, required = [] } = schema;
	if (anyOf !== undefined) return anyOf.flatMap((each) => fieldsOf(each, path));
	if (items !== undefined) return fieldsOf(items, `${path}[]`);
	if (properties === undefined)
		return typeof additionalProperties === "object" ? fieldsOf(additionalProperties, `${path}.NAME`) : [];
	return Object.entries(properties).flatMap(([name, value]) => {
		const place = path === "" ? name : `${path}.${name}`;
		return [{ path: place, schema: value, isOptional: !required.includes(name) }, ...fieldsOf(value, place)];
	});
}

/** Of a value that may be null, what it is otherwise says what it means. */
export function meaningOf({ description, anyOf = [] }: JsonSchema): string {
	return description ?? anyOf.find((each) => each.description !== undefined)?.description ?? "";
}

/** `integer`, `list of string`, `one of up, down, or null`. */
export function typeOf(schema: JsonSchema): string {
	const { type, anyOf, items, format } = schema;
	if (anyOf !== undefined) return joined(anyOf.map(typeOf));
	if (schema.enum !== undefined) return choiceOf(schema.enum);
	if (schema.const !== undefined) return code(String(schema.const));
	if (Array.isArray(type)) return joined(type as readonly string[]);
	if (type === "array")
		return items === undefined || items.properties !== undefined ? "list" : `list of ${typeOf(items)}`;
	if (format === "date-time") return "time";
	return (type as string | undefined) ?? "any JSON";
}

function choiceOf(values: readonly unknown[]): string {
	if (values.length === REASONS.length && REASONS.every((reason) => values.includes(reason)))
		return "a [close reason](reasons.md)";
	return joined(values.map((value) => code(String(value))));
}

/** `a, b or c`. */
function joined(words: readonly string[]): string {
	const different = [...new Set(words)];
	if (different.length < 2) return different.join("");
	return `${different.slice(0, -1).join(", ")} or ${different.at(-1)}`;
}
