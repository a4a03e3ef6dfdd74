/** What one configuration has that another has not, in the words of their files. Digests are compared: a file may be large, and hold secrets. */
import { createHash } from "node:crypto";
import { list, type Mapping, mapping } from "./plain.js";

/**
 * By part, `timeouts`, `upstreams.web` or `listeners[0.0.0.0:443]` (`…#2`: another one of that name): a digest of each of its keys; of what
 * is no mapping, or an empty one, one under "".
 */
export type WrittenParts = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Parts and keys, such as `upstreams.web` and `timeouts.idle`. */
export interface ConfigChanges {
	/** Listeners and upstreams that were not there before. */
	readonly added: readonly string[];
	readonly removed: readonly string[];
	/** What says something else now, comes to be said, or is said no more. */
	readonly changed: readonly string[];
}

/** What a reload has done. */
export interface Reloaded extends ConfigChanges {
	/** Keys whose values of the start hold until the next one; they are not among those that changed. */
	readonly needs_restart: readonly string[];
}

/** `waiting`: keys that wait for a restart. */
export function reloadedBy({ added, removed, changed }: ConfigChanges, waiting: readonly string[]): Reloaded {
	const waits = (name: string): boolean => waiting.some((key) => name === key || name.startsWith(`${key}.`));
	return { added, removed, changed: changed.filter((name) => !waits(name)), needs_restart: waiting };
}

/** `value`: a whole file's. */
export function writtenParts(value: unknown): WrittenParts {
	const { listeners, upstreams, ...sections } = mapping(value);
	const parts = new Map<string, ReadonlyMap<string, string>>();
	for (const [name, section] of Object.entries(sections)) parts.set(name, digests(section));
	for (const each of list(listeners)) {
		const name = `listeners[${String(mapping(each)["listen"])}]`;
		// Several may take any port.
		let part = name;
		for (let other = 2; parts.has(part); other++) part = `${name}#${other}`;
		parts.set(part, digests(each));
	}
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
	// What was no mapping, and is one now, has its keys told.
	const isMappingNow = after.size > 0 && !after.has("");
	return [...keys]
		.filter((key) => before.get(key) !== after.get(key) && !(key === "" && isMappingNow))
		.map((key) => (key === "" ? part : `${part}.${key}`));
}

/** One of several of its kind, which comes and goes as a whole. */
function isEntry(part: string): boolean {
	return part.startsWith("upstreams.") || part.startsWith("listeners[");
}

function digests(value: unknown): ReadonlyMap<string, string> {
	const ofMapping = mapping(value);
	const keys: Mapping = Object.keys(ofMapping).length > 0 ? ofMapping : { "": value };
	return new Map(Object.entries(keys).map(([key, each]) => [key, digest(each)]));
}

/** In which order a mapping has its keys says nothing. */
function inOrder(_: string, value: unknown): unknown {
	const entries = Object.entries(mapping(value));
	return entries.length === 0 ? value : Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function digest(value: unknown): string {
	return createHash("sha256")
		.update(JSON.stringify(value, inOrder) ?? "")
		.digest("base64url");
}
