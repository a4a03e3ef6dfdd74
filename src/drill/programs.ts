/** Programs of others that drills run. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** By the Debian packages that bring them. */
export type DrillProgram = "slowhttptest";

/** Where a program lies; `undefined`: neither in PATH nor in `alsoIn`. */
export function pathOf(program: string, alsoIn: readonly string[] = []): string | undefined {
	const directories = [...(process.env["PATH"] ?? "").split(delimiter), ...alsoIn];
	return directories.map((directory) => join(directory, program)).find(isExecutable);
}

function isExecutable(path: string): boolean {
	try {
		accessSync(path, constants.X_OK);
		return true;
	} catch {
		return false;
	}
}
