/** The files of a page for browsers. All of them lie in the package, and nothing is fetched from elsewhere. */
import { readFileSync } from "node:fs";

export interface PageFile {
	readonly type: string;
	readonly body: string;
}

const TYPES: Readonly<Record<string, string>> = {
	"": "text/html; charset=utf-8",
	js: "text/javascript; charset=utf-8",
	css: "text/css; charset=utf-8",
	svg: "image/svg+xml",
};

/** By the path under which it is asked for: what it says, or where it lies. */
export type PageSources = Readonly<Record<string, string | URL>>;

/** Read when the first one is asked for: programs that never show the page do not. */
export class PageFiles {
	readonly #sources: () => PageSources;
	#files: ReadonlyMap<string, PageFile> | undefined;

	constructor(sources: () => PageSources) {
		this.#sources = sources;
	}

	/** `undefined`: there is no such file. */
	of(path: string): PageFile | undefined {
		this.#files ??= new Map(
			Object.entries(this.#sources()).map(([name, source]) => [
				name,
				{ type: typeOf(name), body: typeof source === "string" ? source : readFileSync(source, "utf8") },
			]),
		);
		return this.#files.get(path);
	}
}

function typeOf(path: string): string {
	const [, ending = ""] = /\.(\w+)$/.exec(path) ?? [];
	return TYPES[ending] ?? "text/plain; charset=utf-8";
}

/** Where compiled scripts lie, each under its name in `folder`, beside `base`. */
export function scriptsOf(names: readonly string[], folder: string, base: string): PageSources {
	return Object.fromEntries(names.map((name) => [`${folder}${name}.js`, new URL(`./page/${name}.js`, base)]));
}

/** Code that pages share, which each finds beside its own. */
export const SHARED_SCRIPTS: PageSources = {
	"/browser/dom.js": new URL("../browser/dom.js", import.meta.url),
};
/** The sign of all pages. */
export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#2a78c8" d="M1 2h3v12H1zM12 2h3v12h-3zM5 4h6v2H5zM5 8h6v2H5zM5 12h6v2H5z"/></svg>\n`;
