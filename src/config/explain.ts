/** What a schema finds wrong, told at its place in the file. */
import type { core } from "zod";
import type { Problem } from "./errors.js";
import type { Path, Source } from "./source.js";

/** What to say of a key that the schema has not, and where it stands. */
export type UnknownKey = (key: string, path: Path) => string;

/** A schema issue as problems at their place. `base` is where the issue's own path begins. */
export function explainIssue(
	issue: core.$ZodIssue,
	source: Source,
	unknownKey: UnknownKey,
	base: Path = [],
): Problem[] {
	const path = [...base, ...issue.path];
	switch (issue.code) {
		case "unrecognized_keys":
			return issue.keys.map((key) => source.problem([...path, key], unknownKey(key, path), "key"));
		case "invalid_key":
			return issue.issues.map(({ message }) => source.problem(path, message, "key"));
		case "invalid_union": {
			// The alternative whose kind of value was meant; without one, the union itself says what it takes.
			const meant = issue.errors.find((issues) => !issues.some(isWrongKind));
			if (meant === undefined) return wrongKind(issue.message, path, source);
			return meant.flatMap((inner) => explainIssue(inner, source, unknownKey, path));
		}
		case "invalid_type":
			return wrongKind(issue.message, path, source);
		default:
			return [source.problem(path, issue.message)];
	}
}

/** Not merely a bad value of the right kind: another kind of value. */
function isWrongKind(issue: core.$ZodIssue): boolean {
	return issue.path.length === 0 && (issue.code === "invalid_type" || issue.code === "invalid_value");
}

/** A value of another kind than expected, or none at all. */
function wrongKind(message: string, path: Path, source: Source): Problem[] {
	if (path.length === 0 || valueAt(source.value, path) !== undefined) return [source.problem(path, message)];
	const key = path.at(-1);
	// `http:` instead of `addresses:` is one mistake, and has a message of its own.
	if (key === "addresses" && valueAt(source.value, [...path.slice(0, -1), "http"]) !== undefined) return [];
	return [source.problem(path, `the key "${String(key)}" is missing: ${message}`)];
}

function valueAt(value: unknown, path: Path): unknown {
	let current = value;
	for (const step of path) {
		if (typeof current !== "object" || current === null || !Object.hasOwn(current, step)) return undefined;
		current = (current as Readonly<Record<PropertyKey, unknown>>)[step];
	}
	return current;
}
