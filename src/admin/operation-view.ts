/** What operators are told of the gateway beside its sessions, and what they may change while it runs. */

import { z } from "zod";
import type { Reloaded } from "../config/changes.js";

const time = (what: string) => z.iso.datetime().describe(`${what} (ISO 8601, UTC)`);
const count = (what: string) => z.int().min(0).describe(what);

export const addressStatus = z.strictObject({
	address: z.string().describe("As the configuration has it, or one of its name's"),
	state: z
		.enum(["up", "down", "ejected", "draining"])
		.describe("down: checks say so; ejected: connecting failed; draining: an operator says so"),
	since: time("Since when it is not up").nullable(),
	why: z.string().nullable().describe("Why it is not up; null: it is"),
	weight: z.int().min(1).describe("Its share of sessions, against the others': the file's, or an operator's"),
	backup: z.boolean().describe("It gets sessions only while no other address can"),
	sessions: count("Sessions that use it now"),
	max_connections: z.int().min(1).nullable().describe("Sessions that may; null: no limit"),
	failures: count("Connects that failed since the last one that did not"),
});
export type AddressStatus = z.infer<typeof addressStatus>;

export const upstreamStatus = z.strictObject({
	name: z.string().describe("As the configuration calls it"),
	addresses: z.array(addressStatus).describe("Each address that it has at the moment"),
});
export type UpstreamStatus = z.infer<typeof upstreamStatus>;

export const banStatus = z.strictObject({
	source: z.string().describe("The block that is shut out"),
	until: time("When it may come again"),
	operator: z.string().describe("Who banned it"),
});
export type BanStatus = z.infer<typeof banStatus>;

export const sourcesStatus = z.strictObject({
	addresses: count("Client addresses that have sessions"),
	sources: z
		.array(z.strictObject({ source: z.string().describe("The address"), sessions: count("Its sessions") }))
		.describe("Those with the most, the first one with most; IPv6 by the /64"),
	bans: z.array(banStatus).describe("What is shut out"),
});
export type SourcesStatus = z.infer<typeof sourcesStatus>;

export const listenerStatus = z.strictObject({
	name: z.string().describe("As the configuration has it"),
	port: z.int().describe("On which it really listens"),
	sessions: count("Sessions that it has"),
	queued: count("Connections that wait to be accepted"),
	rests: z.boolean().describe("An operator has it rest: who comes waits in its accept queue"),
});
export type ListenerStatus = z.infer<typeof listenerStatus>;

export const gatewayStatus = z.strictObject({
	version: z.string().describe("Of Sluice"),
	state: z.enum(["starting", "ready", "draining"]).describe("As /readyz says it"),
	pid: z.int().describe("Number of the process"),
	started: time("When the process began"),
	sessions: count("Sessions that live"),
	sessions_max: count("Sessions that may"),
	descriptors_max: count("Descriptors that it may have"),
	buffered_bytes: count("Bytes taken from one side, and not yet by the other"),
	memory: z
		.strictObject({
			limit_bytes: count("limits.memory"),
			under_pressure: z.boolean().describe("Sessions are closed because it has run out"),
			resident_bytes: count("Of the process; null without a descriptor to ask with").nullable(),
		})
		.describe("What sessions may hold, and what the process has"),
	reloads: z
		.strictObject({
			succeeded: count("Those that took the file over"),
			failed: count("Those that changed nothing"),
		})
		.describe("Reloads since the start"),
	listeners: z.array(listenerStatus).describe("In the order of the configuration"),
	upstreams: z.array(upstreamStatus).describe("In the order of the configuration"),
});
export type GatewayStatus = z.infer<typeof gatewayStatus>;

export const deadline = z.strictObject({
	timeout: z.string().describe("As in `timeouts`"),
	value: z.string().describe("A duration, or off"),
	from: z.string().describe("Where it is said: route, upstream, listener, timeouts or default"),
});

export const limit = z.strictObject({
	limit: z.string().describe("As in the configuration"),
	value: z.string().describe("A number, or a size"),
	from: z
		.string()
		.describe("Where it is said: route, listener or limits. What several say holds side by side"),
});

const ofHub = z.strictObject({
	speaks: z.enum(["http", "frames"]).describe("http: WebSockets and event streams; frames: framed TCP"),
	channel: z.string().nullable().describe("null: who comes says which"),
	match: z
		.string()
		.nullable()
		.describe("The entry of hub.channels that holds for it; null: there is no such channel, or none is said"),
	policy: z.string().nullable().describe("What becomes of messages for who is too slow"),
	subscribe: z.enum(["public", "token"]).nullable().describe("Who may"),
	publish: z.enum(["nobody", "public", "token"]).nullable().describe("Which clients may"),
});

export const explanation = z.strictObject({
	listener: z.string().describe("To which it could come"),
	route: z
		.string()
		.nullable()
		.describe("Label of the route that takes it; null: none does, and it ends as no_route"),
	passed: z
		.array(
			z.strictObject({
				route: z.string().describe("Its label"),
				why: z.array(z.string()).describe("The conditions that do not hold"),
			}),
		)
		.describe("Routes before it, which do not take it"),
	terminated: z.boolean().describe("Its TLS ends here, so that what is inside is looked at"),
	answer: z.string().nullable().describe("What requests are answered with here, such as 308 to https"),
	users: z
		.array(z.string())
		.nullable()
		.describe("Whose requests are let in, by a password (basic_auth); null: nobody is asked"),
	upstream: z.string().nullable().describe("null: rejected, answered here, or no route"),
	hub: ofHub.nullable().describe("Where it leads to the hub: its channel; null: it leads elsewhere"),
	addresses: z.array(addressStatus).describe("Of the upstream"),
	banned: z.boolean().describe("Its source is shut out, whatever the routes say"),
	deadlines: z.array(deadline).describe("Those that it would have"),
	limits: z.array(limit).describe("Those that are set: how many, how often, how fast"),
});
export type Explanation = z.infer<typeof explanation>;

/** What can be said of a connection that is only imagined. */
export const QUESTION = [
	"listener",
	"sni",
	"host",
	"path",
	"alpn",
	"subprotocol",
	"protocol",
	"source",
] as const;
export type Question = Readonly<Partial<Record<(typeof QUESTION)[number], string>>>;

/** What cannot be done, in words for the operator. */
export class OperationError extends Error {
	override readonly name = "OperationError";
}

/** Where operators ask about the gateway, and change it while it runs. Each throws OperationError. */
export interface Operations {
	status(): GatewayStatus;
	upstreams(): readonly UpstreamStatus[];
	/** Returns how many addresses it is said of. */
	drain(upstream: string, address: string | undefined, drained: boolean, operator: string): number;
	/** Sessions from now on are shared by it. Returns the weight before. */
	weigh(upstream: string, address: string, weight: number): number;
	sources(count: number): SourcesStatus;
	/** Shuts a block out for so long, and closes its sessions. Returns how many these are. */
	ban(source: string, forMs: number, operator: string): number;
	/** False: it was not shut out. */
	unban(source: string): boolean;
	rest(listener: string, rests: boolean): void;
	/** With every default filled in; secrets are left out. */
	config(): unknown;
	explain(question: Question): readonly Explanation[];
	setLogLevel(level: string): void;
	/** Begins a profile of a thread, `main` or `reactor:N`, and says its number. */
	profile(thread: string, kind: "cpu" | "heap", seconds: number): number;
	/** What a file for DevTools holds; `undefined`: it is not there yet. */
	profileText(id: number): string | undefined;
	/** Takes the configuration's file over, as SIGHUP does. */
	reload(): Promise<Reloaded>;
}
