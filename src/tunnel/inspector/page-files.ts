/**
 * The files of the page: its text is here, its style beside, and its script is compiled from `page/` like everything else, for the
 * browser and by itself. All of it lies in the package, and nothing is fetched from elsewhere.
 */
import { readFileSync } from "node:fs";
import { STYLE } from "./page-style.js";

interface PageFile {
	readonly type: string;
	readonly body: string;
}

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sluice inspector</title>
<link rel="icon" href="/page/icon.svg">
<link rel="stylesheet" href="/page/style.css">
<script type="module" src="/page/main.js"></script>
</head>
<body>
<header>
<h1>Sluice inspector</h1>
<p id="live" role="status">connecting</p>
<input id="filter" type="search" placeholder="Filter: POST /api 500" aria-label="Filter by method, path, status or host" autocomplete="off" spellcheck="false">
<button id="clear" type="button">Clear</button>
</header>
<main>
<section id="requests" aria-label="Requests">
<ol id="list" role="listbox" aria-label="Requests, the newest first" tabindex="0"></ol>
<p id="none">No requests yet. They appear here as they pass.</p>
</section>
<article id="detail" aria-label="One request and its answer" tabindex="-1"></article>
</main>
<footer><kbd>↑</kbd> <kbd>↓</kbd> choose, <kbd>r</kbd> replay, <kbd>s</kbd> secrets, <kbd>/</kbd> filter, <kbd>Esc</kbd> back to the list</footer>
<noscript>The inspector's page needs JavaScript; its API does not: /api/exchanges</noscript>
</body>
</html>
`;

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#2a78c8" d="M1 2h3v12H1zM12 2h3v12h-3zM5 4h6v2H5zM5 8h6v2H5zM5 12h6v2H5z"/></svg>\n`;

/** Those that `main` is made of. */
const SCRIPTS = ["main", "ask", "body", "detail", "dom", "list"] as const;

let files: ReadonlyMap<string, PageFile> | undefined;

/** `undefined`: there is no such file. */
export function pageFile(path: string): PageFile | undefined {
	files ??= readFiles();
	return files.get(path);
}

function readFiles(): ReadonlyMap<string, PageFile> {
	const scripts = SCRIPTS.map((name): [string, PageFile] => [
		`/page/${name}.js`,
		{
			type: "text/javascript; charset=utf-8",
			body: readFileSync(new URL(`./page/${name}.js`, import.meta.url), "utf8"),
		},
	]);
	return new Map([
		["/", { type: "text/html; charset=utf-8", body: PAGE }],
		["/page/style.css", { type: "text/css; charset=utf-8", body: STYLE }],
		["/page/icon.svg", { type: "image/svg+xml", body: ICON }],
		...scripts,
	]);
}
