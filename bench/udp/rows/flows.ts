/** Rows of datagrams that go there and back over sessions that are there already. */

import { Figure } from "../../figure.js";
import type { UdpBench, UdpRow } from "../bench.js";
import type { Manner } from "../load/commands.js";

/** So many rounds of each flow come before what is counted: sessions are opened and code is compiled. */
const BEFORE = 10;
const BEFORE_QUICK = 2;

const SIZES = [200, 1200] as const;

interface Kind {
	readonly id: string;
	readonly title: string;
	/** For the report's notes. */
	readonly how: string;
	readonly flows: number;
	readonly manner: Omit<Manner, "bytes">;
	/** Both ends send what is one message; otherwise it is the client alone, if any. */
	readonly bothBatch?: true;
	/** Sent and sent back in one round. */
	readonly count: number;
	/** To nginx: CPU of each. */
	readonly atMost: number | null;
}

const ONE_AT_A_TIME = { window: 1, batches: false } as const;
const MANY = { window: 32, batches: false } as const;
const BATCHED = { window: 32, batches: true } as const;

const KINDS: readonly Kind[] = [
	{
		...{ id: "one", title: "1 session, one at a time", how: "one session, which has one under way" },
		...{ flows: 1, manner: ONE_AT_A_TIME, count: 3_000, atMost: null },
	},
	{
		...{ id: "thousand", title: "1,000 sessions, one at a time" },
		how: "1,000 sessions, each with one under way",
		...{ flows: 1000, manner: ONE_AT_A_TIME, count: 30_000, atMost: 0.95 },
	},
	{
		...{ id: "windows", title: "8 flows with 32 under way", how: "8 sessions, each with 32 under way" },
		...{ flows: 8, manner: MANY, count: 30_000, atMost: 0.72 },
	},
	{
		...{ id: "batches", title: "8 flows with 32 under way, the clients batch" },
		how: "the same, and what a client sends at once is one message, which the kernel cuts (UDP_SEGMENT)",
		...{ flows: 8, manner: BATCHED, count: 30_000, atMost: 0.55 },
	},
	{
		...{ id: "both-batch", title: "8 flows with 32 under way, both ends batch" },
		how: "the same, and both take several that came together as one (UDP_GRO), and the echo server sends back as one what came as one",
		...{ flows: 8, manner: BATCHED, bothBatch: true, count: 30_000, atMost: null },
	},
];

/** Each kind with each size of datagrams. */
export const flowRows: readonly UdpRow[] = KINDS.flatMap((kind) => SIZES.map((bytes) => row(kind, bytes)));

function row(kind: Kind, bytes: number): UdpRow {
	const id = `${kind.id}-${bytes}`;
	const count = (quick: boolean): number => kind.count / (quick ? 10 : 1);
	return {
		id,
		describe: (quick) =>
			`${count(quick)} datagrams of ${bytes} bytes there and as many back, closed loop, ${kind.how}; sessions are open and used before`,

		async run(bench: UdpBench) {
			const figures = figuresOf(kind, id, bytes);
			const manner: Manner = { ...kind.manner, bytes };
			const { generator } = bench;
			await bench.alternate(id, figures, { warmUp: true }, async (system) => {
				const running = await bench.running(system);
				const joined = kind.bothBatch === true;
				const port = running.listen[joined ? "batches" : "echo"];
				await generator.ask("open", { port, flows: kind.flows, joined });
				const rounds = bench.quick ? BEFORE_QUICK : BEFORE;
				await generator.ask("exchange", { ...manner, count: rounds * kind.flows * manner.window });
				const measured = { ...manner, count: count(bench.quick) };
				const { cpuNs, wallMs, lost } = await bench.spend(running, () => generator.ask("exchange", measured));
				await generator.ask("close", {});
				// There and back.
				const relayed = 2 * measured.count;
				return [cpuNs / 1000 / relayed, relayed / (wallMs / 1000), (lost / measured.count) * 100];
			});
			return figures;
		},
	};
}

function figuresOf({ title, atMost }: Kind, id: string, bytes: number): [Figure, Figure, Figure] {
	const what = `${title}, ${bytes} B`;
	return [
		new Figure({
			...{ id: `${id}.cpu`, title: `${what}: CPU per relayed datagram`, unit: "µs", digits: 2 },
			target: atMost === null ? null : { kind: "ratio", atMost },
		}),
		new Figure({
			...{ id: `${id}.rate`, title: `${what}: relayed datagrams`, unit: "1/s", digits: 0, target: null },
			moreIsBetter: true,
		}),
		new Figure({ id: `${id}.lost`, title: `${what}: lost`, unit: "%", digits: 2, target: null }),
	];
}
