/** What `GET /api/figures` answers: all that the dashboard draws. */
import { z } from "zod";

/** Of routes and upstreams those with the most sessions: a chart of thousands tells nothing. */
export const PARTS_MAX = 20;

const count = (what: string) => z.number().min(0).describe(what);
const amount = (what: string) => z.number().describe(what);

const totals = z.strictObject({
	accepted: count("Connections, since the start"),
	closed: count("Sessions, since the start"),
	requests: count("Requests that were answered, since the start"),
	bytes_from_client: count("Bytes that reached an upstream, or the hub, since the start"),
	bytes_to_client: count("Bytes that reached a client, since the start"),
	datagrams_from_client: count("Datagrams that went to an upstream, since the start"),
	datagrams_to_client: count("Datagrams that went to a client, since the start"),
	datagrams_dropped: count("Datagrams that were not passed on, since the start"),
	published: count("Messages published to the hub, since the start"),
	delivered: count("Messages that the hub sent, each counted for each subscriber, since the start"),
	missed: count("Messages that subscribers did not get, since the start"),
	shed: count("Sessions closed to make room, since the start"),
});

const turnTime = (what: string) =>
	z.number().describe(`${what} since the reading before were at most so long; 0: there was none`);

const levels = z.strictObject({
	sessions: count("Sessions that live"),
	descriptors: count("Descriptors that the ledger knows of"),
	buffered_bytes: count("Bytes taken from one side, and not yet by the other"),
	socket_bytes: count("What the kernel held for our sockets when it was asked last"),
	queued: count("Connections that wait to be accepted"),
	fullest_queue: amount("The fullest accept queue: its part that is taken, 0 to 1"),
	turn_p50_seconds: turnTime("Half of the turns"),
	turn_p99_seconds: turnTime("99 in 100 turns"),
	discrepancies: count("What did not fit when the ledger was held against the kernel last"),
	lines: count("Lines of tunnels that wait for visitors, or have one"),
	flows: count("Sessions of datagrams"),
	subscribers: count("Subscriptions to channels of the hub"),
	outbox_bytes: count("What waits for subscribers, beside the hub's log"),
});

/** What is kept of each reading, for the charts. */
export const figurePoint = z.strictObject({
	at: z.number().describe("When (Unix time, in seconds)"),
	totals: totals.describe("What only grows"),
	levels: levels.describe("What there is now"),
	reasons: z
		.record(z.string(), z.number())
		.describe("Sessions that ended since the start, by reason; none: 0"),
});
export type FigurePoint = z.infer<typeof figurePoint>;

const part = z.strictObject({
	name: z.string().describe("What they have in common"),
	sessions: count("Sessions that live"),
});
const byName = (what: string) =>
	z.array(part).describe(`${what}, those with the most sessions first, ${PARTS_MAX} at most`);

const parts = z.strictObject({
	states: byName("Where sessions are on their way"),
	protocols: byName("What sessions speak"),
	listeners: byName("Listeners"),
	routes: byName("Routes, by their label"),
	upstreams: byName("Upstreams"),
});

const bounds = z.strictObject({
	sessions: count("Sessions that may live"),
	descriptors: count("Descriptors that the process may have"),
	descriptors_reserved: count("Of these, for the admin port, the log and dials (limits.fd_reserve)"),
	buffered_bytes: count("What sessions may hold (limits.memory)"),
});

export const figures = z.strictObject({
	version: z.string().describe("Of the gateway"),
	state: z.enum(["starting", "ready", "draining"]).describe("Whether it takes connections"),
	under_pressure: z.boolean().describe("Sessions are closed because memory has run out"),
	point: figurePoint.describe("The reading"),
	parts: parts.describe("What sessions are"),
	bounds: bounds.describe("How much there may be"),
	queues: z
		.array(
			z.strictObject({
				...{
					listener: z.string().describe("Whose"),
					depth: count("Who waits"),
					limit: count("How many may"),
				},
			}),
		)
		.describe("Accept queues"),
	descriptors: z
		.record(z.string(), z.number())
		.describe("Descriptors that are open, by the kinds of the ledger"),
	reactors: z
		.array(
			z.strictObject({
				turns: count("Turns of its loop, since the start"),
				turn_p50_seconds: turnTime("Half of its turns"),
				turn_p99_seconds: turnTime("99 in 100 of its turns"),
				buffered_bytes: count("Bytes of its sessions, taken from one side, and not yet by the other"),
				socket_bytes: count("What the kernel held for its sockets when it was asked last"),
				heap_bytes: count("What its thread has on its heap, and in buffers beside it"),
			}),
		)
		.describe("Reactors, by their numbers"),
	ledger: z
		.strictObject({
			checks: count("Times that it was held against the kernel"),
			checked: z.iso
				.datetime()
				.nullable()
				.describe("When it was the last time (ISO 8601, UTC); null: not yet"),
			discrepancies: count("What did not fit the last time"),
		})
		.describe("The ledger of descriptors"),
	tunnels: z
		.strictObject({
			agents: count("Agents that are logged in"),
			tunnels: z.record(z.string(), z.number()).describe("Tunnels, by their state"),
			lines: z.record(z.string(), z.number()).describe("Lines, by their state"),
		})
		.nullable()
		.describe("null: the configuration has none"),
	datagrams: z
		.strictObject({
			half_hellos: count("Hellos of QUIC and DTLS of which a part is there"),
			dropped: z.record(z.string(), z.number()).describe("Datagrams that were not passed on, by the cause"),
		})
		.describe("Datagrams"),
	hub: z
		.strictObject({
			channels: count("Channels that have subscribers or messages"),
			blocked: count("Subscribers that take no more at the moment"),
			log_bytes: count("Of the log of messages (hub.memory)"),
			log_used_bytes: count("Of these, what messages take"),
		})
		.nullable()
		.describe("null: the configuration has none"),
});
/** What the dashboard draws, at one time. */
export type Figures = z.infer<typeof figures>;
