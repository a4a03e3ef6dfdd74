/** The command line of `npm run bench -- tunnels`. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { COMMON, choose, parse, toRounds, UsageError } from "../options.js";
import { mainOf } from "../systems/sluice.js";
import type { TunnelRow } from "./bench.js";
import { TUNNEL_ROWS } from "./rows/index.js";
import type { TunnelSystem } from "./system.js";
import { TUNNEL_SYSTEMS } from "./systems/index.js";
import { sluiceTunnelsBefore } from "./systems/sluice.js";

export const TUNNELS_USAGE = `npm run bench -- tunnels [options]

A gateway and an agent of Sluice beside those of other programs, with the same visitors. What is not on the PATH is left
out, and it is said how to get it.

  --rounds N          counted rounds per row, after one warm-up (default ${COMMON.rounds.default}; fewer than 6 judge nothing)
  --only ROW,…        rows: ${TUNNEL_ROWS.map((row) => row.id).join(", ")}
  --systems NAME,…    systems: ${TUNNEL_SYSTEMS.map((system) => system.id).join(", ")}
                      (ratios need rathole and rathole-again; of lines with TLS rathole-noise)
  --against DIRECTORY another checkout of Sluice, built: it runs in every row as sluice-before-…, and it is judged
                      whether this one is slower
  --json FILE         also writes all numbers there; "-": to standard output, instead of the table
  --quick             small rounds, to see that everything works; its numbers prove nothing
  --help              this text
`;

export interface TunnelOptions {
	readonly rounds: number;
	readonly rows: readonly TunnelRow[];
	readonly systems: readonly TunnelSystem[];
	readonly json: string | null;
	readonly quick: boolean;
	readonly help: boolean;
}

const OWN = { ...COMMON, against: { type: "string" }, systems: { type: "string" } } as const;

export function readTunnelOptions(args: readonly string[]): TunnelOptions {
	const { rounds, only, systems, against, json = null, quick, help } = parse(args, OWN);
	const chosen = choose("system", TUNNEL_SYSTEMS, systems);
	return {
		...{ rounds: toRounds(rounds), rows: choose("row", TUNNEL_ROWS, only), json, quick, help },
		systems: against === undefined ? chosen : withOlder(chosen, against),
	};
}

/** Each of Sluice's with the same of another checkout behind it. */
function withOlder(chosen: readonly TunnelSystem[], directory: string): TunnelSystem[] {
	const dist = resolve(join(directory, "dist"));
	if (!existsSync(mainOf(dist)))
		throw new UsageError(`--against ${directory}: no built checkout of Sluice (npm run build there first)`);
	const older = sluiceTunnelsBefore(dist);
	return chosen.flatMap((system) => [
		system,
		...older.filter(({ of }) => of === system.id).map(({ older }) => older),
	]);
}
