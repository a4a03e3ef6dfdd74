/** The files of the dashboard: its text is here, its style beside, and its script is compiled from `page/` like everything else, for the browser. */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import {
	ICON,
	type PageFile,
	PageFiles,
	type PageSources,
	SHARED_SCRIPTS,
	scriptsOf,
} from "../../parts/page-files.js";
import { STYLE } from "./page-style.js";

const PLACES: readonly (readonly [string, string])[] = [
	["", "Overview"],
	["sessions", "Sessions"],
	["ended", "Ended"],
	["listeners", "Listeners"],
	["upstreams", "Upstreams"],
	["sources", "Sources"],
	["tunnels", "Tunnels"],
	["hub", "Hub"],
	["gateway", "Gateway"],
	["api", "API"],
];

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sluice</title>
<link rel="icon" href="/dashboard/icon.svg">
<link rel="stylesheet" href="/dashboard/uplot.css">
<link rel="stylesheet" href="/dashboard/style.css">
<script src="/dashboard/uplot.js" defer></script>
<script type="module" src="/dashboard/main.js"></script>
</head>
<body>
<header>
<a class="sign" href="#/">Sluice</a>
<p id="live" role="status">connecting</p>
<nav aria-label="Places"><ul>${PLACES.map(([name, title]) => `<li><a href="#/${name}">${title}</a></li>`).join("")}</ul></nav>
<button id="token-button" type="button">Token</button>
</header>
<main>
<p id="none">The dashboard needs JavaScript. The same figures are at /metrics and /api/figures.</p>
</main>
<div id="notices" role="status" aria-label="What was done"></div>
<dialog id="token-dialog" aria-labelledby="token-title">
<form method="dialog">
<h2 id="token-title">Token</h2>
<p id="token-why"></p>
<label>Token of <code>admin_tokens</code> <input id="token" type="password" autocomplete="off"></label>
<label>Your name, for the log <input id="operator" autocomplete="username"></label>
<p class="tools"><button value="">Cancel</button><button value="ok">Use it</button></p>
</form>
</dialog>
<dialog id="change-dialog" aria-labelledby="change-title">
<form method="dialog">
<h2 id="change-title">Do this?</h2>
<p id="change-says"></p>
<p class="tools"><button value="">Cancel</button><button id="change-do" value="ok">Do it</button></p>
</form>
</dialog>
</body>
</html>
`;

/** Those that `main` is made of. */
const SCRIPTS = [
	...["main", "ask", "charts", "dialogs", "ended", "format", "grid", "operations", "overview"],
	...["patch", "places", "points", "session", "sessions", "timeline", "view"],
] as const;

const FILES = new PageFiles(() => ({
	...{ "/": PAGE, "/dashboard/style.css": STYLE, "/dashboard/icon.svg": ICON },
	...scriptsOf(SCRIPTS, "/dashboard/", import.meta.url),
	...SHARED_SCRIPTS,
	"/parts/reasons.js": new URL("../../parts/reasons.js", import.meta.url),
	...charts(),
}));

/** uPlot lies in its package. */
function charts(): PageSources {
	const dist = new URL("./", pathToFileURL(createRequire(import.meta.url).resolve("uplot")));
	return {
		"/dashboard/uplot.js": new URL("uPlot.iife.min.js", dist),
		"/dashboard/uplot.css": new URL("uPlot.min.css", dist),
	};
}

/** `undefined`: there is no such file, or who asks for the first one does not show pages. `accept`: the field of the request. */
export function dashboardFile(path: string, accept: string | undefined): PageFile | undefined {
	if (path === "/" && accept?.includes("text/html") !== true) return undefined;
	return FILES.of(path);
}
