import { Figure } from "../../figure.js";
import type { TunnelBench, TunnelRow } from "../bench.js";
import {
	MEASURED,
	memoryFigures,
	openAndAsk,
	perOne,
	ROUNDS_MAX,
	readSettled,
	WARM_UP,
	warmUp,
} from "./memory.js";

const VISITORS = 1_000;
const VISITORS_QUICK = 100;

const visitors = (quick: boolean): number => (quick ? VISITORS_QUICK : VISITORS);

/** What a visitor costs who only stays. */
export const idle: TunnelRow = {
	id: "idle",
	describe: (quick) =>
		`fresh processes per round, ${ROUNDS_MAX} rounds at most; ${WARM_UP}; then ${visitors(quick)} visitors, one request each, idle; ${MEASURED}`,

	async run(bench: TunnelBench) {
		const baseline = { unit: "MB", digits: 1, target: null };
		const figures = [
			...memoryFigures("idle", "idle visitor"),
			new Figure({ ...baseline, id: "idle.baseline.gateway", title: "… the gateway's baseline" }),
			new Figure({ ...baseline, id: "idle.baseline.agent", title: "… the agent's baseline" }),
		];
		const { generator, quick } = bench;
		const count = visitors(quick);
		await bench.alternate("idle", figures, { warmUp: false, roundsMax: ROUNDS_MAX }, (system) =>
			bench.withFresh(system, async (running) => {
				await warmUp(generator, running, quick);
				const before = await readSettled(running);
				await openAndAsk(generator, running, count);
				const after = await readSettled(running);
				return [...perOne(before, after, count), before.gateway / 1e6, before.agent / 1e6];
			}),
		);
		return figures;
	},
};
