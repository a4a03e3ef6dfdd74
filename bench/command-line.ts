/** What the command lines of all benches have in common. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { type ParseArgsConfig, parseArgs } from "node:util";
import { mainOf } from "./systems/sluice.js";

/** An interval of 95 % is then the middle nine of them. */
const ROUNDS = 15;

export const COMMON = {
	rounds: { type: "string", default: String(ROUNDS) },
	only: { type: "string" },
	json: { type: "string" },
	quick: { type: "boolean", default: false },
	help: { type: "boolean", default: false },
} as const;

const COMPARED = { ...COMMON, against: { type: "string" }, systems: { type: "string" } } as const;

/** The command line cannot be followed; the message says why. */
export class UsageError extends Error {
	override readonly name = "UsageError";
}

interface Named {
	readonly id: string;
}

/** What a bench of systems side by side lets its user choose from. */
export interface Choices<Row extends Named, System extends Named> {
	readonly rows: readonly Row[];
	readonly systems: readonly System[];
	/** Whom ratios need, for the usage. */
	readonly ratiosNeed: string;
	/** What another checkout's systems are called there. */
	readonly older: string;
	/** All that are run for those chosen. `dist`: where another checkout of Sluice was built, beside which this one is judged. */
	run(chosen: readonly System[], dist: string | null): readonly System[];
}

/** What was chosen. */
export interface Chosen<Row, System> {
	readonly rounds: number;
	readonly rows: readonly Row[];
	readonly systems: readonly System[];
	readonly json: string | null;
	readonly quick: boolean;
	readonly help: boolean;
}

/** The options of such a bench, for its usage. */
export function optionsText({ rows, systems, ratiosNeed, older }: Choices<Named, Named>): string {
	return `  --rounds N          counted rounds per row, after one warm-up (default ${ROUNDS}; fewer than 6 judge nothing)
  --only ROW,…        rows: ${idsOf(rows)}
  --systems NAME,…    systems: ${idsOf(systems)}
                      (ratios need ${ratiosNeed})
  --against DIRECTORY another checkout of Sluice, built: it runs in every row as ${older}, and it is judged
                      whether this one is slower
  --json FILE         also writes all numbers there; "-": to standard output, instead of the table
  --quick             small rounds, to see that everything works; its numbers prove nothing
  --help              this text
`;
}

export function readChosen<Row extends Named, System extends Named>(
	args: readonly string[],
	choices: Choices<Row, System>,
): Chosen<Row, System> {
	const { rounds, only, systems, against, json = null, quick, help } = parse(args, COMPARED);
	const chosen = choose("system", choices.systems, systems);
	return {
		...{ rounds: toRounds(rounds), rows: choose("row", choices.rows, only), json, quick, help },
		systems: choices.run(chosen, against === undefined ? null : distOf(against)),
	};
}

function distOf(against: string): string {
	const dist = resolve(join(against, "dist"));
	if (!existsSync(mainOf(dist)))
		throw new UsageError(`--against ${against}: no built checkout of Sluice (npm run build there first)`);
	return dist;
}

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

/** Those named, in the order of `all`; all of them when none is named. */
export function choose<T extends Named>(kind: string, all: readonly T[], list: string | undefined): T[] {
	if (list === undefined) return [...all];
	const names = list.split(",");
	for (const name of names)
		if (!all.some((item) => item.id === name))
			throw new UsageError(`unknown ${kind} "${name}"; there are: ${idsOf(all)}`);
	return all.filter((item) => names.includes(item.id));
}

function idsOf(items: readonly Named[]): string {
	return items.map(({ id }) => id).join(", ");
}
