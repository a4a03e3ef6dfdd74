/** The files of the page: its text is here, its style beside, and its script is compiled from `page/` like everything else, for the browser. */
import { ICON, type PageFile, PageFiles, SHARED_SCRIPTS, scriptsOf } from "../../parts/page-files.js";
import { STYLE } from "./page-style.js";

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

/** Those that `main` is made of. */
const SCRIPTS = ["main", "ask", "body", "detail", "list"] as const;

const FILES = new PageFiles(() => ({
	...{ "/": PAGE, "/page/style.css": STYLE, "/page/icon.svg": ICON },
	...scriptsOf(SCRIPTS, "/page/", import.meta.url),
	...SHARED_SCRIPTS,
}));

/** `undefined`: there is no such file. */
export function pageFile(path: string): PageFile | undefined {
	return FILES.of(path);
}
