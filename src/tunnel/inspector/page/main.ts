/** The inspector's page: the list on one side, what is chosen on the other, and both as things happen. */

import { byId } from "../../../browser/dom.js";
import type { Summary } from "../api.js";
import { askClear, askList } from "./ask.js";
import { Detail } from "./detail.js";
import { List } from "./list.js";

const list = new List((id) => {
	if (location.hash !== `#${id}`) history.replaceState(null, "", `#${id}`);
	detail.show(id);
});
const detail = new Detail((id) => void follow(id));
const filter = byId("filter") as HTMLInputElement;

/** A replay may be heard of here before it is in an event. */
async function follow(id: number): Promise<void> {
	try {
		if (list.summary(id) === undefined) await load();
		list.choose(id);
	} catch {
		say(false);
	}
}

async function load(): Promise<void> {
	const { exchanges, bounds } = await askList();
	list.replace(exchanges, bounds.exchanges);
	if (list.chosen !== undefined) return;
	const asked = Number(location.hash.slice(1));
	if (list.summary(asked) !== undefined) list.choose(asked);
}

function say(isLive: boolean): void {
	const live = byId("live");
	live.classList.toggle("on", isLive);
	live.textContent = isLive ? "live" : "not connected to the agent";
}

/** It connects again by itself; what has happened meanwhile is in the list. */
function watch(): void {
	const events = new EventSource("/api/events");
	events.addEventListener(
		"open",
		() =>
			void load().then(
				() => say(true),
				() => say(false),
			),
	);
	events.addEventListener("error", () => say(false));
	events.addEventListener("exchange", ({ data }: MessageEvent<string>) => {
		const summary = JSON.parse(data) as Summary;
		list.put(summary);
		detail.changed(summary.id, summary.revision);
	});
	events.addEventListener("cleared", () => {
		list.clear();
		detail.clear();
	});
}

/** Keys that mean something wherever one is, but where text is written. */
function key(event: KeyboardEvent): void {
	if (event.ctrlKey || event.altKey || event.metaKey) return;
	if (event.key === "Escape") list.focus();
	else if (event.target instanceof HTMLInputElement) return;
	else if (event.key === "/") filter.focus();
	else if (event.key === "r") void detail.replay();
	else if (event.key === "s") detail.toggleSecrets();
	else return;
	event.preventDefault();
}

filter.addEventListener("input", () =>
	list.filter(
		filter.value
			.toLowerCase()
			.split(/\s+/)
			.filter((word) => word !== ""),
	),
);
byId("clear").addEventListener("click", () => void askClear().catch(() => say(false)));
addEventListener("keydown", key);
addEventListener("hashchange", () => void follow(Number(location.hash.slice(1))));
watch();
