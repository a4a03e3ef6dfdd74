/** What somebody asks for who comes to the hub by a request (`docs/hub-wire.md`). The gateway has parsed its head already, strictly. */
import { CHANNEL_NAME_MAX_BYTES, isChannelName } from "../channels/names.js";

export interface HubRequest {
	readonly kind: "websocket" | "events" | "preflight";
	readonly channels: readonly string[];
	/** An id of a message, as it was said; `null`: it names none. */
	readonly after: string | null;
	readonly last: boolean;
	readonly token: string | null;
	/** Of the page that asks; `null`: no browser does. */
	readonly origin: string | null;
	readonly host: string;
	/** Sec-WebSocket-Key. */
	readonly key: string;
	/** The subprotocol that is answered; `null`: none was offered. */
	readonly subprotocol: string | null;
}

/** It is answered with a status and a sentence. */
export class RequestRefusal extends Error {
	override readonly name = "RequestRefusal";
	readonly status: number;
	readonly code: string;

	constructor(status: number, code: string, message: string) {
		super(message);
		this.status = status;
		this.code = code;
	}
}

export const SUBPROTOCOL = "sluice-hub.v1";
/** Browsers can set no field for a WebSocket: what follows this is a token. */
const TOKEN_SUBPROTOCOL = "token.";

/** Channels that one request may name. */
const CHANNELS_MAX = 64;

/** `path`: what the route is for; what follows it is a channel. @throws RequestRefusal */
export function readHubRequest(head: string, isWebSocket: boolean, path: string): HubRequest {
	const [line = "", ...lines] = head.split("\r\n");
	const [method = "", target = ""] = line.split(" ");
	const fields = fieldsOf(lines);
	const one = (name: string): string | null => fields.get(name)?.[0] ?? null;
	if (method !== "GET" && method !== "OPTIONS")
		throw new RequestRefusal(
			405,
			"bad_method",
			"a channel is read with GET; it is published to by the admin port",
		);
	const { pathname, query } = partsOf(target);
	const channels = channelsOf(pathname, query, path);
	const common = { origin: one("origin"), host: one("host") ?? "", key: one("sec-websocket-key") ?? "" };
	const offered = listOf(fields.get("sec-websocket-protocol"));
	const token = tokenOf(fields.get("authorization") ?? [], query.getAll("token"), offered);
	const last = query.get("last") === "1";
	if (method === "OPTIONS")
		return { ...common, kind: "preflight", channels, after: null, last, token, subprotocol: null };
	if (isWebSocket) {
		const subprotocol = subprotocolOf(offered);
		return { ...common, kind: "websocket", channels, after: query.get("after"), last, token, subprotocol };
	}
	if (!takesEvents(fields.get("accept")))
		throw new RequestRefusal(
			406,
			"not_acceptable",
			"a channel is a WebSocket, or an event stream for whoever accepts text/event-stream",
		);
	if (channels.length === 0)
		throw new RequestRefusal(400, "bad_channel", "name a channel: in the path, or with ?channel=");
	const after = one("last-event-id") ?? query.get("after");
	return { ...common, kind: "events", channels, after, last, token, subprotocol: null };
}

function fieldsOf(lines: readonly string[]): Map<string, string[]> {
	const fields = new Map<string, string[]>();
	for (const line of lines) {
		const colon = line.indexOf(":");
		if (colon <= 0) continue;
		const name = line.slice(0, colon).toLowerCase();
		const value = line.slice(colon + 1).trim();
		const all = fields.get(name);
		if (all === undefined) fields.set(name, [value]);
		else all.push(value);
	}
	return fields;
}

function partsOf(target: string): { readonly pathname: string; readonly query: URLSearchParams } {
	// An absolute target names its authority first.
	const scheme = target.startsWith("/") ? -1 : target.indexOf("://");
	const slash = scheme < 0 ? 0 : target.indexOf("/", scheme + 3);
	const path = slash < 0 ? "/" : target.slice(slash);
	const mark = path.indexOf("?");
	const pathname = mark < 0 ? path : path.slice(0, mark);
	return { pathname, query: new URLSearchParams(mark < 0 ? "" : path.slice(mark + 1)) };
}

function channelsOf(pathname: string, query: URLSearchParams, path: string): readonly string[] {
	const rest = pathname.startsWith(path) ? pathname.slice(path.length) : "";
	const named = query.getAll("channel");
	const channels = [...new Set([...(rest === "" ? [] : [decoded(rest)]), ...named])];
	if (channels.length > CHANNELS_MAX)
		throw new RequestRefusal(400, "limit_subscriptions", `a request names ${CHANNELS_MAX} channels at most`);
	for (const channel of channels)
		if (!isChannelName(channel))
			throw new RequestRefusal(
				404,
				"bad_channel",
				`this is no name of a channel: expected up to ${CHANNEL_NAME_MAX_BYTES} letters, digits, ".", "_", "-", "~" and ":", in parts that "/" divides`,
			);
	return channels;
}

/** Each part of a path is decoded once. What cannot be is no name. */
function decoded(path: string): string {
	try {
		return path.split("/").map(decodeURIComponent).join("/");
	} catch {
		return path;
	}
}

/** @throws RequestRefusal where several are given that differ */
function tokenOf(
	authorizations: readonly string[],
	queried: readonly string[],
	offered: readonly string[],
): string | null {
	const bearers = authorizations.flatMap((field) => /^bearer +(\S+)$/i.exec(field)?.[1] ?? []);
	const subprotocols = offered
		.filter((name) => name.startsWith(TOKEN_SUBPROTOCOL))
		.map((name) => name.slice(TOKEN_SUBPROTOCOL.length));
	const tokens = new Set([...bearers, ...queried, ...subprotocols]);
	if (tokens.size > 1)
		throw new RequestRefusal(400, "bad_message", "several tokens are given, and they differ: give one");
	const [token = null] = tokens;
	return token;
}

function subprotocolOf(offered: readonly string[]): string | null {
	const names = offered.filter((name) => !name.startsWith(TOKEN_SUBPROTOCOL));
	if (names.includes(SUBPROTOCOL)) return SUBPROTOCOL;
	if (offered.length === 0) return null;
	throw new RequestRefusal(
		400,
		"bad_subprotocol",
		`offer the subprotocol ${SUBPROTOCOL}, beside a token or alone, or none at all`,
	);
}

function listOf(values: readonly string[] | undefined): readonly string[] {
	return (values ?? []).flatMap((value) => value.split(",")).flatMap((part) => part.trim() || []);
}

const EVENTS: ReadonlySet<string> = new Set(["text/event-stream", "text/*", "*/*"]);

function takesEvents(accepts: readonly string[] | undefined): boolean {
	if (accepts === undefined) return true;
	return listOf(accepts).some((range) => EVENTS.has((range.split(";")[0] ?? "").trim().toLowerCase()));
}

/** Whether a page of this origin may come. `origins`: those that the configuration names; `null`: pages of the host that was asked. */
export function isOriginAllowed({ origin, host }: HubRequest, origins: readonly string[] | null): boolean {
	if (origin === null) return true;
	if (origins === null) return hostOf(origin) === host.toLowerCase();
	return origins.includes("*") || origins.includes(origin.toLowerCase());
}

/** With its port, where that is not the scheme's own. */
function hostOf(origin: string): string | undefined {
	return URL.canParse(origin) ? new URL(origin).host : undefined;
}
