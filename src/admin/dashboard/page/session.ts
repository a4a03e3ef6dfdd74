/** All that is known of one session. */
import { button, element } from "../../../browser/dom.js";
import type { EndedListing, EndedSession, Listing, SessionDetails, TcpFacts } from "../../session-view.js";
import { ApiError, ask } from "./ask.js";
import { confirmAndDo, tell } from "./dialogs.js";
import { bytes, seconds, whole } from "./format.js";
import { show } from "./patch.js";
import { meaningOf, timelineOf } from "./timeline.js";
import { Asking, link, plainTable, sessionsWith, type View } from "./view.js";

const REFRESH_MS = 1_000;

/** Those that lead to sessions which have the same. */
const SHARED = ["listener", "route", "protocol", "name", "upstream", "address", "state"] as const;

export class SessionView implements View {
	readonly title: string;
	readonly root = element("div");
	readonly #id: string;
	readonly #content = element("div");
	readonly #asking: Asking;

	constructor(id: string) {
		this.#id = id;
		this.title = `Session ${id}`;
		const close = button("Close it", () => {
			void confirmAndDo({
				says: `Close session ${id}, as operator.`,
				verb: "Close",
				...{ path: "/api/sessions/close", query: { id } },
			}).then(() => this.#asking.now());
		});
		close.id = "close";
		this.root.append(element("h1", {}, this.title), element("div", { class: "tools" }, close), this.#content);
		this.#asking = new Asking(REFRESH_MS, () => this.#show(close));
	}

	/** One that lives; or what is remembered of it, which does not change any more. */
	async #show(close: HTMLButtonElement): Promise<void> {
		try {
			const id = this.#id;
			const { matched } = await ask<Listing>("/api/sessions", { id });
			if (matched > 0) {
				show(this.#content, live(await ask<SessionDetails>(`/api/sessions/${id}`)));
				return;
			}
			const { sessions } = await ask<EndedListing>("/api/ended", { id });
			const [ended] = sessions;
			close.hidden = true;
			if (ended === undefined) {
				this.#content.replaceChildren(
					element("p", {}, "It does not live, nor is it among the last that ended."),
				);
				return;
			}
			show(this.#content, [timelineOf(ended, ended.closed), meaningOf(ended), facts(ended)]);
			this.#asking.end();
		} catch (error) {
			// It has ended between two questions.
			if (!(error instanceof ApiError) || error.status !== 404) await tell(error);
		}
	}

	leave(): void {
		this.#asking.end();
	}
}

function live(details: SessionDetails): HTMLElement[] {
	const { deadlines, client_tcp, upstream_tcp } = details;
	return [
		timelineOf(details, new Date().toISOString()),
		facts(details),
		plainTable(
			"Deadlines that come",
			["timeout", "in", "at"],
			deadlines.map(({ timeout, in_ms, at }) => [timeout, seconds(Math.max(0, in_ms) / 1_000), at]),
		),
		plainTable(
			"What the kernel knows of its connections",
			["figure", "client", "upstream"],
			tcpRows(client_tcp, upstream_tcp),
		),
	];
}

function facts(session: SessionDetails | EndedSession): HTMLElement {
	const there = session as unknown as Readonly<Record<string, string | number | null>>;
	const list = element("dl", { class: "facts" });
	const put = (name: string, value: Node | string): void => {
		list.append(element("div", {}, element("dt", {}, name), element("dd", {}, value)));
	};
	put("client", link(sessionsWith({ source: hostOf(session.source) }), session.source));
	for (const name of SHARED) {
		const value = there[name];
		if (value != null) put(name, link(sessionsWith({ [name]: String(value) }), String(value)));
	}
	put("from the client", `${bytes(session.bytes_from_client)} (${whole(session.bytes_from_client)})`);
	put("to the client", `${bytes(session.bytes_to_client)} (${whole(session.bytes_to_client)})`);
	if ("reason" in session) put("ended as", link(`#/ended?reason=${session.reason}`, session.reason));
	else {
		put("buffered", bytes(session.buffered_bytes));
		put("idle for", seconds(session.idle_ms / 1_000));
		put("reactor", link(sessionsWith({ reactor: String(session.reactor) }), String(session.reactor)));
	}
	return list;
}

/** Without the port. */
function hostOf(source: string): string {
	return source.slice(0, source.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}

function tcpRows(client: TcpFacts | null, upstream: TcpFacts | null): string[][] {
	const names = Object.keys(client ?? upstream ?? {}) as (keyof TcpFacts)[];
	return names.map((name) => [
		name.replaceAll("_", " "),
		client === null ? "–" : whole(client[name]),
		upstream === null ? "–" : whole(upstream[name]),
	]);
}
