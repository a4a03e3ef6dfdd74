/** A session's life, drawn: from accept over each step until now, or its end. */
import { element } from "../../../browser/dom.js";
import { explained, type Reason } from "../../../parts/reasons.js";
import type { EndedSession, LiveSession, SessionDetails } from "../../session-view.js";
import { seconds } from "./format.js";

/** In their order, and what a session does until the next one. */
const STEPS = [
	["accepted", "accepted", "recognizing"],
	["secured", "its TLS is made", "recognizing"],
	["recognized", "recognized", "routing"],
	["routed", "routed", "choosing"],
	["dialled", "dialled", "dialling"],
	["connected", "connected", "relaying"],
] as const;

type Session = LiveSession | EndedSession | SessionDetails;

/** `until`: its end, or now. */
export function timelineOf(session: Session, until: string): HTMLElement {
	const startMs = Date.parse(session.accepted);
	const endMs = Math.max(startMs + 1, Date.parse(until));
	const steps = STEPS.map(([name, said, does]) => {
		const at = (session as unknown as Record<string, string | null | undefined>)[name];
		return at == null ? undefined : { said, does, atMs: Date.parse(at) };
	})
		.filter((step) => step !== undefined)
		.sort((a, b) => a.atMs - b.atMs);
	const bar = element("div", { class: "line", "aria-hidden": "true" });
	const list = element("ol");
	for (const [index, { said, does, atMs }] of steps.entries()) {
		const nextMs = steps[index + 1]?.atMs ?? endMs;
		const piece = element("span", { class: `piece p${index % 6}`, title: does });
		// A step of microseconds is to be seen as well.
		piece.style.flexGrow = String(Math.max(0.015 * (endMs - startMs), nextMs - atMs));
		bar.append(piece);
		list.append(
			element(
				"li",
				{},
				element("span", { class: `key p${index % 6}`, "aria-hidden": "true" }),
				`${said} after ${seconds((atMs - startMs) / 1_000)}`,
				nextMs > atMs ? `, ${does} for ${seconds((nextMs - atMs) / 1_000)}` : "",
			),
		);
	}
	const reason = "reason" in session ? `: ${session.reason}` : "";
	const end = "reason" in session ? "ended" : "now";
	list.append(element("li", {}, `${end} after ${seconds((endMs - startMs) / 1_000)}${reason}`));
	return element(
		"section",
		{ class: "timeline", "aria-label": `The life of session ${session.id}` },
		bar,
		list,
	);
}

/** What the reason of an end means, and what to do about it. */
export function meaningOf({ reason }: EndedSession): HTMLElement {
	const { means, advice } = explained(reason as Reason);
	return element(
		"p",
		{},
		element("strong", {}, reason),
		`: ${means} `,
		element("span", { class: "beside" }, advice),
	);
}
