/** The command line. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { type ParseArgsConfig, parseArgs } from "node:util";
import type { Row } from "./bench.js";
import { ROWS } from "./rows/index.js";
import { SYSTEMS } from "./systems/index.js";
import { mainOf, sluice, sluiceBefore, sluiceLogged } from "./systems/sluice.js";
import type { System } from "./systems/system.js";

/** Variants come with the one that they are variants of. */
const CHOICES = SYSTEMS.filter((system) => system.variantOf === undefined);

export const USAGE = `npm run bench -- [options]
npm run bench -- library [options]   what the library costs on a Node server; --help says more
npm run bench -- tunnels [options]   gateway and agent beside other programs for tunnels; --help says more

  --rounds N          counted rounds per row, after one warm-up (default 15; fewer than 6 judge nothing)
  --only ROW,…        rows: ${ROWS.map((row) => row.id).join(", ")}
  --systems NAME,…    systems: ${CHOICES.map((system) => system.id).join(", ")}
                      (ratios need haproxy)
  --against DIRECTORY another checkout of Sluice, built: it runs in every row as sluice-before, and it is judged
                      whether this one is slower
  --json FILE         also writes all numbers there; "-": to standard output, instead of the table
  --quick             small rounds, to see that everything works; its numbers prove nothing
  --help              this text
`;

/** An interval of 95 % is then the middle nine of them. */
const ROUNDS = 15;

/** Of every command of the bench. */
export const COMMON = {
	rounds: { type: "string", default: String(ROUNDS) },
	only: { type: "string" },
	json: { type: "string" },
	quick: { type: "boolean", default: false },
	help: { type: "boolean", default: false },
} as const;

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
	const values = parse(args, OWN);
	return {
		rounds: toRounds(values.rounds),
		rows: choose("row", ROWS, values.only),
		systems: systems(values.systems, values.against),
		json: values.json ?? null,
		quick: values.quick,
		help: values.help,
	};
}

const OWN = { ...COMMON, against: { type: "string" }, systems: { type: "string" } } as const;

/** Throws UsageError for what is not among the options. */
export function parse<const T extends NonNullable<ParseArgsConfig["options"]>>(
	args: readonly string[],
	options: T,
): ReturnType<typeof parseArgs<{ args: string[]; options: T }>>["values"] {
	try {
		return parseArgs({ args: [...args], options }).values;
	} catch (error) {
		throw new UsageError(error instanceof Error ? error.message : String(error));
	}
}

export function toRounds(text: string): number {
	const count = Number(text);
	if (!Number.isInteger(count) || count < 1)
		throw new UsageError(`--rounds ${text}: not a positive whole number`);
	return count;
}

function systems(list: string | undefined, against: string | undefined): System[] {
	const chosen = choose("system", CHOICES, list);
	const all = SYSTEMS.filter(
		(system) => chosen.includes(system) || chosen.some(({ id }) => id === system.variantOf),
	);
	if (against === undefined) return all;
	const dist = resolve(join(against, "dist"));
	if (!existsSync(mainOf(dist)))
		throw new UsageError(`--against ${against}: no built checkout of Sluice (npm run build there first)`);
	const older = sluiceBefore(dist);
	// Beside the ones that they are compared with.
	return all.flatMap((system) => {
		const at = [sluice, sluiceLogged].indexOf(system);
		return older[at] === undefined ? [system] : [system, older[at]];
	});
}

/** Those named, in the order of `all`; all of them when none is named. */
export function choose<T extends { readonly id: string }>(
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
