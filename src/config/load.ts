/** Reads `sluice.yaml`: text → YAML → schema → rules → Config, or every problem at once. */

import { dirname, resolve } from "node:path";
import { writtenParts } from "./changes.js";
import type { Config } from "./config.js";
import { ConfigError, ConfigFileError, type Problem, placeOf } from "./errors.js";
import { explainIssue } from "./explain.js";
import { adviceForForeign } from "./foreign-keys.js";
import { didYouMean, nearest } from "./nearest.js";
import { list, mapping } from "./plain.js";
import { readFileWithin } from "./read-file.js";
import { resolveConfig } from "./resolve.js";
import { checkRules } from "./rules.js";
import { configSchema, sectionKeys } from "./schema.js";
import { type Path, type Report, readSource, type Source } from "./source.js";
import { checkUnused } from "./unused-rules.js";

/** 65,536 routes of 120 characters are 8 MiB; more is no configuration. */
const FILE_MAX_BYTES = 16 * 1_048_576;

/**
 * The configuration in a file. A pipe, such as `<(command)`, has five seconds to give all of it.
 *
 * @throws ConfigFileError when the file cannot be read
 * @throws ConfigError with every problem in it
 */
export function loadConfigFile(path: string): Config {
	return loadConfigText(readConfigFile(path, true), { file: path });
}

/**
 * The same, of a file that has been loaded before. A pipe has been read to its end by then, so one is an error, and
 * nobody waits for it.
 *
 * @throws ConfigFileError, ConfigError
 */
export function reloadConfigFile(path: string): Config {
	return loadConfigText(readConfigFile(path, false), { file: path });
}

export interface LoadOptions {
	/** How problems call it; also `Config.file`, made absolute. Default: `<config>`, and `null`. */
	readonly file?: string;
	/** What relative paths are relative to. Default: the file's directory, or the current one. */
	readonly baseDir?: string;
	/** What `${VAR}` stands for. Default: the environment of the process. */
	readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * The configuration in a text. References in it are filled from the environment and from files, whoever wrote it: a text of
 * somebody who may not read those is not for this function.
 *
 * @throws ConfigError with every problem in it
 */
export function loadConfigText(text: string, options: LoadOptions = {}): Config {
	const file = options.file === undefined ? null : resolve(options.file);
	const baseDir = options.baseDir ?? (file === null ? process.cwd() : dirname(file));
	const source = readSource(text, options.file ?? "<config>", { env: options.env ?? process.env, baseDir });
	const problems = [...source.problems];
	// Broken syntax leaves nothing to check: what the parser made of it was not written by anybody.
	if (source.value === undefined) throw new ConfigError(inOrder(problems));
	if (source.value === null) {
		problems.push(source.problem([], 'the file is empty: write at least "listeners" and "upstreams"'));
		throw new ConfigError(inOrder(problems));
	}

	const result = configSchema.safeParse(source.value);
	const note = (problem: Problem): void => {
		if (!source.isEcho(problem)) problems.push(problem);
	};
	for (const issue of result.error?.issues ?? []) explainIssue(issue, source, unknownKey).forEach(note);
	const warnings: Problem[] = [];
	const report: Report = {
		problem: (path, message, part) => note(source.problem(path, message, part)),
		warning: (path, message, part) => warnings.push(source.problem(path, message, part)),
		lineOf: source.lineOf,
	};
	checkRules(source.value, baseDir, report);
	if (!result.success || problems.length > 0) throw new ConfigError(inOrder([...problems, ...warnings]));
	checkUnused(result.data, source.value, report);
	const config = resolveConfig(result.data, file, baseDir);
	return {
		...config,
		...{ warnings: inOrder(warnings), places: placesOf(source, baseDir), parts: writtenParts(source.value) },
	};
}

/**
 * The text of a file. `pipes`: also what comes out of a pipe, which has five seconds.
 *
 * @throws ConfigFileError
 */
export function readConfigFile(path: string, pipes: boolean): string {
	let bytes: Buffer;
	try {
		bytes = readFileWithin(path, { maxBytes: FILE_MAX_BYTES, pipes });
	} catch (error) {
		throw new ConfigFileError(path, readFailure(error), { cause: error });
	}
	try {
		return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
	} catch (error) {
		throw new ConfigFileError(path, "not a UTF-8 text: is this the right file?", { cause: error });
	}
}

function readFailure(error: unknown): string {
	const code = error instanceof Error && "code" in error ? error.code : undefined;
	if (code === "ENOENT") return "no such file: name one with -c";
	if (code === "EACCES") return "permission denied: the user that runs sluice must be able to read it";
	return error instanceof Error ? error.message : String(error);
}

/** In the order of the file; a message that two checks agree on is told once. */
export function inOrder(problems: readonly Problem[]): readonly Problem[] {
	const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
	const told = new Set<string>();
	return sorted.filter((problem) => {
		const key = `${problem.line}:${problem.column}:${problem.message}`;
		return !told.has(key) && told.add(key);
	});
}

/** Where the file names others, for whoever finds something wrong in those. */
function placesOf(source: Source, baseDir: string): Config["places"] {
	const places = new Map<string, ReadonlyMap<string, string>>();
	const visit = (value: unknown, keys: readonly string[], path: Path, scope: string): void => {
		const files = new Map<string, string>();
		for (const key of keys) {
			const name = mapping(value)[key];
			if (typeof name !== "string") continue;
			const file = resolve(baseDir, name);
			const place = placeOf(source.problem([...path, key], ""));
			if (key === "key") files.set(keyPlace(file), place);
			if (!files.has(file)) files.set(file, place);
		}
		if (files.size > 0) places.set(scope, files);
	};
	const { admin, hub, listeners, tunnels, upstreams } = mapping(source.value);
	visit(hub, ["keys"], ["hub"], "hub");
	visit(mapping(admin)["tls"], ["cert", "key"], ["admin", "tls"], "admin");
	visit(mapping(tunnels)["tls"], ["cert", "key"], ["tunnels", "tls"], "tunnels");
	for (const [index, listener] of list(listeners).entries())
		for (const [entry, certificate] of list(mapping(listener)["tls"]).entries())
			visit(
				certificate,
				["cert", "client_ca", "ocsp", "key"],
				["listeners", index, "tls", entry],
				`listeners.${index}.tls.${entry}`,
			);
	for (const [name, upstream] of Object.entries(mapping(upstreams)))
		visit(mapping(upstream)["tls"], ["ca", "cert", "key"], ["upstreams", name, "tls"], `upstreams.${name}`);
	return places;
}

/** Where a file is named as a private key: it may be named as something else as well, and be right there. */
export function keyPlace(file: string): string {
	return `key ${file}`;
}

let keysByPlace: ReadonlyMap<string, readonly string[]> | null = null;

function unknownKey(key: string, path: Path): string {
	// Names of upstreams and indexes are free; all other steps are keys of the schema.
	const place = path
		.map((step, index) =>
			typeof step === "number" || (index === 1 && path[0] === "upstreams") ? "*" : String(step),
		)
		.join(".");
	keysByPlace ??= sectionKeys();
	const known = keysByPlace.get(place) ?? [];
	const [, word = ""] = /^([a-z_]+)[:\s]\s*\S/.exec(key) ?? [];
	if (known.includes(word))
		return `"${key}" is no key: write "${word}: ", a colon and a space before its value`;
	if (/[^\S ]|^ | $/.test(key))
		return `the key "${key}" has blanks that are no spaces, as some editors write them: remove them`;
	const instead = adviceForForeign(place, key);
	if (instead !== null) return `unknown key "${key}" here; ${instead}`;
	const hint = didYouMean(key, known);
	if (hint !== "") return `unknown key "${key}"${hint}`;
	const everywhere = [...keysByPlace.values()].flat();
	const meant = everywhere.includes(key) ? key : nearest(key, everywhere);
	for (const [elsewhere, keys] of keysByPlace) {
		if (meant === null || !keys.includes(meant)) continue;
		return `unknown key "${key}" here; "${meant}" belongs ${placeName(elsewhere)}`;
	}
	return `unknown key "${key}"; known here: ${known.join(", ")}`;
}

function placeName(place: string): string {
	if (place === "") return "at the top of the file";
	if (place === "listeners.*") return "in a listener";
	if (place === "listeners.*.routes.*") return "in a route";
	if (place === "upstreams.*") return "in an upstream";
	return `under "${place.replaceAll(".*", "")}"`;
}
