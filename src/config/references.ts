/** References such as `${PORT}` in the values of a YAML document: each is filled where it stands. */
import { type Document, isPair, isSeq, type Scalar, visit } from "yaml";
import { plainValue, type Secret, type Substituter, unmask } from "./substitute.js";
import { keyText, type Path, startOf } from "./yaml-nodes.js";

export interface Filled {
	/** Scalars of which some reference could not be filled. */
	readonly broken: ReadonlySet<unknown>;
	/** What came out of files, by the scalar that it stands in. */
	readonly secrets: ReadonlyMap<unknown, readonly Secret[]>;
	readonly problems: readonly { offset: number; path: Path; message: string; harmless: boolean }[];
}

export const NOTHING_FILLED: Filled = { broken: new Set(), secrets: new Map(), problems: [] };

/** Fills the references in all values; in keys none can stand. */
export function fillReferences(document: Document.Parsed, text: string, substituter: Substituter): Filled {
	if (!text.includes("${")) return NOTHING_FILLED;
	const broken = new Set<unknown>();
	const secrets = new Map<unknown, readonly Secret[]>();
	const problems: Filled["problems"][number][] = [];

	const fillValue = (node: Scalar.Parsed, written: string, pathTo: () => Path): void => {
		const found = substituter.fill(written);
		// Of a tagged or quoted value the type was said.
		const isPlain = node.type === "PLAIN" && node.tag === undefined;
		node.value = isPlain ? plainValue(found.text) : found.text;
		if (found.secrets.length > 0) secrets.set(node, found.secrets);
		if (found.problems.length > 0) broken.add(node);
		for (const { nth, message } of found.problems)
			problems.push({ offset: openingOf(node, text, nth), path: pathTo(), message, harmless: true });
	};
	visit(document, {
		Scalar: (role, node, ancestors) => {
			if (typeof node.value !== "string") return;
			const written = unmask(node.value);
			node.value = written;
			if (!written.includes("${")) return;
			// Looked for only when it is told: long lists are searched for it.
			const pathTo = (): Path => pathOf(ancestors, role);
			if (role !== "key") return fillValue(node as Scalar.Parsed, written, pathTo);
			const message = `a key stands for itself: nothing is put in place of \${…} in it`;
			problems.push({ offset: startOf(node) ?? 0, path: pathTo(), message, harmless: false });
		},
	});
	return { broken, secrets, problems };
}

/** Where the n-th reference of a scalar begins, unless escapes hide it. */
function openingOf(node: Scalar.Parsed, text: string, nth: number): number {
	const [start, end] = node.range;
	const openings = [...text.slice(start, end).matchAll(/\$\{/g)].map(({ index }) => start + index);
	return openings[nth] ?? start;
}

/** `ancestors`: from the document down to what holds the scalar, pairs included; `role`: its index there. */
function pathOf(ancestors: readonly unknown[], role: unknown): Path {
	const path: PropertyKey[] = [];
	for (const [depth, parent] of ancestors.entries()) {
		const child = ancestors[depth + 1];
		if (isSeq(parent)) path.push(child === undefined ? Number(role) : parent.items.indexOf(child));
		else if (isPair(parent)) path.push(keyText(parent.key) ?? "");
	}
	return path;
}
