/**
 * The reference of the library's pieces, into dist/api (`npm run docs`). It fails where something that is exported
 * has no docstring, or a docstring points to what is not there.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { exports } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
const entries = Object.values(exports)
	.map((target) => /^\.\/dist\/(src\/guard\/[a-z-]+)\.js$/.exec(target.default ?? "")?.[1])
	.filter((path) => path !== undefined)
	.map((path) => `${root}${path}.ts`);

/** @type {Partial<import("typedoc").TypeDocOptions>} */
export default {
	name: "Sluice",
	plugin: [fileURLToPath(new URL("plugin.js", import.meta.url))],
	entryPoints: entries,
	tsconfig: `${root}tsconfig.json`,
	out: `${root}dist/api`,
	readme: "none",
	// Its links would carry the commit, and change with each.
	disableSources: true,
	excludePrivate: true,
	// What a class has from Node is told by Node.
	excludeExternals: true,
	excludeInternal: true,
	validation: { notDocumented: true, invalidLink: true, notExported: true },
	// A reason is a name; what it means is in docs/reference/reasons.md.
	intentionallyNotExported: ["EXPLANATIONS"],
	// A constructor says what its class says, and parameters are told of in the sentence of their function.
	requiredToBeDocumented: [
		"Enum",
		"EnumMember",
		"Variable",
		"Function",
		"Class",
		"Interface",
		"Property",
		"Method",
		"Accessor",
		"TypeAlias",
	],
	// Docstrings that are inherited from Node's streams link to what is not part of this reference.
	externalSymbolLinkMappings: { "@types/node": { "*": "#" } },
	treatWarningsAsErrors: true,
	treatValidationWarningsAsErrors: true,
};
