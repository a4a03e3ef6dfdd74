/** `docs/reference/metrics.md`: all families that are shown, of gateways, of guards and of agents. */
import { HUB_FAMILIES, TLS_FAMILIES, TUNNEL_FAMILIES, UPSTREAM_FAMILIES } from "../admin/families/peers.js";
import { PROCESS_FAMILIES, RESOURCE_FAMILIES } from "../admin/families/resources.js";
import { DATAGRAM_FAMILIES, REQUEST_FAMILIES, SESSION_FAMILIES } from "../admin/families/sessions.js";
import { GUARD_FAMILIES } from "../guard/counts.js";
import { SECONDS_BUCKETS } from "../parts/buckets.js";
import type { Families, Family } from "../parts/families.js";
import { AGENT_FAMILIES } from "../tunnel/agent/figures.js";
import { code, moreAt, page, type ReferencePage, table } from "./markdown.js";

interface Group {
	readonly title: string;
	readonly families: Families;
	readonly intro?: string;
}

const GROUPS: readonly Group[] = [
	{ title: "Sessions", families: SESSION_FAMILIES },
	{ title: "Datagrams", families: DATAGRAM_FAMILIES },
	{ title: "Upstreams", families: UPSTREAM_FAMILIES },
	{ title: "Requests and pools", families: REQUEST_FAMILIES },
	{ title: "Tunnels", families: TUNNEL_FAMILIES },
	{ title: "Hub", families: HUB_FAMILIES },
	{ title: "TLS", families: TLS_FAMILIES },
	{ title: "Memory, descriptors, loops, reloads", families: RESOURCE_FAMILIES },
	{ title: "Threads and process", families: PROCESS_FAMILIES },
	{
		title: "Guards",
		families: GUARD_FAMILIES,
		intro:
			"Of the admin port's own connections (`server` is `admin`), and of each server that [`sluice/guard`](../library/guard.md) stands before.",
	},
	{
		title: "Agents",
		families: AGENT_FAMILIES,
		intro:
			"An agent shows these with `sluice tunnel … --admin HOST:PORT`; where a reactor moves its bytes, all of the above as well.",
	},
];

export function metricsPage(): ReferencePage {
	return page("metrics.md", {
		title: "Metrics",
		source: ["src/admin/families/", "src/guard/counts.ts", "src/tunnel/agent/figures.ts"],
		intro: `\`/metrics\` of the admin port is Prometheus text. Counters begin at 0 when the process starts, and one that is absent has not counted yet: it is 0. Histograms have their buckets at ${SECONDS_BUCKETS.join(", ")} seconds. [Rules and a board](../install.md#watching-it) to start from are packaged.`,
		body: GROUPS.flatMap(section),
	});
}

function section({ title, families, intro }: Group): string[] {
	const rows = Object.entries(families).map(([name, family]) => [
		code(name),
		family.type,
		family.labels.map(code).join(", ") || "none",
		meaning(family),
	]);
	return [
		`## ${title}`,
		...(intro === undefined ? [] : [intro]),
		table(["metric", "type", "labels", "meaning"], rows),
	];
}

function meaning({ help, more, see }: Family): string {
	return [help, more, see === undefined ? undefined : `See ${moreAt(see)}.`]
		.filter((part) => part !== undefined)
		.join(" ");
}
