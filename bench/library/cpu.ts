/** What a guard costs in processor time: the same server without and with it, both up, loaded in turns. */
import { cpuNs, readCpu } from "../../src/rig/proc.js";
import { inOrder } from "../order.js";
import type { Claim, Round } from "./claims.js";
import type { LibraryRow, Rig } from "./row.js";
import { type Protocol, startServer, type TestServer } from "./servers.js";

const CONNECTIONS = 64;
/** Before anything is counted: V8 has compiled by then what it will compile. */
const WARM_UP = 30_000;
const WARM_UP_QUICK = 2_000;
/** Each variant is loaded that often in a round: AB BA. */
const BLOCKS = 2;

interface Kind {
	readonly protocol: Protocol;
	readonly unit: string;
	readonly what: string;
	/** In a block: half a second of the server's time or more. */
	readonly count: number;
	readonly countQuick: number;
	readonly atMost: number;
}

export const http = cpuRow({
	protocol: "http",
	unit: "request",
	what: "HTTP requests",
	count: 40_000,
	countQuick: 3_000,
	atMost: 1.05,
});

export const websocket = cpuRow({
	protocol: "websocket",
	unit: "message",
	what: "WebSocket messages of 100 bytes, said back by ws",
	count: 60_000,
	countQuick: 3_000,
	atMost: 1.03,
});

function cpuRow({ protocol, unit, what, count, countQuick, atMost }: Kind): LibraryRow {
	const claim = { unit: "µs", digits: 2, metric: "cpuUs", beside: "bare", how: "ratio" } as const;
	const claims: readonly Claim[] = [
		{
			...{ ...claim, id: `${protocol}.guard`, of: "guarded", atMost },
			title: `CPU per ${unit}: guarded beside bare`,
		},
	];
	return {
		id: protocol,
		claims,
		describe: (quick) =>
			`two fresh servers, without and with guard; ${BLOCKS} times ${quick ? countQuick : count} ${what} to each, in the order AB BA, closed loop ` +
			`over ${CONNECTIONS} kept connections, after ${quick ? WARM_UP_QUICK : WARM_UP} that are not counted`,

		async round(rig, number): Promise<Round> {
			const bare = await startServer(protocol, []);
			const guarded = await startServer(protocol, ["guard"]);
			const pair = inOrder([bare, guarded], number);
			try {
				for (const server of pair) await load(rig, protocol, server, rig.quick ? WARM_UP_QUICK : WARM_UP);
				const ns = new Map<TestServer, number>();
				for (let block = 0; block < BLOCKS; block++)
					for (const server of block % 2 === 0 ? pair : pair.toReversed()) {
						const spentNs = await load(rig, protocol, server, rig.quick ? countQuick : count);
						ns.set(server, (ns.get(server) ?? 0) + spentNs);
					}
				const each = (server: TestServer): { cpuUs: number } => ({
					cpuUs: (ns.get(server) ?? Number.NaN) / 1e3 / BLOCKS / (rig.quick ? countQuick : count),
				});
				return { bare: each(bare), guarded: each(guarded) };
			} finally {
				await Promise.all([bare.stop(), guarded.stop()]);
			}
		},
	};
}

/** What so many requests or messages cost the server, in nanoseconds; not what connecting does. */
async function load(
	{ generator }: Rig,
	protocol: Protocol,
	{ port, pid }: TestServer,
	count: number,
): Promise<number> {
	await generator.ask("open", { port, connections: CONNECTIONS });
	await generator.ask("useEach", { upgrade: protocol === "websocket" });
	const before = readCpu([pid]);
	if (protocol === "websocket") await generator.ask("messages", { count });
	else await generator.ask("requests", { count, learns: true });
	const after = readCpu([pid]);
	await generator.ask("close", {});
	return cpuNs(before, after);
}
