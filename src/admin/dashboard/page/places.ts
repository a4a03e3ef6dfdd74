/** What the gateway is made of, and what can be done with it: listeners, upstreams, sources, tunnels, channels, the gateway itself. */
import { button, element } from "../../../browser/dom.js";
import type { Reloaded } from "../../../config/changes.js";
import type { ChannelsStatus } from "../../hub-view.js";
import type { GatewayStatus, SourcesStatus, UpstreamStatus } from "../../operation-view.js";
import type { TunnelsStatus } from "../../tunnel-view.js";
import type { LedgerReport } from "../../view.js";
import type { Figures } from "../figures.js";
import { ApiError, ask } from "./ask.js";
import { type Change, confirmAndDo, say, tell } from "./dialogs.js";
import { age, bytes, counting, seconds, whole } from "./format.js";
import { show } from "./patch.js";
import { Asking, link, plainTable, sessionsWith, type View } from "./view.js";

const REFRESH_MS = 2_000;

type Cells = readonly (Node | string | null)[];

/** Asks again while it is shown, and shows what was answered. */
class Place implements View {
	readonly title: string;
	readonly root = element("div");
	readonly #asking: Asking;

	constructor(title: string, read: (again: () => void) => Promise<readonly HTMLElement[]>) {
		this.title = title;
		const content = element("div");
		this.root.append(element("h1", {}, title), content);
		this.#asking = new Asking(REFRESH_MS, async () => {
			try {
				show(content, await read(() => this.#asking.now()));
			} catch (error) {
				if (error instanceof ApiError && error.status === 404)
					content.replaceChildren(element("p", {}, error.message));
				else await tell(error);
			}
		});
	}

	leave(): void {
		this.#asking.end();
	}
}

/** A button for a change; `of` says of what, for those who hear it. */
function doing(text: string, of: string, again: () => void, change: Change): HTMLButtonElement {
	const made = button(text, () => void confirmAndDo(change).then(again));
	made.setAttribute("aria-label", `${text} ${of}`);
	return made;
}

export function listenersPlace(): View {
	return new Place("Listeners", async (again) => {
		const { listeners } = await ask<GatewayStatus>("/api/status");
		const rows = listeners.map(({ name, port, sessions, queued, rests }): Cells => {
			const action = rests ? "resume" : "pause";
			return [
				link(sessionsWith({ listener: name }), name),
				...[String(port), whole(sessions), whole(queued), rests ? "paused by an operator" : "accepts"],
				doing(rests ? "Resume" : "Pause", name, again, {
					says: rests
						? `Have ${name} accept connections again.`
						: `Have ${name} accept nobody: who comes waits in its accept queue.`,
					...{ path: `/api/listeners/${action}`, query: { listener: name } },
				}),
			];
		});
		return [plainTable("Listeners", ["listener", "port", "sessions", "waiting", "state", "action"], rows)];
	});
}

export function upstreamsPlace(): View {
	return new Place("Upstreams", async (again) => {
		const { upstreams } = await ask<{ upstreams: UpstreamStatus[] }>("/api/upstreams");
		return upstreams.map(({ name, addresses }) =>
			plainTable(
				name,
				["address", "state", "why", "sessions", "weight", "failures", "action"],
				addresses.map(
					({ address, state, since, why, sessions, weight, failures, max_connections }): Cells => {
						const action = state === "draining" ? "resume" : "drain";
						const change = {
							says:
								action === "drain"
									? `Have ${address} of ${name} get no new session; it keeps those that it has.`
									: `Have ${address} of ${name} get sessions again.`,
							...{ path: `/api/upstreams/${action}`, query: { upstream: name, address } },
						};
						return [
							link(sessionsWith({ upstream: name, address }), address),
							element("span", { class: state === "up" ? "good" : "bad" }, state),
							why === null ? "" : `${why}${since === null ? "" : `, since ${since}`}`,
							whole(sessions) + (max_connections === null ? "" : ` of ${whole(max_connections)}`),
							...[String(weight), whole(failures)],
							doing(action === "drain" ? "Drain" : "Resume", `${address} of ${name}`, again, change),
						];
					},
				),
			),
		);
	});
}

export function sourcesPlace(): View {
	return new Place("Sources", async (again) => {
		const { addresses, sources, bans } = await ask<SourcesStatus>("/api/sources", { limit: "50" });
		return [
			element("p", {}, `${counting(addresses, "client address")} with sessions.`),
			plainTable(
				"Those with most sessions",
				["source", "sessions", "action"],
				sources.map(
					({ source, sessions }): Cells => [
						link(sessionsWith({ source }), source),
						whole(sessions),
						doing("Ban for 1 h", source, again, {
							says: `Shut ${source} out for an hour, and close its ${counting(sessions, "session")}.`,
							...{ path: "/api/sources/ban", query: { source, for: "1h" } },
						}),
					],
				),
			),
			plainTable(
				"Shut out",
				["source", "until", "by", "action"],
				bans.map(
					({ source, until, operator }): Cells => [
						...[source, until, operator],
						doing("Let in", source, again, {
							says: `Let ${source} come again.`,
							...{ path: "/api/sources/unban", query: { source } },
						}),
					],
				),
			),
		];
	});
}

export function tunnelsPlace(): View {
	return new Place("Tunnels", async () => {
		const { agents, tunnels, logging_in } = await ask<TunnelsStatus>("/api/tunnels");
		return [
			plainTable(
				"Agents",
				["agent", "address", "program", "since", "round trip"],
				agents.map(
					({ id, address, program, since, rtt_ms }): Cells => [
						...[id, address, program, since, rtt_ms === null ? "" : `${rtt_ms.toFixed(1)} ms`],
					],
				),
			),
			element("p", {}, `${counting(logging_in, "agent")} on the way in.`),
			plainTable(
				"Tunnels",
				["name", "kind", "agent", "state", "visitors come to", "lines wait", "used", "failed"],
				tunnels.map(
					({ name, kind, agent, state, why, addresses, lines }): Cells => [
						link(sessionsWith({ upstream: `tunnel:${name}` }), name),
						...[kind, agent, why === null ? state : `${state}: ${why}`, addresses.join(", ")],
						`${whole(lines.parked)} of ${whole(lines.depth)}`,
						...[whole(lines.used), whole(lines.failed)],
					],
				),
			),
		];
	});
}

export function hubPlace(): View {
	return new Place("Hub", async () => {
		const { channels } = await ask<ChannelsStatus>("/api/hub");
		return [
			plainTable(
				"Channels",
				["channel", "entry", "policy", "subscribers", "published", "can be replayed", "newest"],
				channels.map(
					({ name, match, policy, subscribers, published, replayable, last_id }): Cells => [
						link(
							`#/api?path=${encodeURIComponent("/api/hub/{channel}")}&channel=${encodeURIComponent(name)}`,
							name,
						),
						...[match, policy, whole(subscribers), whole(published), whole(replayable), last_id ?? ""],
					],
				),
			),
			element("p", {}, link("#/sessions?state=subscribed", "Sessions that are subscribed")),
		];
	});
}

/** The whole of it; what its ledger says is asked for by a button, because it has to look. */
export class GatewayPlace implements View {
	readonly title = "Gateway";
	readonly root = element("div");
	readonly #now = element("div");
	readonly #ledger = element("div");

	constructor() {
		const shown = element("pre", { tabindex: "0", "aria-label": "Configuration in force" });
		const config = element("details", {}, element("summary", {}, "Configuration in force"), shown);
		const certificates = element("div");
		config.addEventListener("toggle", () => void showConfig(config, shown));
		const again = (): void => {
			void showCertificates(certificates);
			void showConfig(config, shown);
		};
		const reload = doing("Reload", "the configuration", again, {
			says: "Read the configuration's file again, as SIGHUP does.",
			path: "/api/reload",
			done: (answer) => reloaded(answer as Reloaded),
		});
		const check = button("Check the ledger", () => void this.#check());
		this.root.append(
			element("h1", {}, this.title),
			element("div", { class: "tools" }, reload, check, link("#/api", "All that the API can do")),
			...[this.#now, this.#ledger, certificates, config],
		);
		void showCertificates(certificates);
	}

	figures({ version, state, bounds, descriptors, point, ledger, datagrams, reactors }: Figures): void {
		show(this.#now, [
			element(
				"p",
				{},
				`Sluice ${version}, ${state}. ${whole(point.levels.descriptors)} descriptors are open, of ${whole(bounds.descriptors)}; ${whole(bounds.descriptors_reserved)} of them are kept for the admin port, the log and dials. The ledger was held against the kernel ${counting(ledger.checks, "time")}${ledger.checked === null ? "" : `, last at ${ledger.checked}`}: ${ledger.discrepancies === 0 ? "everything fits" : `${ledger.discrepancies} do not fit`}.`,
			),
			plainTable(
				"Reactors",
				["reactor", "turns", "half of the last ones", "99 in 100", "buffered", "in the kernel", "heap"],
				reactors.map((each, reactor) => [
					...[String(reactor), whole(each.turns), turnTime(each.turn_p50_seconds)],
					...[turnTime(each.turn_p99_seconds), bytes(each.buffered_bytes)],
					...[bytes(each.socket_bytes), bytes(each.heap_bytes)],
				]),
			),
			plainTable(
				"Descriptors that are open",
				["kind", "open"],
				Object.entries(descriptors).map(([kind, count]) => [kind, whole(count)]),
			),
			plainTable(
				"Datagrams that were not passed on",
				["cause", "datagrams"],
				Object.entries(datagrams.dropped).map(([cause, count]) => [cause, whole(count)]),
			),
		]);
	}

	async #check(): Promise<void> {
		try {
			const { discrepancies, checkedAt, descriptors } = await ask<LedgerReport>("/api/ledger");
			if (discrepancies.length === 0)
				say(`The ledger fits: ${counting(descriptors, "descriptor")} of the process, each with its owner.`);
			this.#ledger.replaceChildren(
				plainTable(
					`What does not fit, at ${checkedAt}`,
					["problem", "descriptor", "kind", "is", "last owner", "since"],
					discrepancies.map(({ problem, descriptor, kind, target, lastOwner, since }) => [
						...[problem, descriptor === null ? "sums" : String(descriptor), kind, target, lastOwner, since],
					]),
				),
			);
		} catch (error) {
			await tell(error);
		}
	}
}

/** What a reload has changed, in the words of the file. */
function reloaded({ added, removed, changed, needs_restart: waiting }: Reloaded): string {
	const parts = Object.entries({ added, removed, changed, "needs a restart": waiting })
		.filter(([, names]) => names.length > 0)
		.map(([what, names]) => `${what}: ${names.join(", ")}`);
	return parts.length === 0
		? "Reloaded: the file says what it said before."
		: `Reloaded. ${parts.join("; ")}.`;
}

/** Of a bucket of the histogram. */
function turnTime(atMostSeconds: number): string {
	return atMostSeconds === 0 ? "none" : `≤ ${seconds(atMostSeconds)}`;
}

/** As it is now: a reload may have changed it. */
async function showConfig(config: HTMLDetailsElement, shown: HTMLElement): Promise<void> {
	if (!config.open) return;
	try {
		shown.textContent = JSON.stringify(await ask("/api/config"), undefined, 2);
	} catch (error) {
		await tell(error);
	}
}

async function showCertificates(place: HTMLElement): Promise<void> {
	try {
		const { certificates } = await ask<{ certificates: { file: string; expires: string }[] }>(
			"/api/certificates",
		);
		place.replaceChildren(
			plainTable(
				"Certificates",
				["file", "expires", "in"],
				certificates.map(({ file, expires }) => [file, expires, age(Date.parse(expires) - Date.now())]),
			),
		);
	} catch (error) {
		await tell(error);
	}
}
