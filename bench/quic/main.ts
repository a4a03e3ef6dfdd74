/**
 * `npm run bench -- quic`: processor time per Initial, through the OpenSSL of the node binary and through node:crypto, and of all
 * that it takes to know the name. One process, no sockets; variants take turns in each round.
 */

import { COMMON, parse, toRounds } from "../command-line.js";
import { describeMachine, type Machine } from "../machine.js";
import { inOrder } from "../order.js";
import type { Said } from "../side-by-side.js";
import { type Estimate, estimate } from "../statistics.js";
import { makeVariants, type Variant } from "./variants.js";

const CALLS = 5_000;
const CALLS_QUICK = 500;

export const QUIC_USAGE = `npm run bench -- quic [options]

Processor time to open QUIC's Initials, and to recognise a hello in them.

  --rounds N   rounds (default ${COMMON.rounds.default}; fewer than 6 have no interval)
  --json FILE  also writes all numbers there; "-": to standard output, instead of the table
  --quick      small rounds, to see that everything works; its numbers prove nothing
  --help       this text
`;

const { rounds: ROUNDS, json: JSON_FILE, quick: QUICK, help: HELP } = COMMON;

export interface QuicReport {
	readonly machine: Machine;
	readonly rounds: number;
	readonly quick: boolean;
	/** In µs of processor time per Initial. */
	readonly rows: readonly { readonly id: string; readonly title: string; readonly us: Estimate | null }[];
}

/** What was asked for, or the usage. */
export function benchQuic(args: readonly string[]): Said<QuicReport> | string {
	const options = parse(args, { rounds: ROUNDS, json: JSON_FILE, quick: QUICK, help: HELP });
	if (options.help) return QUIC_USAGE;
	const rounds = toRounds(options.rounds);
	const { variants, dispose } = makeVariants();
	const calls = options.quick ? CALLS_QUICK : CALLS;
	const values = new Map<string, number[]>(variants.map(({ id }) => [id, []]));
	for (const variant of variants) measure(variant, calls); // V8 compiles
	for (let round = 0; round < rounds; round++)
		for (const variant of inOrder(variants, round)) values.get(variant.id)?.push(measure(variant, calls));
	dispose();
	const rows = variants.map(({ id, title }) => ({ id, title, us: estimate(values.get(id) ?? []) }));
	const report = { machine: describeMachine(), rounds, quick: options.quick, rows };
	return { report, markdown: toMarkdown(report), json: options.json ?? null };
}

/** µs of processor time per Initial. */
function measure({ id, initials, run }: Variant, calls: number): number {
	const before = process.cpuUsage();
	for (let i = 0; i < calls; i++) if (!run()) throw new Error(`${id} did not open what it was given`);
	const { user, system } = process.cpuUsage(before);
	return (user + system) / calls / initials;
}

function toMarkdown({ machine, rounds, quick, rows }: QuicReport): string {
	const lines = [
		`## QUIC's Initials, ${machine.date.slice(0, 10)}`,
		"",
		`${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node}; medians of ${rounds} rounds.`,
		...(quick ? ["", "**A quick run: its numbers prove nothing.**"] : []),
		"",
		"| row | what | µs per Initial | 95 % interval |",
		"| --- | --- | ---: | --- |",
		...rows.map(
			({ id, title, us }) => `| \`${id}\` | ${title} | ${us?.median.toFixed(2) ?? ""} | ${intervalOf(us)} |`,
		),
	];
	return `${lines.join("\n")}\n`;
}

function intervalOf(us: Estimate | null): string {
	const interval = us?.interval ?? null;
	return interval === null ? "–" : `${interval.low.toFixed(2)} … ${interval.high.toFixed(2)}`;
}
