/** `docs/reference/reasons.md`: why sessions end, and what to do about it. */
import { explained, REASONS, type Reason } from "../parts/reasons.js";
import { moreAt, page, type ReferencePage, table } from "./markdown.js";

const BY = {
	client: "The client",
	upstream: "The upstream",
	kernel: "The kernel",
	gateway: "The gateway",
	operator: "An operator",
} as const;

export function reasonsPage(): ReferencePage {
	const overview = Object.entries(BY).map(([by, who]) => [
		who,
		REASONS.filter((reason) => explained(reason).by === by)
			.map((reason) => `[\`${reason}\`](#${reason})`)
			.join(", "),
	]);
	return page("reasons.md", {
		title: "Close reasons",
		source: ["src/parts/reasons.ts"],
		intro:
			"Each session ends for exactly one of these reasons. The log has it as `reason`, the metric `sluice_sessions_closed_total` counts by it, `sluice ended --reason` and the API find by it, and `sluice why ID` says the same as this page. Requests that the gateway answers itself have their reasons from the same list. [Operations](../operations.md#close-reasons) says how clients hear of it.",
		body: [table(["who ended it", "reasons"], overview), ...REASONS.map(section)],
	});
}

function section(reason: Reason): string {
	const { means, advice, see } = explained(reason);
	const more = see === undefined ? "" : ` See ${moreAt(see)}.`;
	return `## ${reason}\n\n${means}\n\n**What to do:** ${advice}${more}`;
}
