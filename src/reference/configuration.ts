/** `docs/reference/configuration.md` and `agent.md`: every key of `sluice.yaml` and of an agent's file, from the schemas by which these are read. */
import { configSchema, writtenSchema } from "../config/schema.js";
import { DURATION_MAX_MS, formatDuration } from "../config/units.js";
import { agentSchema } from "../tunnel/agent/schema.js";
import type { JsonSchema } from "./json-schema.js";
import { anchorOf, code, page, type ReferencePage, table } from "./markdown.js";
import { DEFAULT_SENTENCE, defaultOf, writtenValue } from "./written-values.js";

const INTRO = `Every key of \`sluice.yaml\`, what may be written for it, and what holds where it is not. [Configuration](../configuration.md) tells how they work together,
with examples. The same as a JSON Schema is in \`sluice.schema.json\`, by which editors complete and check the file; an unknown key is an error.`;

const VALUES = `A duration is a whole number with \`ms\`, \`s\`, \`m\`, \`h\` or \`d\`, up to ${formatDuration(DURATION_MAX_MS)}. A size is a number of bytes, or a whole number with \`B\`, \`KB\`, \`MB\`, \`GB\`, \`KiB\`, \`MiB\` or \`GiB\`.
Where \`on\` and \`off\` stand, \`true\` and \`yes\`, \`false\` and \`no\` mean the same. NAME stands for a name that you choose, and \`[]\` for each entry of a list. [References](../configuration.md#from-the-environment-and-from-files)
such as \`\${PORT}\` may stand for every value.`;

const AGENT_INTRO = `Every key of the file that \`sluice tunnel -c tunnels.yaml\` reads: the [flags](cli.md#sluice-tunnel) have the same names, with \`-\` for \`_\`. [Tunnels](../tunnels.md#many-tunnels)
shows one. Values are written as in the [configuration](configuration.md) of a gateway.`;

export function configurationPage(): ReferencePage {
	const sections = sectionsOf(writtenSchema(configSchema) as JsonSchema, "");
	return page("configuration.md", {
		title: "Keys of the configuration",
		source: ["src/config/schema.ts"],
		intro: INTRO,
		body: [VALUES, ...sections.map(sectionText)],
	});
}

export function agentPage(): ReferencePage {
	const sections = sectionsOf(writtenSchema(agentSchema) as JsonSchema, "");
	return page("agent.md", {
		title: "Keys of an agent's file",
		source: ["src/tunnel/agent/schema.ts"],
		intro: AGENT_INTRO,
		body: sections.map(sectionText),
	});
}

/** A mapping with keys of its own. */
export interface Section {
	/** `listeners[].routes[]`; empty at the top. */
	readonly path: string;
	readonly description: string;
	readonly schema: JsonSchema;
}

/** All mappings with keys, each behind the one that it stands in. */
export function sectionsOf(schema: JsonSchema, path: string, description = ""): Section[] {
	const found: Section[] = [];
	for (const { mapping, place } of mappingsOf(schema, path)) {
		// A mapping that may stand alone or in a list is one.
		if (found.some((each) => sameKeys(each.schema, mapping))) continue;
		found.push({ path: place, description, schema: mapping });
		for (const [key, value] of Object.entries(mapping.properties ?? {}))
			found.push(...sectionsOf(value, place === "" ? key : `${place}.${key}`, value.description));
	}
	return found;
}

/** Lists first, because their place says more. */
function mappingsOf(schema: JsonSchema, path: string): { mapping: JsonSchema; place: string }[] {
	const { anyOf, items, properties, additionalProperties } = schema;
	if (anyOf !== undefined)
		return [...anyOf]
			.sort((a, b) => Number(b.type === "array") - Number(a.type === "array"))
			.flatMap((each) => mappingsOf(each, path));
	if (items !== undefined) return mappingsOf(items, `${path}[]`);
	if (properties !== undefined) return [{ mapping: schema, place: path }];
	return typeof additionalProperties === "object" ? mappingsOf(additionalProperties, `${path}.NAME`) : [];
}

function sameKeys(a: JsonSchema, b: JsonSchema): boolean {
	return JSON.stringify(Object.keys(a.properties ?? {})) === JSON.stringify(Object.keys(b.properties ?? {}));
}

/** What stands in the column of defaults is not said twice. */
function meaningOf({ description = "" }: JsonSchema): string {
	return description.replace(DEFAULT_SENTENCE, "").trimStart();
}

function headingOf(path: string): string {
	return path === "" ? "Top level" : path;
}

export function sectionText({ path, description, schema }: Section): string {
	const { properties = {}, required = [] } = schema;
	const rows = Object.entries(properties).map(([key, value]) => {
		const [first] = mappingsOf(value, path === "" ? key : `${path}.${key}`);
		const mapping = first === undefined ? "mapping" : `[mapping](#${anchorOf(headingOf(first.place))})`;
		return [
			code(key),
			writtenValue(value, mapping),
			defaultOf(value, required.includes(key)),
			meaningOf(value),
		];
	});
	return [
		`## ${headingOf(path)}`,
		...(description === "" ? [] : [description]),
		table(["key", "value", "default", "meaning"], rows),
	].join("\n\n");
}
