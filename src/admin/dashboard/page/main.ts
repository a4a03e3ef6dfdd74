/** The dashboard: one place of it is shown at a time, by the hash of the address, and figures come once a second. */
import { byId, element } from "../../../browser/dom.js";
import type { FigurePoint, Figures } from "../figures.js";
import { type ApiError, follow, type Query } from "./ask.js";
import { askForToken } from "./dialogs.js";
import { Ended } from "./ended.js";
import { OperationsView } from "./operations.js";
import { Overview } from "./overview.js";
import {
	GatewayPlace,
	hubPlace,
	listenersPlace,
	sourcesPlace,
	tunnelsPlace,
	upstreamsPlace,
} from "./places.js";
import { Points } from "./points.js";
import { SessionView } from "./session.js";
import { Sessions } from "./sessions.js";
import type { View } from "./view.js";

const points = new Points();
let shown: View | undefined;
let newest: Figures | undefined;
let stream = new AbortController();

const PLACES: ReadonlyMap<string, (query: Query) => View> = new Map([
	["sessions", (query: Query): View => new Sessions(query, (next) => go("sessions", next))],
	["ended", (query) => new Ended(query, (next) => go("ended", next))],
	["listeners", listenersPlace],
	["upstreams", upstreamsPlace],
	["sources", sourcesPlace],
	["tunnels", tunnelsPlace],
	["hub", hubPlace],
	["gateway", () => new GatewayPlace()],
	["api", (query) => new OperationsView(query)],
]);

function go(place: string, query: Query): void {
	const said = Object.entries(query).filter(([, value]) => value !== "");
	location.hash = `#/${place}${said.length === 0 ? "" : `?${new URLSearchParams(said)}`}`;
}

/** `#/sessions/17`, `#/sessions?state=relaying` */
function show(): void {
	const [path = "", words = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
	const [place = "", id] = path.split("/", 2);
	const query = Object.fromEntries(new URLSearchParams(words));
	// What it asks belongs to where it was asked.
	(byId("change-dialog") as HTMLDialogElement).close();
	shown?.leave?.();
	shown =
		place === "sessions" && id !== undefined
			? new SessionView(id)
			: (PLACES.get(place) ?? (() => new Overview(points)))(query);
	document.title = `${shown.title} – Sluice`;
	replace(shown.root);
	for (const each of document.querySelectorAll<HTMLAnchorElement>("nav a")) {
		if (each.hash === `#/${place}`) each.setAttribute("aria-current", "page");
		else each.removeAttribute("aria-current");
	}
	if (newest !== undefined) shown.figures?.(newest);
}

/** Whoever uses it by keyboard goes on where they were: at the same field or button, or else at the place's title. */
function replace(root: HTMLElement): void {
	const [view, focused] = [byId("view"), document.activeElement];
	const isWithin = view.contains(focused);
	view.replaceChildren(root);
	if (!isWithin || focused === null) return;
	const same = [...root.querySelectorAll<HTMLElement>("input, button, .grid")].find(
		(each) => labelOf(each) === labelOf(focused),
	);
	const title = root.querySelector("h1");
	title?.setAttribute("tabindex", "-1");
	(same ?? title)?.focus({ preventScroll: true });
	// Whoever is writing goes on at the end.
	if (same instanceof HTMLInputElement) same.setSelectionRange(same.value.length, same.value.length);
}

function labelOf(shown: Element): string | null {
	return shown.getAttribute("aria-label") ?? shown.textContent;
}

function say(state: string, isLive: boolean): void {
	const live = byId("live");
	live.classList.toggle("on", isLive);
	if (live.textContent !== state) live.textContent = state;
}

/** Without tunnels, or a hub, there is nothing to see of them. */
function offer(place: string, isThere: boolean): void {
	const item = document.querySelector<HTMLElement>(`nav a[href="#/${place}"]`)?.parentElement;
	if (item != null) item.hidden = !isThere;
}

async function said(problem: ApiError | undefined): Promise<void> {
	if (problem === undefined) return;
	say(problem.message, false);
	if (problem.status === 401 && (await askForToken(problem.message))) watch();
}

function heard(type: string, data: unknown): void {
	if (type === "past") points.replace(data as FigurePoint[]);
	if (type !== "figures") return;
	newest = data as Figures;
	points.add(newest.point);
	const { state, under_pressure } = newest;
	say(under_pressure ? `${state}, memory is short` : state, state === "ready" && !under_pressure);
	offer("tunnels", newest.tunnels !== null);
	offer("hub", newest.hub !== null);
	if (!document.hidden) shown?.figures?.(newest);
}

function watch(): void {
	stream.abort();
	stream = new AbortController();
	void follow("/api/figures?follow=1", { heard, said: (problem) => void said(problem) }, stream.signal);
}

function key(event: KeyboardEvent): void {
	const { target } = event;
	if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]") !== null)
		return;
	if (target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement) return;
	if (event.key === "/") document.querySelector<HTMLElement>(".filters input")?.focus();
	else if (event.key === "g") location.hash = "#/";
	else if (event.key === "s") location.hash = "#/sessions";
	else return;
	event.preventDefault();
}

byId("token-button").addEventListener("click", () => {
	void askForToken("Shown with all that the page asks; kept until the tab is closed.", true).then((isNew) => {
		if (isNew) watch();
	});
});
byId("none").replaceWith(element("div", { id: "view" }));
addEventListener("hashchange", show);
addEventListener("keydown", key);
addEventListener("resize", () => {
	if (newest !== undefined) shown?.figures?.(newest);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
	shown?.restyle?.();
	if (newest !== undefined) shown?.figures?.(newest);
});
show();
watch();
