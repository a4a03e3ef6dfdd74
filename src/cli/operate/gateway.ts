/** `sluice status | upstreams | sources | explain | top`. */
import {
	type AddressStatus,
	type Explanation,
	type GatewayStatus,
	type ListenerStatus,
	QUESTION,
	type Question,
	type SourcesStatus,
	type UpstreamStatus,
} from "../../admin/operation-view.js";
import type { Reloaded } from "../../config/changes.js";
import { AdminClient } from "./client.js";
import { OperateError, type Where } from "./operate-error.js";
import { facts, json, size, table } from "./table.js";

export async function status(options: Where): Promise<string> {
	const value = await new AdminClient(options).get<GatewayStatus>("/api/status");
	return options.json === true ? json(value) : statusText(value);
}

export function statusText(value: GatewayStatus): string {
	const { memory, reloads, listeners, upstreams } = value;
	return [
		facts([
			["sluice", `${value.version}, ${value.state}; process ${value.pid}, started ${value.started}`],
			["sessions", `${value.sessions} of ${value.sessions_max}`],
			["buffered", size(value.buffered_bytes)],
			[
				"memory",
				`${memory.resident_bytes === null ? "?" : size(memory.resident_bytes)} resident; sessions may have ${size(memory.limit_bytes)}${memory.under_pressure ? ", AND HAVE MORE" : ""}`,
			],
			["reloads", `${reloads.succeeded} succeeded, ${reloads.failed} failed`],
		]),
		listenerTable(listeners),
		upstreamTable(upstreams),
	].join("\n");
}

function listenerTable(listeners: readonly ListenerStatus[]): string {
	return table(
		["LISTENER", "PORT", "SESSIONS", "QUEUED", ""],
		listeners.map(({ name, port, sessions, queued, rests }) => [
			...[name, String(port), String(sessions), String(queued), rests ? "paused by an operator" : ""],
		]),
	);
}

export async function upstreams(
	action: string | undefined,
	upstream: string | undefined,
	address: string | undefined,
	weight: string | undefined,
	options: Where,
): Promise<string> {
	const client = new AdminClient(options);
	if (action === undefined) {
		const value = await client.get<{ upstreams: UpstreamStatus[] }>("/api/upstreams");
		return options.json === true ? json(value) : upstreamTable(value.upstreams);
	}
	if (action === "weight") return weigh(client, upstream, address, weight, options);
	if (weight !== undefined)
		throw new OperateError(`"${weight}" is one too many: sluice upstreams ${action} UPSTREAM [ADDRESS]`);
	if (action !== "drain" && action !== "resume")
		throw new OperateError(
			`unknown "${action}": sluice upstreams [drain|resume] UPSTREAM [ADDRESS], or sluice upstreams weight UPSTREAM ADDRESS N`,
		);
	if (upstream === undefined)
		throw new OperateError(`which one? sluice upstreams ${action} UPSTREAM [ADDRESS]`);
	const query = new URLSearchParams({ upstream, ...(address === undefined ? {} : { address }) });
	const value = await client.post<{ addresses: number }>(`/api/upstreams/${action}`, query);
	if (options.json === true) return json(value);
	const what = value.addresses === 1 ? "1 address" : `${value.addresses} addresses`;
	return action === "drain"
		? `${what} of ${upstream} ${value.addresses === 1 ? "gets" : "get"} no new session\n`
		: `${what} of ${upstream} ${value.addresses === 1 ? "gets" : "get"} sessions again\n`;
}

async function weigh(
	client: AdminClient,
	upstream: string | undefined,
	address: string | undefined,
	weight: string | undefined,
	{ json: asJson }: Where,
): Promise<string> {
	if (upstream === undefined || address === undefined || weight === undefined)
		throw new OperateError("of which one, and how much? sluice upstreams weight UPSTREAM ADDRESS N");
	const query = new URLSearchParams({ upstream, address, weight });
	const value = await client.post<{ weight: number; before: number }>("/api/upstreams/weight", query);
	return asJson === true
		? json(value)
		: `${address} of ${upstream} has weight ${value.weight}, ${value.before} before\n`;
}

function upstreamTable(upstreams: readonly UpstreamStatus[]): string {
	return table(
		["UPSTREAM", "ADDRESS", "STATE", "WEIGHT", "SESSIONS", "SINCE", "WHY"],
		upstreams.flatMap(({ name, addresses }) =>
			addresses.length === 0
				? [[name, "(no address is known)", "down", "-", "0", "-", "-"]]
				: addresses.map((each) => [name, ...addressCells(each)]),
		),
	);
}

function addressCells(status: AddressStatus): string[] {
	const { address, state, weight, backup, sessions, max_connections: most, since, why } = status;
	const held = most === null ? String(sessions) : `${sessions} of ${most}`;
	return [address, state, backup ? `${weight}, backup` : String(weight), held, since ?? "-", why ?? "-"];
}

/** Without an action, all of them; otherwise one has to rest, or goes on. */
export async function listeners(
	action: string | undefined,
	listener: string | undefined,
	options: Where,
): Promise<string> {
	const client = new AdminClient(options);
	if (action === undefined) {
		const { listeners } = await client.get<GatewayStatus>("/api/status");
		return options.json === true ? json({ listeners }) : listenerTable(listeners);
	}
	if (action !== "pause" && action !== "resume")
		throw new OperateError(`unknown "${action}": sluice listeners [pause|resume] LISTENER`);
	if (listener === undefined) throw new OperateError(`which one? sluice listeners ${action} LISTENER`);
	const value = await client.post<unknown>(`/api/listeners/${action}`, new URLSearchParams({ listener }));
	if (options.json === true) return json(value);
	return action === "pause"
		? `${listener} rests: who comes waits in its accept queue\n`
		: `${listener} accepts again\n`;
}

/** Has the gateway read its configuration's file again. */
export async function reload(options: Where): Promise<string> {
	const value = await new AdminClient(options).post<Partial<Reloaded>>("/api/reload");
	if (options.json === true) return json(value);
	// Before an upgrade is over an older gateway may answer, which says less.
	const { added, removed, changed, needs_restart: waiting = [] } = value;
	if (added === undefined) return "reloaded\n";
	const kinds = { added, removed, changed, "needs a restart": waiting };
	const lines = Object.entries(kinds).flatMap(([what, names = []]) =>
		names.length === 0 ? [] : [`${what}: ${names.join(", ")}\n`],
	);
	return lines.length === 0 ? "reloaded: the file says what it said before\n" : `reloaded\n${lines.join("")}`;
}

/** Sets the level of the log, until the next start. */
export async function logLevel(level: string, options: Where): Promise<string> {
	const value = await new AdminClient(options).post<unknown>("/api/log", new URLSearchParams({ level }));
	return options.json === true ? json(value) : `the log's level is ${level}\n`;
}

/** The configuration in force, as JSON; or its certificates. */
export async function shown(what: "config" | "certificates", options: Where): Promise<string> {
	const value = await new AdminClient(options).get<unknown>(`/api/${what}`);
	if (what === "config" || options.json === true) return json(value);
	const { certificates } = value as { certificates: { file: string; expires: string }[] };
	return table(
		["FILE", "EXPIRES"],
		certificates.map(({ file, expires }) => [file, expires]),
	);
}

export async function sources(
	action: string | undefined,
	source: string | undefined,
	options: Where & { readonly for?: string; readonly limit?: string },
): Promise<string> {
	const client = new AdminClient(options);
	if (action === undefined) {
		const query = new URLSearchParams({ limit: options.limit ?? "20" });
		const value = await client.get<SourcesStatus>("/api/sources", query);
		return options.json === true ? json(value) : sourcesText(value);
	}
	if (action !== "ban" && action !== "unban")
		throw new OperateError(`unknown "${action}": sluice sources [ban|unban] ADDRESS`);
	if (source === undefined) throw new OperateError(`whom? sluice sources ${action} ADDRESS`);
	if (action === "unban") {
		const value = await client.post<unknown>("/api/sources/unban", new URLSearchParams({ source }));
		return options.json === true ? json(value) : `${source} may come again\n`;
	}
	if (options.for === undefined) throw new OperateError("for how long? --for 1h");
	const query = new URLSearchParams({ source, for: options.for });
	const value = await client.post<{ closing: number }>("/api/sources/ban", query);
	if (options.json === true) return json(value);
	const { closing } = value;
	return `${source} is shut out for ${options.for}; ${closing} ${closing === 1 ? "session is" : "sessions are"} being closed\n`;
}

function sourcesText({ addresses, sources, bans }: SourcesStatus): string {
	return [
		...(sources.length === 0
			? []
			: [
					table(
						["SOURCE", "SESSIONS"],
						sources.map(({ source, sessions }) => [source, String(sessions)]),
					),
				]),
		`${addresses} client addresses have sessions\n`,
		...(bans.length === 0
			? []
			: [
					`\n${table(
						["BANNED", "UNTIL", "BY"],
						bans.map(({ source, until, operator }) => [source, until, operator]),
					)}`,
				]),
	].join("");
}

export async function explain(options: Where & Question): Promise<string> {
	const query = new URLSearchParams();
	for (const name of QUESTION) {
		const value = options[name];
		if (value !== undefined) query.set(name, value);
	}
	const value = await new AdminClient(options).get<{ listeners: Explanation[] }>("/api/explain", query);
	return options.json === true ? json(value) : value.listeners.map(explanationText).join("\n");
}

function subscriberText({
	speaks,
	channel,
	match,
	policy,
	subscribe,
	publish,
}: NonNullable<Explanation["hub"]>): string {
	const how = speaks === "http" ? "as a WebSocket or an event stream" : "as framed TCP";
	if (channel === null) return `${how}, for the channels that it asks for`;
	if (match === null) return `${how}, where no entry of hub.channels matches "${channel}"`;
	const who = subscribe === "public" ? "everybody may subscribe" : "to subscribe needs a token";
	const publishers = {
		nobody: "no client may publish",
		public: "everybody may publish",
		token: "to publish needs a token",
	};
	return `${how}, for ${channel} (${match}, ${policy ?? ""}: ${who}, ${publishers[publish ?? "nobody"]})`;
}

function explanationText(value: Explanation): string {
	const { listener, route, passed, answer, upstream, addresses, deadlines, limits, terminated, banned } =
		value;
	const { users, hub } = value;
	const fate =
		route === null
			? "no route takes it: it ends as no_route"
			: upstream === null
				? answer === null
					? `route ${route} rejects it`
					: `route ${route} answers it with ${answer}`
				: hub === null
					? `route ${route} takes it to ${upstream}`
					: `route ${route} takes it to the hub, ${subscriberText(hub)}`;
	return [
		`${listener}: ${banned ? "its source is banned; otherwise " : ""}${fate}${terminated ? "; its TLS ends here" : ""}\n`,
		...passed.map((each) => `  not ${each.route}: ${each.why.join("; ")}\n`),
		...(users === null
			? []
			: [`  asks for a password, and lets ${users.length === 0 ? "nobody" : users.join(", ")} in\n`]),
		...addresses.map((each) => `  to ${each.address}, ${each.state}, ${each.sessions} sessions\n`),
		...(route === null
			? []
			: [
					table(
						["  TIMEOUT", "VALUE", "FROM"],
						deadlines.map(({ timeout, value: text, from }) => [`  ${timeout}`, text, from]),
					),
					...(limits.length === 0
						? []
						: [
								table(
									["  LIMIT", "VALUE", "FROM"],
									limits.map(({ limit, value: text, from }) => [`  ${limit}`, text, from]),
								),
							]),
				]),
	].join("");
}
