/**
 * `npm run bench -- library`: what the library costs on a Node server, side by side with the same server without it.
 *
 *     generator ──► server.ts, bare          rows: cpu.ts, idle.ts, broadcast.ts, frames.ts
 *               └─► server.ts, with guard    claims.ts: what is said of them, and whether it holds
 */
import { warnOfDescriptors } from "../descriptors.js";
import { Generator } from "../load/driver.js";
import type { Said } from "../side-by-side.js";
import type { Round } from "./claims.js";
import { LIBRARY_USAGE, readLibraryOptions } from "./options.js";
import { type LibraryReport, libraryMarkdown, libraryReport, type RowRun } from "./report.js";
import { type Rig, roundsOf } from "./row.js";

/** What was asked for, or the usage. Progress goes to standard error. */
export async function benchLibrary(args: readonly string[]): Promise<Said<LibraryReport> | string> {
	const { rows, rounds, quick, json, help } = readLibraryOptions(args);
	if (help) return LIBRARY_USAGE;
	warnOfDescriptors();
	const startedMs = performance.now();
	const rig: Rig = { generator: new Generator(), quick };
	const runs: RowRun[] = [];
	for (const row of rows) {
		const count = roundsOf(row, rounds);
		const all: Round[] = [];
		let failure: string | null = null;
		for (let number = 0; number < count && failure === null; number++) {
			process.stderr.write(`${row.id}: round ${number + 1} of ${count}\n`);
			try {
				all.push(await row.round(rig, number));
			} catch (error) {
				// What the other rows have come to, and these rounds, is not lost by it.
				failure = error instanceof Error ? error.message : String(error);
				process.stderr.write(`${row.id}: ${failure}\n`);
				// Nothing of it must stand in the way of the next row. Without a generator that one will say so itself.
				await rig.generator.ask("close", {}).catch(() => {});
			}
		}
		runs.push({ row, rounds: all, failure });
	}
	const minutes = (performance.now() - startedMs) / 60_000;
	const report = libraryReport(runs, { rounds, quick, minutes });
	const failed = runs.some(({ failure }) => failure !== null);
	return { report, markdown: libraryMarkdown(report), json, failed };
}
