#!/usr/bin/env node
/** The `sluice` command. Anew first, then signals: everything else is loaded when they are heard. */
import { readFileSync, writeSync } from "node:fs";
import { ignoreInspectorSignal } from "../kernel/inspector-signal.js";
import { keepSignals } from "./early-signals.js";

ignoreInspectorSignal();
try {
	// The other commands have nothing to reload or to drain, and end before memory can grow: a signal ends them.
	if (["run", "demo"].includes(process.argv[2] ?? "")) {
		const { executeAnew } = await import("./anew.js");
		// Before signals are kept: those that came in between would be lost with the process's memory.
		executeAnew(import.meta.url);
		keepSignals();
	}
	// An agent has visitors to drain, and must run where nothing can be executed.
	if (process.argv[2] === "tunnel") keepSignals();
	const { program } = await import("./program.js");
	await program.parseAsync();
} catch (error) {
	if (!lackedDescriptors(error as NodeJS.ErrnoException)) throw error;
	try {
		writeSync(
			2,
			"sluice: the descriptor limit is too low even for a start: raise it (ulimit -n 1024, or LimitNOFILE= in the unit)\n",
		);
	} finally {
		process.exit(1);
	}
}

/** Loading its own files takes about a hundred of them at once. Node takes a file that it could not open for one that is missing. */
function lackedDescriptors({ code }: NodeJS.ErrnoException): boolean {
	if (code === "EMFILE" || code === "ENFILE") return true;
	if (code !== "ERR_MODULE_NOT_FOUND") return false;
	try {
		const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1")) ?? [];
		return Number(limit) < 128;
	} catch {
		// No Linux; or even now there is none left, and then the first answer was right.
		return process.platform === "linux";
	}
}
