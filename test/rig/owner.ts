/**
 * Owns a process that ignores SIGTERM and has a child, a directory, and things to undo; says so on standard output, a
 * JSON line, and then ends in the way that its first argument says. What it undoes is told in the file of its second.
 */
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import {
	atEnd,
	endAll,
	installCleanup,
	isEnding,
	ownProcess,
	temporaryDirectory,
} from "../../src/rig/processes.js";

export interface Owned {
	readonly pids: readonly number[];
	readonly directory: string;
}

const [way = "", undoneFile = ""] = process.argv.slice(2);
installCleanup();
for (const name of ["first", "second", "third"]) {
	const undo = atEnd(() => appendFileSync(undoneFile, `${name}\n`));
	if (name === "second") undo();
}
const directory = temporaryDirectory();
writeFileSync(join(directory, "file"), "");
const { child, pid, ended } = ownProcess("sh", ["-c", "trap '' TERM; sleep 600 & echo $!; wait"], {
	stdio: ["ignore", "pipe", "inherit"],
	detached: true,
});
void ended.then(() => appendFileSync(undoneFile, isEnding() ? "ended\n" : "ended by itself\n"));
// stdio says that there is a pipe.
for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
	const owned: Owned = { pids: [pid, Number(line)], directory };
	process.stdout.write(`${JSON.stringify(owned)}\n`);
	break;
}
if (way === "throw") throw new Error("as it was told");
if (way === "end") await endAll(7);
// Otherwise until a signal comes.
setInterval(() => {}, 60_000);
