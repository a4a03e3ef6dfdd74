/** The command line of `npm run bench -- library`. */
import { COMMON, choose, parse, toRounds } from "../command-line.js";
import type { LibraryRow } from "./row.js";
import { LIBRARY_ROWS } from "./rows.js";

export const LIBRARY_USAGE = `npm run bench -- library [options]

What the library costs on a Node server: the same server without it and with it, in pairs.

  --rounds N   pairs per row (default ${COMMON.rounds.default}; fewer than 6 judge nothing; rows whose rounds are long take two fifths)
  --only ROW,… rows: ${LIBRARY_ROWS.map((row) => row.id).join(", ")}
  --json FILE  also writes all numbers there; "-": to standard output, instead of the table
  --quick      small rounds, to see that everything works; its numbers prove nothing
  --help       this text
`;

export interface LibraryOptions {
	readonly rounds: number;
	readonly rows: readonly LibraryRow[];
	readonly json: string | null;
	readonly quick: boolean;
	readonly help: boolean;
}

export function readLibraryOptions(args: readonly string[]): LibraryOptions {
	const { rounds, only, json = null, quick, help } = parse(args, COMMON);
	return { rounds: toRounds(rounds), rows: choose("row", LIBRARY_ROWS, only), json, quick, help };
}
