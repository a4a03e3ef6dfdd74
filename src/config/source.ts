/** The YAML text: its plain value, and where in the text each part of it stands. */

import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from "yaml";
import type { Problem } from "./errors.js";
import { adviceForPlaceholder } from "./placeholder.js";
import { fillReferences, NOTHING_FILLED } from "./references.js";
import { mask, Substituter, type Surroundings, unmask, withoutSecrets } from "./substitute.js";
import { keyText, type Path, startOf } from "./yaml-nodes.js";
import { syntaxMessage } from "./yaml-words.js";

export type { Path };

/** Every route may be an alias; more expansions than that are a mistake or a bomb. */
const ALIASES_MAX = 100_000;

/** `key`: where the key of the last step stands; `value`: where its value begins. */
export type Part = "key" | "value";

/** Where rules say what is wrong. */
export interface Report {
	problem(path: Path, message: string, part?: Part): void;
	/** The file can be followed, but not as it was meant. */
	warning(path: Path, message: string, part?: Part): void;
	lineOf(path: Path): number;
}

export interface Source {
	/** The file's value in plain objects, references filled; undefined when the syntax is broken. */
	readonly value: unknown;
	/** Broken syntax, duplicate keys, bad aliases. */
	readonly problems: readonly Problem[];
	/** Without what came out of files. */
	problem(path: Path, message: string, part?: Part): Problem;
	/** It is about a value whose reference could not be filled, and that was told. */
	isEcho(problem: Problem): boolean;
	/** Line of the value (from 1). */
	lineOf(path: Path): number;
}

export function readSource(text: string, file: string, surroundings: Surroundings): Source {
	const lines = new LineCounter();
	// Unique keys are checked below: the library's own check is quadratic, and cannot name the first line.
	const document = parseDocument(mask(text), { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
	const problems: Problem[] = [];
	const targets = new Map<Node, Node>();
	const echoes = new WeakSet<Problem>();
	let filled = NOTHING_FILLED;

	const at = (offset: number, path: Path, message: string): Problem => {
		// The line counter knows no line of an empty text, and says 0 then.
		const { line, col } = lines.linePos(Math.min(offset, text.length));
		const start = lines.lineStarts[line - 1] ?? 0;
		const end = lines.lineStarts[line] ?? text.length;
		const excerpt = text.slice(start, end).replace(/\r?\n$/, "");
		return {
			file,
			line: Math.max(line, 1),
			column: Math.max(col, 1),
			path: pathText(path),
			message,
			excerpt,
		};
	};

	/** Where it stands, and what stands there, if anything does. */
	const locate = (path: Path, part: Part): readonly [offset: number, node?: unknown] => {
		let node: unknown = document.contents;
		let offset = startOf(node) ?? 0;
		for (const [depth, step] of path.entries()) {
			if (isAlias(node)) node = targets.get(node);
			if (isSeq(node)) {
				node = node.items[Number(step)];
			} else if (isMap(node)) {
				// The last, because of a key that stands twice the last value counts.
				const pair: Pair | undefined = node.items.findLast(({ key }) => keyText(key) === String(step));
				// A missing key: the mapping it is missing from is the nearest place there is.
				if (pair === undefined) return [offset];
				node = part === "key" && depth === path.length - 1 ? pair.key : pair.value;
				// An empty value stands nowhere; its key does.
				if (isScalar(node) && node.value === null && node.source === "") node = pair.key;
			} else return [offset];
			offset = startOf(node) ?? offset;
		}
		return [offset, isAlias(node) ? targets.get(node) : node];
	};

	// Behind a tab nothing is read as it was meant.
	const tabs = document.errors.filter(({ code }) => code === "TAB_AS_INDENT");
	// Nor behind what a template engine was to replace.
	const templated = document.errors.find(({ pos }) => at(pos[0], [], "").excerpt.includes("{{"));
	for (const error of tabs.length > 0 ? tabs : templated ? [templated] : document.errors) {
		const [offset] = error.pos;
		const place = at(offset, [], "");
		const problem = { ...place, message: unmask(syntaxMessage(error, place.excerpt, text)) };
		// One mistake often has several echoes; the first of a line is the one that helps.
		if (problems.at(-1)?.line === problem.line) continue;
		problems.push({ ...problem, message: problem.message + bracketHint(problem.excerpt) });
	}
	for (const warning of document.warnings) {
		const place = at(warning.pos[0], [], "");
		problems.push({ ...place, message: syntaxMessage(warning, place.excerpt, text) });
	}

	let sound = problems.length === 0;
	if (sound) {
		filled = fillReferences(document, text, new Substituter(surroundings));
		for (const { offset, path, message, harmless } of filled.problems) {
			problems.push(at(offset, path, message));
			sound &&= harmless;
		}
		const lineAt = (offset: number): number => lines.linePos(offset).line;
		const textAt = (offset: number): string => at(offset, [], "").excerpt;
		inspect(document.contents, targets, lineAt, textAt, (offset, path, message, harmless) => {
			problems.push(at(offset, path, unmask(message)));
			sound &&= harmless;
		});
	}
	let value: unknown;
	if (sound) {
		try {
			value = document.toJS({ maxAliasCount: ALIASES_MAX });
		} catch (error) {
			if (!(error instanceof ReferenceError)) throw error;
			problems.push(at(0, [], `more than ${ALIASES_MAX} aliases, counted with all they contain`));
		}
	}
	return {
		value,
		problems,
		problem: (path, message, part = "value") => {
			const [offset, node] = locate(path, part);
			const own = filled.secrets.get(node) ?? [];
			const problem = at(offset, path, withoutSecrets(message, [...filled.secrets.values()].flat(), own));
			if (filled.broken.has(node)) echoes.add(problem);
			return problem;
		},
		isEcho: (problem) => echoes.has(problem),
		lineOf: (path) => lines.linePos(locate(path, "value")[0]).line,
	};
}

/** `listeners[0].routes[3].sni` */
export function pathText(path: Path): string {
	return path
		.map((step, index) =>
			typeof step === "number" ? `[${step}]` : index === 0 ? String(step) : `.${String(step)}`,
		)
		.join("");
}

type Complain = (offset: number, path: Path, message: string, harmless: boolean) => void;

/**
 * Walks the whole tree once, for what the library lets pass: duplicate and odd keys, aliases to nothing.
 * Remembers in `targets` what each alias stands for. `harmless`: the value is still worth checking.
 */
function inspect(
	root: unknown,
	targets: Map<Node, Node>,
	lineAt: (offset: number) => number,
	textAt: (offset: number) => string,
	complain: Complain,
): void {
	const anchors = new Map<string, Node>();
	const path: PropertyKey[] = [];

	const visit = (node: unknown): void => {
		if (isAlias(node)) {
			const target = anchors.get(node.source);
			if (target !== undefined) targets.set(node, target);
			else complain(startOf(node) ?? 0, path, aliasMessage(node.source), false);
			return;
		}
		if (isSeq(node)) {
			for (const [index, item] of node.items.entries()) {
				path.push(index);
				visit(item);
				path.pop();
			}
		} else if (isMap(node)) {
			const first = new Map<string, number>();
			for (const { key, value } of node.items) {
				const name = keyText(key);
				const offset = startOf(key) ?? startOf(value) ?? startOf(node) ?? 0;
				if (name === null || name === "__proto__") {
					const advice = isMap(key) ? adviceForPlaceholder(textAt(offset)) : null;
					complain(offset, path, advice ?? "a key is a plain word, such as listeners", false);
					continue;
				}
				path.push(name);
				const earlier = first.get(name);
				if (earlier === undefined) first.set(name, offset);
				else complain(offset, path, duplicateMessage(name, lineAt(earlier)), true);
				visit(value);
				path.pop();
			}
		}
		// After its content: an alias inside of what it stands for has no value.
		if ((isScalar(node) || isSeq(node) || isMap(node)) && node.anchor !== undefined) {
			anchors.set(node.anchor, node);
		}
	};
	visit(root);
}

function duplicateMessage(name: string, line: number): string {
	return `"${name}" is already given on line ${line}: remove one of the two`;
}

function aliasMessage(name: string): string {
	return `"*${name}" begins with "*", which YAML reads as a reference to "&${name}": put it in quotes, "*${name}"`;
}

/** `listen: [::1]:443` is a list to YAML. */
function bracketHint(line: string): string {
	const [address] = /(?<!["'\w])\[[0-9a-f:.]*:[0-9a-f:.]*\](:\d+)?/i.exec(line) ?? [];
	return address === undefined ? "" : `; an address in brackets must stand in quotes: "${address}"`;
}
