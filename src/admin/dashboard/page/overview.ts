/** The first view: what there is now, what there was in the last minutes, and what sessions are. */
import { element } from "../../../browser/dom.js";
import type { Figures } from "../figures.js";
import { Chart, type ChartOptions } from "./charts.js";
import { bytes, counting, percent, seconds, short, whole } from "./format.js";
import { show } from "./patch.js";
import type { Points } from "./points.js";
import { link, sessionsWith, type View } from "./view.js";

/** A figure, what it is held against, and where it leads. */
interface Tile {
	readonly name: string;
	readonly href: string;
	readonly read: (
		figures: Figures,
		points: Points,
	) => readonly [figure: string, beside: string, isBad?: boolean];
	/** Absent: always. */
	readonly isThere?: (figures: Figures) => boolean;
}

const perSecond = (value: number): string => `${short(value)}/s`;

const TILES: readonly Tile[] = [
	{
		name: "Sessions",
		href: "#/sessions",
		read: ({ point: { levels }, bounds }) => [
			whole(levels.sessions),
			`of ${whole(bounds.sessions)}`,
			levels.sessions >= bounds.sessions,
		],
	},
	{
		name: "Accepted",
		href: "#/sessions?sort=age&order=asc",
		read: ({ point }, points) => [
			perSecond(points.rate("accepted")),
			`${whole(point.totals.accepted)} in all`,
		],
	},
	{
		name: "Ended",
		href: "#/ended",
		read: ({ point }, points) => [perSecond(points.rate("closed")), `${whole(point.totals.closed)} in all`],
	},
	{
		name: "Descriptors",
		href: "#/gateway",
		read: ({ point: { levels }, bounds }) => [
			whole(levels.descriptors),
			`of ${whole(bounds.descriptors)}, ${whole(bounds.descriptors_reserved)} reserved`,
			levels.descriptors >= bounds.descriptors - bounds.descriptors_reserved,
		],
	},
	{
		name: "Buffered",
		href: "#/sessions?sort=buffered",
		read: ({ point: { levels }, bounds, under_pressure }) => [
			bytes(levels.buffered_bytes),
			`of ${bytes(bounds.buffered_bytes)}; the kernel ${bytes(levels.socket_bytes)}`,
			under_pressure,
		],
	},
	{
		name: "Accept queues",
		href: "#/listeners",
		read: ({ point: { levels } }) => [
			whole(levels.queued),
			`the fullest at ${percent(levels.fullest_queue, 1)}`,
			levels.fullest_queue >= 0.8,
		],
	},
	{
		name: "Turn, p99",
		href: "#/gateway",
		read: ({ point: { levels } }) => [
			levels.turn_p99_seconds === 0 ? "none" : `≤ ${seconds(levels.turn_p99_seconds)}`,
			levels.turn_p99_seconds === 0
				? "in the last second"
				: `half of them ≤ ${seconds(levels.turn_p50_seconds)}`,
			levels.turn_p99_seconds > 0.05,
		],
	},
	{
		name: "Ledger",
		href: "#/gateway",
		read: ({ ledger }) => [
			ledger.discrepancies === 0 ? "fits" : `${whole(ledger.discrepancies)} do not fit`,
			counting(ledger.checks, "check"),
			ledger.discrepancies > 0,
		],
	},
	{
		name: "Tunnels",
		href: "#/tunnels",
		isThere: ({ tunnels }) => tunnels !== null,
		read: ({ tunnels }) => [
			whole(Object.values(tunnels?.tunnels ?? {}).reduce((all, each) => all + each, 0)),
			`${counting(tunnels?.agents ?? 0, "agent")}, ${counting(tunnels?.lines["parked"] ?? 0, "line")} parked, ${whole(tunnels?.lines["used"] ?? 0)} used`,
			(tunnels?.tunnels["down"] ?? 0) > 0,
		],
	},
	{
		name: "Datagram sessions",
		href: "#/listeners",
		isThere: ({ queues: _, point: { levels, totals } }) => levels.flows + totals.datagrams_from_client > 0,
		read: ({ point: { levels, totals }, datagrams }) => [
			whole(levels.flows),
			`${whole(totals.datagrams_dropped)} datagrams dropped, ${whole(datagrams.half_hellos)} half hellos`,
		],
	},
	{
		name: "Subscribers",
		href: "#/hub",
		isThere: ({ hub }) => hub !== null,
		read: ({ point: { levels, totals }, hub }, points) => [
			whole(levels.subscribers),
			`${perSecond(points.rate("delivered"))} delivered, ${whole(totals.missed)} missed, ${whole(hub?.blocked ?? 0)} take no more`,
		],
	},
];

interface Drawn {
	readonly chart: Chart;
	readonly draw: (points: Points) => void;
	readonly isThere: (figures: Figures) => boolean;
}

function drawn(
	options: ChartOptions,
	data: (points: Points) => Parameters<Chart["draw"]>[0],
	isThere: Drawn["isThere"] = () => true,
): Drawn {
	const chart = new Chart(options);
	return { chart, isThere, draw: (points) => chart.draw(data(points)) };
}

function charts(): Drawn[] {
	const ended = new Chart({ title: "Ended, by reason", href: "#/ended", labels: [], write: perSecond });
	return [
		drawn({ title: "Sessions", href: "#/sessions", labels: ["live"], write: short }, (points) =>
			points.levels("sessions"),
		),
		drawn(
			{
				...{ title: "Coming and going", href: "#/sessions?sort=age&order=asc" },
				...{ labels: ["accepted", "ended", "requests"], write: perSecond },
			},
			(points) => points.rates("accepted", "closed", "requests"),
		),
		{
			...{ chart: ended, isThere: () => true },
			draw: (points) => {
				const { names, data } = points.reasons();
				ended.draw(data, names);
			},
		},
		drawn(
			{
				...{ title: "Bytes", href: "#/sessions?sort=bytes", labels: ["from clients", "to clients"] },
				write: (value) => `${bytes(value)}/s`,
			},
			(points) => points.rates("bytes_from_client", "bytes_to_client"),
		),
		drawn(
			{
				...{ title: "Buffered", href: "#/sessions?sort=buffered", labels: ["here", "in the kernel"] },
				write: bytes,
			},
			(points) => points.levels("buffered_bytes", "socket_bytes"),
		),
		drawn({ title: "Turns", href: "#/gateway", labels: ["p50", "p99"], write: seconds }, (points) =>
			points.levels("turn_p50_seconds", "turn_p99_seconds"),
		),
		drawn({ title: "Accept queues", href: "#/listeners", labels: ["waiting"], write: short }, (points) =>
			points.levels("queued"),
		),
		drawn({ title: "Descriptors", href: "#/gateway", labels: ["open"], write: short }, (points) =>
			points.levels("descriptors"),
		),
		drawn(
			{
				...{ title: "Datagrams", href: "#/gateway", write: perSecond },
				labels: ["from clients", "to clients", "dropped"],
			},
			(points) => points.rates("datagrams_from_client", "datagrams_to_client", "datagrams_dropped"),
			({ point: { totals } }) => totals.datagrams_from_client > 0,
		),
		drawn(
			{ title: "Hub", href: "#/hub", labels: ["published", "delivered", "missed"], write: perSecond },
			(points) => points.rates("published", "delivered", "missed"),
			({ hub }) => hub !== null,
		),
		drawn(
			{ title: "Lines", href: "#/tunnels", labels: ["there"], write: short },
			(points) => points.levels("lines"),
			({ tunnels }) => tunnels !== null,
		),
	];
}

/** How sessions are told apart, and the parameter of the list that each part leads to. */
const PARTS = [
	["states", "State", "state"],
	["protocols", "Kind", "protocol"],
	["listeners", "Listener", "listener"],
	["routes", "Route", "route"],
	["upstreams", "Upstream", "upstream"],
] as const;

export class Overview implements View {
	readonly title = "Overview";
	readonly root = element("div");
	readonly #points: Points;
	readonly #tiles = element("ul", { class: "tiles", "aria-label": "Now" });
	readonly #parts = element("div", { class: "parts" });
	readonly #charts = charts();

	constructor(points: Points) {
		this.#points = points;
		const area = element("section", { class: "charts", "aria-label": "The last minutes" });
		area.append(...this.#charts.map(({ chart }) => chart.figure));
		this.root.append(element("h1", { class: "unseen" }, this.title), this.#tiles, area, this.#parts);
	}

	figures(figures: Figures): void {
		show(
			this.#tiles,
			TILES.filter(({ isThere }) => isThere?.(figures) ?? true).map(({ name, href, read }) => {
				const [figure, beside, isBad = false] = read(figures, this.#points);
				return element(
					"li",
					{ "data-key": name, ...(isBad ? { class: "bad" } : {}) },
					element(
						"a",
						{ href },
						element("span", { class: "name" }, name),
						element("strong", {}, figure),
						element("span", { class: "beside" }, beside),
					),
				);
			}),
		);
		for (const { chart, isThere, draw } of this.#charts) {
			chart.figure.hidden = !isThere(figures);
			if (!chart.figure.hidden) draw(this.#points);
		}
		show(
			this.#parts,
			PARTS.map(([part, title, parameter]) => bars(title, figures.parts[part], parameter)),
		);
	}

	restyle(): void {
		for (const { chart } of this.#charts) chart.restyle();
	}

	leave(): void {
		this.restyle();
	}
}

/** Each part's share of all that are there, as a bar. */
function bars(title: string, parts: Figures["parts"]["states"], parameter: string): HTMLElement {
	const most = Math.max(1, ...parts.map(({ sessions }) => sessions));
	const items = parts.map(({ name, sessions }) => {
		const bar = element("span", { class: "bar" });
		bar.style.inlineSize = `${(100 * sessions) / most}%`;
		return element(
			"li",
			{ "data-key": name },
			link(sessionsWith({ [parameter]: name }), name),
			element("span", { class: "count" }, whole(sessions)),
			bar,
		);
	});
	return element(
		"section",
		{},
		element("h2", {}, `Sessions by ${title.toLowerCase()}`),
		items.length === 0 ? element("p", { class: "none" }, "none") : element("ul", { class: "bars" }, ...items),
	);
}
