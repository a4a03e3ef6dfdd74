#!/usr/bin/env node
/** The `sluice` command. Signals first: everything else is loaded when they are heard. */
import { writeSync } from "node:fs";
import { ignoreInspectorSignal } from "../kernel/inspector-signal.js";
import { keepSignals } from "./early-signals.js";

ignoreInspectorSignal();
// The other commands have nothing to reload or to drain: a signal ends them.
if (["run", "demo"].includes(process.argv[2] ?? "")) keepSignals();
try {
	await import("./program.js");
} catch (error) {
	// Loading its own files takes about a hundred of them at once.
	const { code } = error as NodeJS.ErrnoException;
	if (code !== "EMFILE" && code !== "ENFILE") throw error;
	try {
		writeSync(
			2,
			"sluice: the descriptor limit is too low even for a start: raise it (ulimit -n 1024, or LimitNOFILE= in the unit)\n",
		);
	} finally {
		process.exit(1);
	}
}
