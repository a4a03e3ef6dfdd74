/** What one configuration has that another has not, in the words of their files. Digests are compared: a file may be large, and hold secrets. */
import { createHash } from "node:crypto";
import { list, type Mapping, mapping } from "./plain.js";

/** By part, `timeouts`, `upstreams.web` or `listeners[0.0.0.0:443]`: a digest of each of its keys; of what is no mapping, one under "". */
export type WrittenParts = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Parts and keys, such as `upstreams.web` and `timeouts.idle`. */
export interface ConfigChanges {
	/** Listeners and upstreams that were not there before. */
	readonly added: readonly string[];
	readonly removed: readonly string[];
	/** What says something else now, comes to be said, or is said no more. */
	readonly changed: readonly string[];
}

/** `value`: a whole file's. */
export function writtenParts(value: unknown): WrittenParts {
	const { listeners, upstreams, ...sections } = mapping(value);
	const parts = new Map<string, ReadonlyMap<string, string>>();
	for (const [name, section] of Object.entries(sections)) parts.set(name, digests(section));
	for (const each of list(listeners))
		parts.set(`listeners[${String(mapping(each)["listen"])}]`, digests(each));
	for (const [name, each] of Object.entries(mapping(upstreams)))
		parts.set(`upstreams.${name}`, digests(each));
	return parts;
}

export function changesBetween(before: WrittenParts, after: WrittenParts): ConfigChanges {
	const [added, removed, changed]: [string[], string[], string[]] = [[], [], []];
	for (const part of new Set([...after.keys(), ...before.keys()])) {
		if (isEntry(part) && !before.has(part)) added.push(part);
		else if (isEntry(part) && !after.has(part)) removed.push(part);
		else changed.push(...changedIn(part, before.get(part), after.get(part)));
	}
	return { added, removed, changed };
}

/** The same for a line of the log: of each kind so many at most, and how many more there are. */
export function shortened({ added, removed, changed }: ConfigChanges, most: number): ConfigChanges {
	const short = (names: readonly string[]): readonly string[] =>
		names.length <= most ? names : [...names.slice(0, most), `… and ${names.length - most} more`];
	return { added: short(added), removed: short(removed), changed: short(changed) };
}

function changedIn(
	part: string,
	before: ReadonlyMap<string, string> = new Map(),
	after: ReadonlyMap<string, string> = new Map(),
): string[] {
	const keys = new Set([...after.keys(), ...before.keys()]);
	return [...keys]
		.filter((key) => before.get(key) !== after.get(key))
		.map((key) => (key === "" ? part : `${part}.${key}`));
}

/** One of several of its kind, which comes and goes as a whole. */
function isEntry(part: string): boolean {
	return part.startsWith("upstreams.") || part.startsWith("listeners[");
}

function digests(value: unknown): ReadonlyMap<string, string> {
	const isMapping = typeof value === "object" && value !== null && !Array.isArray(value);
	const keys: Mapping = isMapping ? (value as Mapping) : { "": value };
	return new Map(Object.entries(keys).map(([key, each]) => [key, digest(each)]));
}

function digest(value: unknown): string {
	return createHash("sha256")
		.update(JSON.stringify(value) ?? "")
		.digest("base64url");
}
