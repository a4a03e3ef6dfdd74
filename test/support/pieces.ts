/** The pieces of the library: what package.json offers from src/guard. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface Piece {
	/** As it is imported: `sluice/pool`. */
	readonly name: string;
	/** Its compiled entry file. */
	readonly file: string;
}

/** The repository, with a slash at its end. */
export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** Those whose entry file is there. */
export function pieces(): Piece[] {
	const { exports } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as {
		exports: Readonly<Record<string, string | { readonly default: string }>>;
	};
	const found = Object.entries(exports).flatMap(([name, target]) => {
		if (typeof target === "string" || !target.default.startsWith("./dist/src/guard/")) return [];
		return [{ name: name.replace(/^\./, "sluice"), file: `${ROOT}${target.default.slice(2)}` }];
	});
	return found.filter(({ file }) => existsSync(file));
}
