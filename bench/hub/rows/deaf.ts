import { spread } from "../../../src/rig/percentile.js";
import { Figure, type FigureSpec } from "../../figure.js";
import { LoadError } from "../../load/asking.js";
import { inOrder } from "../../order.js";
import { HOW } from "../apart.js";
import { DEAF, deafOf, FILLING, type HubBench, type HubRow } from "../bench.js";
import type { HubSystem } from "../system.js";
import { BYTES, subscribers } from "./sizes.js";

const LAPS = 12;
const LAPS_QUICK = 2;
/** One message of each instance in a lap. */
const PUBLISHING = { messages: 1, everyMs: 250, bytes: BYTES };
const PUBLISHING_QUICK = { messages: 1, everyMs: 50, bytes: BYTES };

const laps = (quick: boolean): number => (quick ? LAPS_QUICK : LAPS);

/** What may wait for one subscriber beside the log: one message that went in part, with what is around it. */
const OUTBOX_BYTES = FILLING.bytes + 256;

/** Whether those who do not read hold up the others, and what waits for them. */
export const deaf: HubRow = {
	id: "deaf",
	describe: (quick) =>
		`${laps(quick)} messages as above, each to all subscribers of one instance and then of the next: one of whose subscribers all read, a second one of the same, and one of whose subscribers one in ${DEAF} does not, and had full buffers before. ` +
		`Whose turn is first changes with each message, so that what else happens on the machine happens to all; a round's figure is the median of its messages'. Those who read are counted. ${HOW}`,

	async run(bench: HubBench) {
		const made = (part: string, spec: Omit<FigureSpec, "id" | "target"> & Partial<FigureSpec>): Figure =>
			new Figure({ target: null, ...spec, id: `deaf.${part}` });
		const ms = { unit: "ms", digits: 2 };
		const roles = { subject: "sluice-deaf", reference: "sluice", again: "sluice-again" };
		const p99 = made("p99", {
			title: `delivery where one in ${DEAF} does not read, and where all do: p99 of a message`,
			...{ ...ms, ...roles, target: { kind: "ratio", atMost: 1.2 } },
		});
		const p50 = made("p50", { title: "… p50", ...ms, ...roles });
		const outbox = made("outbox", {
			...{ title: "waits for each who does not read, beside the log", unit: "B", digits: 0 },
			...{ subject: roles.subject, target: { kind: "value", atMost: OUTBOX_BYTES } },
		});
		await bench.together("deaf", [p50, p99, outbox], async (instances) => {
			const values = new Map(instances.map(({ id }) => [id, { p50: [] as number[], p99: [] as number[] }]));
			for (let lap = 0; lap < laps(bench.quick); lap++)
				for (const system of inOrder(instances, lap)) {
					const { p50Us, p99Us } = await publish(bench, system);
					values.get(system.id)?.p50.push(p50Us / 1e3);
					values.get(system.id)?.p99.push(p99Us / 1e3);
				}
			return async (system) => {
				const { p50: p50s = [], p99: p99s = [] } = values.get(system.id) ?? {};
				p50.record(system.id, spread(p50s)?.p50 ?? Number.NaN);
				p99.record(system.id, spread(p99s)?.p50 ?? Number.NaN);
				const waits = await waitsForEach(bench, system);
				if (waits !== undefined) outbox.record(system.id, waits);
			};
		});
		return [p99, p50, outbox];
	},
};

async function publish(bench: HubBench, system: HubSystem): Promise<{ p50Us: number; p99Us: number }> {
	const running = await bench.attended(system, subscribers(bench.quick));
	return bench.spend(running, bench.quick ? PUBLISHING_QUICK : PUBLISHING);
}

/** `undefined`: it does not say, or all read. More than may be is an error: it must never be so. */
async function waitsForEach(bench: HubBench, system: HubSystem): Promise<number | undefined> {
	const deaf = deafOf(system, subscribers(bench.quick));
	if (deaf === 0 || system.outboxes === undefined) return undefined;
	const { doors } = await bench.running(system);
	const bytes = (await system.outboxes(doors)) / deaf;
	if (bytes > OUTBOX_BYTES) throw new LoadError(`${bytes} bytes wait for each of ${deaf} who do not read`);
	return bytes;
}
