/** One exchange: what was asked, what was answered, and how long that took. */

import { amount, button, byId, clockTime, duration, element } from "../../../browser/dom.js";
import type { Detail as Exchange, FieldView, HalfView } from "../api.js";
import { askDetail, askReplay, type Half } from "./ask.js";
import { bodyElements, type Form } from "./body.js";
import { colour, outcome } from "./list.js";

/** What is under way is looked at again so often at the most. */
const AGAIN_MS = 500;

export class Detail {
	readonly #place = byId("detail");
	readonly #choose: (id: number) => void;
	#id: number | undefined;
	#shown: Exchange | undefined;
	/** Secrets are shown for this exchange, until another is chosen. */
	#secrets = false;
	#isAsking = false;
	/** It has changed since it was asked for. */
	#isStale = false;
	readonly #forms: Partial<Record<Half, Form>> = {};

	/** `choose`: another exchange is to be shown. */
	constructor(choose: (id: number) => void) {
		this.#choose = choose;
	}

	show(id: number): void {
		if (id !== this.#id) this.#secrets = false;
		this.#id = id;
		this.#ask();
	}

	/** The one that is shown has changed. */
	changed(id: number, revision: number): void {
		if (id === this.#id && revision > (this.#shown?.revision ?? -1)) this.#ask();
	}

	clear(): void {
		this.#id = undefined;
		this.#shown = undefined;
		this.#place.replaceChildren();
	}

	#ask(): void {
		this.#isStale = true;
		if (!this.#isAsking) void this.#askNow();
	}

	async #askNow(): Promise<void> {
		this.#isAsking = true;
		while (this.#isStale && this.#id !== undefined) {
			this.#isStale = false;
			const id = this.#id;
			try {
				const exchange = await askDetail(id, this.#secrets);
				if (id === this.#id) this.#draw(exchange);
			} catch (error) {
				if (id === this.#id)
					this.#place.replaceChildren(element("p", { class: "bad" }, (error as Error).message));
			}
			if (this.#isStale && id === this.#id) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
		}
		this.#isAsking = false;
	}

	#draw(exchange: Exchange): void {
		this.#shown = exchange;
		const { scrollTop } = this.#place;
		this.#place.replaceChildren(
			this.#top(exchange),
			facts(exchange),
			...this.#half("request", "Request", exchange.request),
			...this.#half("response", "Answer", exchange.response),
		);
		this.#place.scrollTop = scrollTop;
	}

	#top(exchange: Exchange): HTMLElement {
		const { method, target, hidden, no_replay } = exchange;
		const replay = button("Replay", () => void this.replay());
		replay.id = "replay";
		replay.disabled = no_replay !== null;
		if (no_replay !== null) replay.title = `It cannot be sent again: ${no_replay}`;
		const secrets = button(
			this.#secrets ? "Hide secrets" : `Show ${hidden} ${hidden === 1 ? "secret" : "secrets"}`,
			() => this.toggleSecrets(),
		);
		secrets.id = "secrets";
		secrets.hidden = hidden === 0 && !this.#secrets;
		const title = method === "" ? "Not readable" : `${method} ${target}`;
		return element("div", { class: "top" }, element("h2", {}, title), replay, secrets);
	}

	#half(half: Half, name: string, view: HalfView | null): HTMLElement[] {
		const { id } = this.#shown as Exchange;
		if (view === null) return [];
		const body = bodyElements({
			...{ id, half, body: view.body, form: this.#forms[half] },
			choose: (form) => {
				this.#forms[half] = form;
			},
		});
		const trailers = view.trailers.length === 0 ? [] : [element("h3", {}, "Trailers"), fields(view.trailers)];
		return [
			element(
				...(["section", { class: "half", id: half }] as const),
				...[element("h3", {}, name), element("p", {}, element("code", {}, view.line))],
				...[fields(view.fields), ...body, ...trailers],
			),
		];
	}

	/** What was hidden is shown, or hidden again. */
	toggleSecrets(): void {
		if (this.#shown === undefined || (this.#shown.hidden === 0 && !this.#secrets)) return;
		this.#secrets = !this.#secrets;
		this.#ask();
	}

	/** Sends the request again, and shows what comes of it. */
	async replay(): Promise<void> {
		if (this.#shown === undefined || this.#shown.no_replay !== null) return;
		try {
			this.#choose((await askReplay(this.#shown.id)).id);
		} catch (error) {
			this.#place.prepend(element("p", { class: "bad", role: "alert" }, (error as Error).message));
		}
	}
}

function facts(exchange: Exchange): HTMLElement {
	const { tunnel, host, began, first_byte_ms, duration_ms, state, why, interim, upgrade, replay_of } =
		exchange;
	const status = [exchange.status === null ? "" : outcome(exchange), state, why ?? ""].filter(
		(word) => word !== "",
	);
	const rows: (readonly [string, string | Node] | null)[] = [
		["Outcome", element("span", { class: colour(exchange) }, status.join(", "))],
		["Began", clockTime(began)],
		["First byte", duration(first_byte_ms)],
		["Duration", duration(duration_ms)],
		["Tunnel", host === "" ? tunnel : `${tunnel}, for ${host}`],
		interim.length === 0 ? null : ["Before it", interim.join(", ")],
		upgrade === null
			? null
			: [
					upgrade.protocol,
					`${amount(upgrade.bytes_from_visitor)} in, ${amount(upgrade.bytes_to_visitor)} out`,
				],
		replay_of === null
			? null
			: ["Replay of", element("a", { href: `#${replay_of}` }, `request ${replay_of}`)],
	];
	const made = element("dl", { class: "facts" });
	for (const row of rows)
		if (row !== null) made.append(element("div", {}, element("dt", {}, row[0]), element("dd", {}, row[1])));
	return made;
}

function fields(views: readonly FieldView[]): HTMLElement {
	const made = element("table");
	for (const { name, value } of views) {
		const shown = value === null ? element("span", { class: "secret" }, "hidden") : value;
		made.append(element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, shown)));
	}
	return made;
}
