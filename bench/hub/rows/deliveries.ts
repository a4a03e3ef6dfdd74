import { Figure, type FigureSpec } from "../../figure.js";
import { HOW } from "../apart.js";
import type { HubBench, HubRow } from "../bench.js";
import { BYTES, subscribers } from "./sizes.js";

/** In all, so that two cores have time for it, whichever system it is: a fifth of a second each at 40 µs. */
const PUBLISHING = { messages: 8, everyMs: 250, bytes: BYTES };
const PUBLISHING_QUICK = { messages: 5, everyMs: 50, bytes: BYTES };

const publishing = (quick: boolean): typeof PUBLISHING => (quick ? PUBLISHING_QUICK : PUBLISHING);

/** What it costs to send a message on to many, and how long it takes. */
export const deliveries: HubRow = {
	id: "deliveries",
	describe(quick) {
		const { messages, everyMs, bytes } = publishing(quick);
		return (
			`${messages} messages of ${bytes} bytes to each of ${subscribers(quick)} WebSocket subscribers of one channel, ${1000 / everyMs} a second; each must come to each, once and in order. ` +
			"CPU is divided by deliveries; latency is from the publisher's request to when the kernel notes the arrival at the subscriber's socket, of all deliveries of a round. " +
			`The same instances serve all rounds, with the same subscribers. ${HOW}`
		);
	},

	async run(bench: HubBench) {
		const made = (part: string, spec: Omit<FigureSpec, "id" | "target"> & Partial<FigureSpec>): Figure =>
			new Figure({ target: null, ...spec, id: `deliveries.${part}` });
		const ms = { unit: "ms", digits: 2 };
		const figures = [
			made("cpu", {
				...{ title: "delivery: CPU", unit: "µs", digits: 2 },
				target: { kind: "ratio", atMost: 0.5 },
			}),
			made("p50", { title: "delivery: latency, p50", ...ms }),
			made("p99", { title: "delivery: latency, p99", ...ms }),
			made("late", {
				title: "messages that had not come to all when the next was due",
				unit: "%",
				digits: 1,
			}),
		];
		const count = subscribers(bench.quick);
		const ask = publishing(bench.quick);
		await bench.alternate("deliveries", figures, { warmUp: true, again: true }, async (system) => {
			const running = await bench.attended(system, count);
			const { cpuNs, deliveries, p50Us, p99Us, late } = await bench.spend(running, ask);
			return [cpuNs / 1e3 / deliveries, p50Us / 1e3, p99Us / 1e3, (late / ask.messages) * 100];
		});
		await bench.stop();
		return figures;
	},
};
