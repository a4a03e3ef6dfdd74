/** What is asked of the nodes of a YAML document. */
import { isAlias, isMap, isScalar, isSeq } from "yaml";

/** Keys and indexes from the top of the file: `["listeners", 0, "listen"]`. */
export type Path = readonly PropertyKey[];

export function keyText(key: unknown): string | null {
	if (!isScalar(key)) return null;
	return key.value === null ? null : String(key.value);
}

export function startOf(node: unknown): number | undefined {
	if (isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)) return node.range?.[0];
	return undefined;
}
