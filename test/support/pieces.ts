/** What can be imported from Sluice, as package.json says. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface Entry {
	/** As it is imported: `sluice/pool`. */
	readonly name: string;
	/** Its compiled file. */
	readonly file: string;
}

/** The repository, with a slash at its end. */
export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** All of them. One whose file is missing fails where it is imported. */
export function entries(): Entry[] {
	const { exports } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as {
		exports: Readonly<Record<string, string | { readonly default: string }>>;
	};
	return Object.entries(exports).flatMap(([name, target]) =>
		typeof target === "string"
			? []
			: [{ name: name.replace(/^\./, "sluice"), file: `${ROOT}${target.default.slice(2)}` }],
	);
}

/** The pieces of the library, which stand alone. */
export function pieces(): Entry[] {
	return entries().filter(({ file }) => file.startsWith(`${ROOT}dist/src/guard/`));
}
