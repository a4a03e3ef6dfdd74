/** What the inspector's API answers. */
import type { TunnelSettings } from "../agent/settings.js";
import type { ErrorAnswer, ListAnswer, ReplayAnswer } from "./api.js";
import type { Exchange } from "./exchange.js";
import type { Exchanges } from "./exchanges.js";
import { fieldsOfHead, listOf } from "./fields.js";
import { Live } from "./live.js";
import { Replays, whyNoReplay } from "./replay.js";
import { unpack } from "./unpack.js";
import { detailOf, SHOWN_MAX_BYTES, summaryOf } from "./view.js";

export interface Inspected {
	readonly exchanges: Exchanges;
	/** As it is now, if there still is one of this name. */
	tunnel(name: string): TunnelSettings | undefined;
}

export interface Answer {
	readonly status: number;
	readonly type: string;
	readonly body: string | Buffer;
	readonly headers?: Readonly<Record<string, string>>;
}

export function json(status: number, value: unknown): Answer {
	return { status, type: "application/json", body: `${JSON.stringify(value, undefined, "\t")}\n` };
}

export function fault(status: number, error: string): Answer {
	return json(status, { error } satisfies ErrorAnswer);
}

const LIST = "/api/exchanges";
const EVENTS = "/api/events";
const PATHS = `${LIST}, ${LIST}/ID, ${LIST}/ID/request/body, ${LIST}/ID/response/body, ${LIST}/ID/replay and ${EVENTS}`;

export class Desk {
	readonly live: Live;
	readonly #inspected: Inspected;
	readonly #replays: Replays;

	constructor(inspected: Inspected) {
		this.#inspected = inspected;
		this.live = new Live(inspected.exchanges);
		this.#replays = new Replays(inspected.exchanges);
	}

	/** `events`: who asks is to be shown what happens. */
	async ask(method: string, path: string, query: URLSearchParams): Promise<Answer | "events"> {
		if (path === LIST) return this.#askList(method);
		// Its answer has no end.
		if (path === EVENTS) return method === "GET" ? "events" : notAllowed("GET");
		const reads = method === "GET" || method === "HEAD";
		const [, id, part = ""] = /^\/api\/exchanges\/(\d{1,15})(?:\/(.+))?$/.exec(path) ?? [];
		if (id === undefined) return fault(404, `not found; there are ${PATHS}`);
		const exchange = this.#inspected.exchanges.get(Number(id));
		if (exchange === undefined) return fault(404, `exchange ${id} is not kept, or not any more`);
		if (part === "replay") return method === "POST" ? this.#replay(exchange) : notAllowed("POST");
		if (!["", "request/body", "response/body"].includes(part))
			return fault(404, `not found; there are ${PATHS}`);
		if (!reads) return notAllowed("GET, HEAD");
		if (part !== "") return body(exchange, part === "request/body" ? "request" : "response", query);
		const secrets = query.get("secrets") === "shown";
		return json(200, await detailOf(exchange, { secrets, replays: this.#replays.running }));
	}

	#askList(method: string): Answer {
		const { exchanges } = this.#inspected;
		if (method === "DELETE") {
			exchanges.clear();
			return json(200, {});
		}
		if (method !== "GET" && method !== "HEAD") return notAllowed("GET, HEAD, DELETE");
		const { most, bodyMax, bytesMax } = exchanges.bounds;
		return json(200, {
			exchanges: exchanges.list().map(summaryOf),
			bounds: { exchanges: most, body_bytes: bodyMax, total_bytes: bytesMax },
			kept_bytes: exchanges.bytes,
			viewers: this.live.viewers,
		} satisfies ListAnswer);
	}

	#replay(exchange: Exchange): Answer {
		const why = whyNoReplay(exchange, this.#replays.running);
		if (why !== undefined) return fault(409, `it cannot be sent again: ${why}`);
		const tunnel = this.#inspected.tunnel(exchange.tunnel);
		if (tunnel === undefined || tunnel.kind !== "http")
			return fault(409, `it cannot be sent again: there is no http tunnel "${exchange.tunnel}" any more`);
		return json(202, { id: this.#replays.start(exchange, tunnel).id } satisfies ReplayAnswer);
	}

	close(): void {
		this.#replays.close();
	}
}

/** What is kept of it, as it came, or with `?unpacked` as it was before it was packed. To be saved and not shown: it may be anything. */
async function body(
	exchange: Exchange,
	half: "request" | "response",
	query: URLSearchParams,
): Promise<Answer> {
	const { head, body } = exchange[half];
	const encoding = listOf(fieldsOfHead(head.bytes), "content-encoding");
	const bytes = query.has("unpacked")
		? (await unpack(body.bytes, encoding, SHOWN_MAX_BYTES)).bytes
		: Buffer.from(body.bytes);
	const name = `${half}-${exchange.id}.bin`;
	return {
		...{ status: 200, type: "application/octet-stream", body: bytes },
		headers: { "content-disposition": `attachment; filename="${name}"` },
	};
}

function notAllowed(methods: string): Answer {
	return { ...fault(405, `only ${methods}`), headers: { allow: methods } };
}
