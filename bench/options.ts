/** The command line. */
import { parseArgs } from "node:util";
import type { Row } from "./bench.js";
import { ROWS } from "./rows/index.js";
import { SYSTEMS } from "./systems/index.js";
import type { System } from "./systems/system.js";

export const USAGE = `npm run bench -- [options]

  --rounds N          counted rounds per row, after one warm-up (default 5)
  --only ROW,…        rows: ${ROWS.map((row) => row.id).join(", ")}
  --systems NAME,…    systems: ${SYSTEMS.map((system) => system.id).join(", ")}
                      (ratios need haproxy)
  --json FILE         also writes all numbers there; "-": to standard output, instead of the table
  --quick             small rounds, to see that everything works; its numbers prove nothing
  --help              this text
`;

export interface Options {
	readonly rounds: number;
	readonly rows: readonly Row[];
	readonly systems: readonly System[];
	readonly json: string | null;
	readonly quick: boolean;
	readonly help: boolean;
}

/** The command line cannot be followed; the message says why. */
export class UsageError extends Error {
	override readonly name = "UsageError";
}

export function readOptions(args: readonly string[]): Options {
	const { values } = parse(args);
	return {
		rounds: rounds(values.rounds),
		rows: choose("row", ROWS, values.only),
		systems: choose("system", SYSTEMS, values.systems),
		json: values.json ?? null,
		quick: values.quick,
		help: values.help,
	};
}

function parse(args: readonly string[]) {
	try {
		return parseArgs({
			args: [...args],
			options: {
				rounds: { type: "string", default: "5" },
				only: { type: "string" },
				systems: { type: "string" },
				json: { type: "string" },
				quick: { type: "boolean", default: false },
				help: { type: "boolean", default: false },
			},
		});
	} catch (error) {
		throw new UsageError(error instanceof Error ? error.message : String(error));
	}
}

function rounds(text: string): number {
	const count = Number(text);
	if (!Number.isInteger(count) || count < 1)
		throw new UsageError(`--rounds ${text}: not a positive whole number`);
	return count;
}

/** Those named, in the order of `all`; all of them when none is named. */
function choose<T extends { readonly id: string }>(
	kind: string,
	all: readonly T[],
	list: string | undefined,
): T[] {
	if (list === undefined) return [...all];
	const names = list.split(",");
	for (const name of names)
		if (!all.some((item) => item.id === name))
			throw new UsageError(`unknown ${kind} "${name}"; there are: ${all.map((item) => item.id).join(", ")}`);
	return all.filter((item) => names.includes(item.id));
}
