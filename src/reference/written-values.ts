/** What may be written for a key, in a few words for a cell of a table. */
import { DURATION_PATTERN, formatSize, SIZE_PATTERN } from "../config/units.js";
import type { JsonSchema } from "./json-schema.js";
import { code } from "./markdown.js";

/** `mapping`: how a mapping is called that has a table of its own. */
export function writtenValue(schema: JsonSchema, mapping: string): string {
	const { anyOf, items, type } = schema;
	if (anyOf !== undefined)
		return sizeIn(anyOf) ?? orListOf(anyOf, mapping) ?? choice(alternatives(anyOf, mapping));
	if (schema.enum !== undefined) return choice(wordsOf(schema.enum));
	if (type === "array")
		return `list${bounds(schema)} of ${items === undefined ? "values" : writtenValue(items, mapping)}`;
	if (type === "object") return objectOf(schema, mapping);
	if (type === "integer") return wholeNumber(schema);
	if (schema.pattern === DURATION_PATTERN) return "duration";
	return textOf(schema);
}

/** A default that is no value, or not always the same, stands in the description of its key. */
export const DEFAULT_SENTENCE = / ?Default: (.+?)\.(?= |$)/;

/** What holds without the key. */
export function defaultOf(schema: JsonSchema, isRequired: boolean): string {
	if (isRequired) return "required";
	if (schema.properties !== undefined) return "those of its keys";
	const sentence = DEFAULT_SENTENCE.exec(schema.description ?? "")?.[1];
	return sentence ?? (schema.default === undefined ? "none" : code(String(schema.default)));
}

/** A size is a number of bytes or a number with a unit. */
function sizeIn(anyOf: readonly JsonSchema[]): string | undefined {
	const [bytes, text, ...rest] = anyOf;
	if (rest.length > 0 || text?.pattern !== SIZE_PATTERN) return undefined;
	const least = bytes?.minimum ?? 1;
	return least > 1 ? `size from ${formatSize(least)}` : "size";
}

/** What may stand alone, or in a list. */
function orListOf(anyOf: readonly JsonSchema[], mapping: string): string | undefined {
	const list = anyOf.find(({ type }) => type === "array");
	if (list?.items === undefined) return undefined;
	const alone = writtenValue({ anyOf: anyOf.filter((each) => each !== list) }, mapping);
	const inList = writtenValue({ anyOf: [list.items] }, mapping);
	return alone === inList ? `${alone}, or a list${bounds(list)} of these` : undefined;
}

function alternatives(anyOf: readonly JsonSchema[], mapping: string): string[] {
	return anyOf.flatMap((each) =>
		each.enum === undefined ? [writtenValue(each, mapping)] : wordsOf(each.enum),
	);
}

/** Of the words that mean one switch, the one that documents use. */
function wordsOf(values: readonly unknown[]): string[] {
	if (values.includes(true)) return [code("on")];
	if (values.includes(false)) return [code("off")];
	return values.map((value) => code(String(value)));
}

function wholeNumber({ minimum = 0, maximum }: JsonSchema): string {
	return maximum === undefined
		? `whole number from ${minimum}`
		: `whole number from ${minimum} to ${maximum}`;
}

function objectOf({ properties, additionalProperties }: JsonSchema, mapping: string): string {
	if (properties !== undefined) return mapping;
	if (typeof additionalProperties !== "object") return "mapping";
	return `mapping of names, each to ${writtenValue(additionalProperties, mapping)}`;
}

function textOf({ examples = [], minLength }: JsonSchema): string {
	const [example] = examples;
	if (example !== undefined) return `text such as ${code(String(example))}`;
	return minLength !== undefined && minLength > 1 ? `text of at least ${minLength} characters` : "text";
}

function bounds({ minItems, maxItems }: JsonSchema): string {
	if (minItems !== undefined && maxItems !== undefined)
		return minItems === maxItems ? ` of ${minItems}` : ` (${minItems} to ${maxItems})`;
	if (maxItems !== undefined) return ` (up to ${maxItems})`;
	return minItems === undefined || minItems <= 1 ? "" : ` (at least ${minItems})`;
}

/** `a, b or c`. */
function choice(words: readonly string[]): string {
	const different = [...new Set(words)];
	if (different.length < 2) return different.join("");
	return `${different.slice(0, -1).join(", ")} or ${different.at(-1)}`;
}
