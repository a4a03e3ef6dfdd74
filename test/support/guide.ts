/** What a guide tells people to type, run as it stands there. */
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MAIN } from "../../src/rig/gateway.js";
import { ROOT } from "./pieces.js";

export interface Block {
	readonly language: string;
	readonly text: string;
}

/** What stands between fences; those without a language are for reading. */
export function blocksOf(page: string): readonly Block[] {
	return [...readFileSync(join(ROOT, page), "utf8").matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(
		([, language = "", text = ""]) => ({ language, text }),
	);
}

/** A program's first line says what its file is called; `undefined`: it has none. */
export function fileOf({ text }: Block): string | undefined {
	return /^(?:\/\/|#) (\S+\.\w+)\n/.exec(text)?.[1];
}

/** A folder where `sluice`, `node` and some packages are at hand. */
export function workshop(
	directory: string,
	packages: readonly string[],
): { readonly home: string; readonly path: string } {
	const [home, programs] = [join(directory, "home"), join(directory, "bin")];
	for (const made of [home, programs, join(home, "node_modules")]) mkdirSync(made);
	for (const name of packages)
		symlinkSync(join(ROOT, "node_modules", name), join(home, "node_modules", name));
	const command = join(programs, "sluice");
	writeFileSync(command, `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
	symlinkSync(process.execPath, join(programs, "node"));
	chmodSync(command, 0o755);
	return { home, path: `${programs}:${process.env["PATH"]}` };
}
