/** What connections cost that only stay open: memory of the server after a collection, above what it was without them. */
import { setTimeout as sleep } from "node:timers/promises";
import { inOrder } from "../order.js";
import type { Claim, Round } from "./claims.js";
import type { LibraryRow, Rig } from "./row.js";
import { type Protocol, startServer, type TestServer } from "./servers.js";

/** Opened, used and closed before the baseline: what is set up once is nobody's. */
const WARM_UP_CONNECTIONS = 200;
const WARM_UP_PASSES = 10;
const WARM_UP_PASSES_QUICK = 2;
/** Ends have been heard of by then. */
const SETTLE_MS = 200;

interface Variant {
	readonly id: string;
	/** As server.ts has them. */
	readonly pieces: readonly string[];
}

interface Kind {
	readonly id: string;
	readonly protocol: Protocol;
	readonly what: string;
	readonly connections: number;
	readonly connectionsQuick: number;
	readonly variants: readonly Variant[];
	readonly claims: readonly Claim[];
	readonly share: number;
}

const BARE: Variant = { id: "bare", pieces: [] };
const GUARDED: Variant = { id: "guarded", pieces: ["guard"] };
const HEARD: Variant = { id: "guarded, closed heard", pieces: ["guard", "heard"] };
const OUTBOX: Variant = { id: "outbox", pieces: ["outbox"] };
const BOTH: Variant = { id: "guarded, outbox", pieces: ["guard", "outbox"] };

/** Memory hardly differs from round to round. */
const FEWER_ROUNDS = 0.4;

const HEAP_MAX = 300;
/** Node keeps an address that it was asked for, which is what listening to `closed` asks for. */
const HEAP_HEARD_MAX = 400;
const OUTBOX_HEAP_MAX = 1024;

export const idleHeap = idle({
	id: "idle-heap",
	protocol: "http",
	what: "HTTP connections, one request each, kept",
	connections: 8_000,
	connectionsQuick: 500,
	variants: [BARE, GUARDED, HEARD],
	share: FEWER_ROUNDS,
	claims: [
		added("idle-heap.guard", "heap", GUARDED, BARE, HEAP_MAX),
		added("idle-heap.heard", "heap", HEARD, BARE, HEAP_HEARD_MAX),
		added("idle-heap.external", "external", GUARDED, BARE, null),
	],
});

export const idleWebSockets = idle({
	id: "idle-websockets",
	protocol: "websocket",
	what: "WebSockets of ws",
	connections: 10_000,
	connectionsQuick: 200,
	variants: [BARE, GUARDED, OUTBOX, BOTH],
	share: FEWER_ROUNDS,
	claims: [
		added("idle-websockets.guard.heap", "heap", GUARDED, BARE, HEAP_MAX),
		added("idle-websockets.guard.external", "external", GUARDED, BARE, null),
		added("idle-websockets.guard.rss", "rss", GUARDED, BARE, null),
		added("idle-websockets.outbox.heap", "heap", OUTBOX, BARE, OUTBOX_HEAP_MAX),
		added("idle-websockets.outbox.external", "external", OUTBOX, BARE, null),
		added("idle-websockets.outbox.rss", "rss", OUTBOX, BARE, null),
		added("idle-websockets.both.heap", "heap", BOTH, BARE, HEAP_MAX + OUTBOX_HEAP_MAX),
		added("idle-websockets.both.rss", "rss", BOTH, BARE, null),
	],
});

function added(
	id: string,
	metric: "heap" | "external" | "rss",
	of: Variant,
	beside: Variant,
	atMost: number | null,
): Claim {
	return {
		...{ id, metric, of: of.id, beside: beside.id, how: "difference", atMost, unit: "B", digits: 0 },
		title: `${metric === "rss" ? "resident" : metric} bytes per connection: ${of.id} less ${beside.id}`,
	};
}

function idle({
	id,
	protocol,
	what,
	connections,
	connectionsQuick,
	variants,
	claims,
	share,
}: Kind): LibraryRow {
	return {
		id,
		claims,
		share,
		describe: (quick) =>
			`a fresh server per variant; baseline after ${quick ? WARM_UP_PASSES_QUICK : WARM_UP_PASSES} times ${WARM_UP_CONNECTIONS} connections opened, used and closed; then ` +
			`${quick ? connectionsQuick : connections} idle ${what}; memory after collections, less the baseline`,

		async round(rig, number): Promise<Round> {
			const round: Record<string, Record<string, number>> = {};
			for (const { id, pieces } of inOrder(variants, number)) {
				const server = await startServer(protocol, pieces);
				try {
					round[id] = await measure(rig, protocol, server, rig.quick ? connectionsQuick : connections);
				} finally {
					await rig.generator.ask("close", {});
					await server.stop();
				}
			}
			return round;
		},
	};
}

async function measure(
	{ generator, quick }: Rig,
	protocol: Protocol,
	{ port, memory }: TestServer,
	connections: number,
): Promise<Record<string, number>> {
	const openAndUse = async (count: number): Promise<void> => {
		await generator.ask("open", { port, connections: count });
		await generator.ask("useEach", { upgrade: protocol === "websocket" });
	};
	for (let pass = 0; pass < (quick ? WARM_UP_PASSES_QUICK : WARM_UP_PASSES); pass++) {
		await openAndUse(WARM_UP_CONNECTIONS);
		await generator.ask("close", {});
	}
	await sleep(SETTLE_MS);
	const before = await memory();
	await openAndUse(connections);
	await sleep(SETTLE_MS);
	const after = await memory();
	const per = (metric: keyof typeof before): number => (after[metric] - before[metric]) / connections;
	return { heap: per("heap"), external: per("external"), rss: per("rss") };
}
