/** What the YAML library says of broken syntax, as what to do about it. */
import type { YAMLParseError } from "yaml";
import { adviceForPlaceholder } from "./placeholder.js";

/** `line`: the line at fault; `text`: the whole file, for what began earlier. */
export function syntaxMessage({ code, message }: YAMLParseError, line: string, text: string): string {
	const said = message.split("\n")[0] ?? message;
	// Whatever it makes of the rest, YAML has read a mapping in a mapping.
	const placeholder = /\{\{/.test(line) ? adviceForPlaceholder(line) : null;
	if (placeholder !== null) return placeholder;
	return adviceFor(code, said, line, text) ?? `broken YAML: ${said}`;
}

const ALIGN =
	"the indentation does not fit: keys of one mapping begin in the same column, and so do the dashes of one list; what belongs to a key is indented further than it";

function adviceFor(code: string, said: string, line: string, text: string): string | undefined {
	switch (code) {
		case "TAB_AS_INDENT":
			return "a tab cannot indent in YAML: write spaces, two for each level";
		case "MISSING_CHAR": {
			const [, quote] = /^Missing closing (["'])/.exec(said) ?? [];
			if (quote !== undefined) return unclosedQuote(quote, text);
			// A word behind a quoted one: `'it's'`, `"a" b`.
			if (/space|between/.test(said)) return "a space is missing here: write `key: value` and `- item`";
			return ALIGN;
		}
		case "BAD_INDENT":
			return /end with a ([\]}])/.test(said) ? unclosedBracket(said) : ALIGN;
		case "BLOCK_AS_IMPLICIT_KEY":
			if (/^\s*-[A-Za-z_]/.test(line)) return "a dash needs a space behind it: write `- item`";
			return colons(line)
				? 'two keys on one line: a value that contains ": " stands in quotes, and a mapping in one line in { }'
				: ALIGN;
		case "MULTILINE_IMPLICIT_KEY":
			return missingSpace(line) ?? ALIGN;
		case "BLOCK_IN_FLOW":
			return "a comma is missing between { and } or [ and ]: write { listen: 0.0.0.0:443, routes: [...] }";
		case "UNEXPECTED_TOKEN":
			return unexpected(said);
		case "BAD_SCALAR_START":
			return `a text that begins with "${said.at(-1)}" stands in quotes`;
		case "BAD_DQ_ESCAPE":
			return "in double quotes a backslash begins an escape: write \\\\ for a backslash, or use single quotes";
		case "MULTIPLE_DOCS":
			return 'one file is one configuration: remove "---" and "..." between its parts';
		case "TAG_RESOLVE_FAILED":
			return 'what begins with "!" is a tag to YAML, and none is known here: put the text in quotes';
		default:
			return undefined;
	}
}

function unclosedQuote(quote: string, text: string): string {
	const lines = text.split("\n");
	const index = lines.findIndex((line) => line.split(quote).length % 2 === 0);
	const where = index < 0 ? "" : ` on line ${index + 1}`;
	return `a quote (${quote}) is opened${where} and not closed: add the closing one`;
}

function unclosedBracket(said: string): string {
	const closing = said.at(-1) === "}" ? "}" : "]";
	const opening = closing === "}" ? "{" : "[";
	return `"${opening}" is opened before and not closed: add "${closing}", behind what belongs in it`;
}

function unexpected(said: string): string | undefined {
	const [, token] = /"([\]}])"$/.exec(said) ?? [];
	if (token !== undefined) return `"${token}" closes nothing that is open: remove it, or add its opening one`;
	if (said.includes("block-seq-ind"))
		return "a list begins on the line below its key: a dash and a space before each item";
	if (said.includes("Unexpected ,")) return "nothing stands before this comma: remove it";
	if (said.includes("node end"))
		return "this stands behind a value that has ended: put the whole value in one pair of quotes (a quote within single quotes is written twice)";
	return undefined;
}

function colons(line: string): boolean {
	return line.split(/:\s/).length > 2;
}

/** `listen:443` and `listen 443` are texts to YAML, and no keys. */
function missingSpace(line: string): string | undefined {
	const [, key] = /^\s*(?:-\s+)?([a-z_]+)(?::\S|\s+\S)/.exec(line) ?? [];
	return key === undefined
		? undefined
		: `"${key}" is no key so: write "${key}: ", a colon and a space before its value`;
}
