/** Editors must take `${PORT}` where a number or a word stands: what it will be is known when the file is loaded. */

type Schema = Record<string, unknown>;

const REFERENCE: Schema = { type: "string", pattern: String.raw`\$\{[^{}]+\}` };

/** What says something about a value, whatever it is, and stays where it stands. */
const NOTES = ["$schema", "title", "description", "default", "examples"];

/** The same JSON Schema, in which every value but mappings and lists may be or contain a reference. */
export function withReferences(schema: Schema): Schema {
	const { anyOf } = schema;
	if (Array.isArray(anyOf)) {
		const options = anyOf.map(inside);
		return { ...schema, anyOf: options.some(isValue) ? [...options, REFERENCE] : options };
	}
	if (!isValue(schema)) return inside(schema);
	const entries = Object.entries(schema);
	return {
		...Object.fromEntries(entries.filter(([key]) => NOTES.includes(key))),
		anyOf: [Object.fromEntries(entries.filter(([key]) => !NOTES.includes(key))), REFERENCE],
	};
}

/** Of a mapping or a list, what is in it; of an alternative, its own alternatives. */
function inside(schema: Schema): Schema {
	const { properties, additionalProperties, items, anyOf } = schema;
	return {
		...schema,
		...(Array.isArray(anyOf) ? { anyOf: anyOf.map(inside) } : {}),
		...(isSchema(properties) ? { properties: mapped(properties) } : {}),
		...(isSchema(additionalProperties) ? { additionalProperties: withReferences(additionalProperties) } : {}),
		...(isSchema(items) ? { items: withReferences(items) } : {}),
	};
}

function mapped(properties: Schema): Schema {
	return Object.fromEntries(
		Object.entries(properties).map(([key, value]) => [key, isSchema(value) ? withReferences(value) : value]),
	);
}

function isValue(schema: Schema): boolean {
	const { type, anyOf } = schema;
	if (Array.isArray(anyOf)) return anyOf.some(isValue);
	return type !== "object" && type !== "array";
}

function isSchema(value: unknown): value is Schema {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
