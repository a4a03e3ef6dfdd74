/** Programs of others that drills run. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** By the Debian packages that bring them. */
export type DrillProgram = "openssl" | "slowhttptest";

/** Where a program lies; `undefined`: nowhere in PATH. */
export function pathOf(program: DrillProgram): string | undefined {
	const directories = (process.env["PATH"] ?? "").split(delimiter);
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
