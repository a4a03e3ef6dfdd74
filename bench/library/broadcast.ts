/**
 * What subscribers that do not read cost the others, and the server: the same text goes to all WebSockets, some of which never
 * read, once by a plain loop over `ws.send` and once by a Broadcast.
 */
import { Helper } from "../../src/rig/helper.js";
import { spread } from "../../src/rig/percentile.js";
import { LoadError } from "../load/asking.js";
import { inOrder } from "../order.js";
import { BYTES_MAX, DEAF, PER_SECOND, TEXT_BYTES } from "./audience.js";
import type { BroadcastNews, BroadcastReport, Mode } from "./broadcast-server.js";
import type { Claim, Round } from "./claims.js";
import type { LibraryRow } from "./row.js";
import type { Latencies, SubscriberNews } from "./subscribers.js";

const CLIENTS_PER_PROCESS = 2_500;
/** More than fill an outbox: eight of them do. */
const MESSAGES = 12;
const MESSAGES_QUICK = 10;
/** They are long. */
const FEWER_ROUNDS = 0.4;

const MODES: readonly Mode[] = ["ws.send", "Broadcast"];
const SIZES = [2_000, 10_000];
const SIZES_QUICK = [200];

const sizes = (quick: boolean): readonly number[] => (quick ? SIZES_QUICK : SIZES);

const variantOf = (mode: Mode, subscribers: number): string => `${mode} ${subscribers}`;

export const broadcast: LibraryRow = {
	id: "broadcast",
	claims: [...SIZES_QUICK, ...SIZES].flatMap(claimsFor),
	share: FEWER_ROUNDS,
	describe: (quick) =>
		`${quick ? MESSAGES_QUICK : MESSAGES} texts of ${TEXT_BYTES} B to ${sizes(quick).join(" and to ")} subscribers, ${PER_SECOND} a second in all; ` +
		`one in ${DEAF} does not read and has full buffers before; bytesMax is ${BYTES_MAX} B; a fresh server and fresh clients per variant`,

	async round({ quick }, number): Promise<Round> {
		const round: Record<string, Record<string, number>> = {};
		for (const subscribers of sizes(quick))
			for (const mode of inOrder(MODES, number))
				round[variantOf(mode, subscribers)] = await measure(
					mode,
					subscribers,
					quick ? MESSAGES_QUICK : MESSAGES,
				);
		return round;
	},
};

function claimsFor(subscribers: number): Claim[] {
	const of = variantOf("Broadcast", subscribers);
	const beside = variantOf("ws.send", subscribers);
	const id = (what: string): string => `broadcast.${subscribers}.${what}`;
	const value = { of, how: "value", unit: "B", digits: 0 } as const;
	const ratio = { of, beside, how: "ratio" } as const;
	const ms = { unit: "ms", digits: 0 } as const;
	const mib = { unit: "MiB", digits: 1 } as const;
	return [
		{ ...ratio, ...ms, id: id("p99"), metric: "p99Ms", atMost: 1.2, title: "p99 of those that read" },
		{ ...ratio, ...ms, id: id("p50"), metric: "p50Ms", atMost: null, title: "p50 of those that read" },
		{
			...value,
			id: id("missing"),
			metric: "missing",
			unit: "",
			atMost: 0,
			title: "messages that those miss",
		},
		{ ...value, id: id("largest"), metric: "largest", atMost: BYTES_MAX, title: "waits for one, at most" },
		{ ...value, ...mib, id: id("retained"), metric: "retainedMiB", atMost: null, title: "retained in all" },
		{ ...ratio, ...ms, id: id("cpu"), metric: "cpuMs", atMost: null, title: "CPU of the server" },
		{ ...ratio, ...mib, id: id("before"), metric: "beforeMiB", atMost: null, title: "resident before" },
		{ ...ratio, ...mib, id: id("most"), metric: "mostMiB", atMost: null, title: "resident, most" },
	].map((claim) => ({ ...claim, title: `${subscribers} subscribers: ${claim.title}` }));
}

async function measure(mode: Mode, subscribers: number, messages: number): Promise<Record<string, number>> {
	const server = new Helper<"go", BroadcastNews>(new URL("broadcast-server.js", import.meta.url), {
		args: [mode, String(messages)],
		answerMs: null,
	});
	const clients: Helper<"report", SubscriberNews>[] = [];
	try {
		const ready = await server.next();
		if (!("port" in ready)) throw new LoadError("the server did not say where it listens");
		let expected = 0;
		for (let first = 0; first < subscribers; first += CLIENTS_PER_PROCESS) {
			const count = Math.min(CLIENTS_PER_PROCESS, subscribers - first);
			expected += (count - Math.ceil(count / DEAF)) * messages;
			const client = new Helper<"report", SubscriberNews>(new URL("subscribers.js", import.meta.url), {
				args: [String(ready.port), String(count)],
			});
			clients.push(client);
			await client.next();
		}
		server.order("go");
		const report = await server.next();
		if ("port" in report) throw new LoadError("the server did not report");
		const all: number[] = [];
		for (const client of clients) {
			client.order("report");
			for (const one of (await client.next()) as Latencies) all.push(one);
		}
		return summarize(report, all, expected);
	} finally {
		await Promise.all([server, ...clients].map((helper) => helper.stop()));
	}
}

function summarize(
	report: BroadcastReport,
	latenciesUs: Latencies,
	expected: number,
): Record<string, number> {
	const latency = spread(latenciesUs);
	if (latency === null) throw new LoadError("nobody got anything");
	return {
		p50Ms: latency.p50 / 1e3,
		p99Ms: latency.p99 / 1e3,
		missing: expected - latency.count,
		largest: report.largest,
		retainedMiB: report.retainedMost / 2 ** 20,
		cpuMs: report.cpuMs,
		beforeMiB: report.rssBefore / 2 ** 20,
		mostMiB: report.rssMost / 2 ** 20,
	};
}
