/** How long people wait for a server of a protocol of small messages, on a connection of its own each time. */
import type { Bench, Row } from "../bench.js";
import { Figure } from "../figure.js";
import { DIALOGUES, type DialogueName } from "../load/dialogues.js";
import type { Latency } from "../load/latency.js";

const COUNT = 400;
const COUNT_QUICK = 120;

const count = (quick: boolean): number => (quick ? COUNT_QUICK : COUNT);

export const smtp = dialogue("smtp", "SMTP: the server speaks first");
export const mysql = dialogue("mysql", "MySQL: the server speaks first, the client answers in two writes");
export const postgres = dialogue("postgres", "PostgreSQL: the client speaks first");

function dialogue(name: DialogueName, what: string): Row {
	const messages = DIALOGUES[name].length;
	const isServersFirst = DIALOGUES[name][0]?.from === "server";
	return {
		id: name,
		describe: (quick) =>
			`${count(quick)} dialogues of ${messages} messages (${what}), through each system and directly, in blocks that take turns; ` +
			"a connection each, one at a time; times from the start of connecting",

		async run(bench: Bench): Promise<readonly Figure[]> {
			const pair = (moment: string, title: string): Figure[] =>
				["p50", "p99"].map(
					(share) =>
						new Figure({
							id: `${name}.${moment}.${share}`,
							title: `${name}, ${title}: ${share}`,
							unit: "µs",
							digits: 0,
							target: null,
						}),
				);
			const first = isServersFirst ? pair("first", "the server's first word") : [];
			const figures = [
				...first,
				...pair("answer", "answer to the client's first message"),
				...pair("whole", "whole dialogue"),
			];
			const of = ({ p50Us, p99Us }: Latency): number[] => [p50Us, p99Us];
			const ports = { direct: bench.dialogues[name], of: ({ listen }: Listening) => listen[name] };
			await bench.together(name, figures, ports, async (ports) => {
				const load = { dialogue: name, ports, count: count(bench.quick) };
				const { latencies } = await bench.generator.ask("dialogues", load);
				return latencies.map(({ first, answer, whole }) => [
					...(isServersFirst ? of(first) : []),
					...of(answer),
					...of(whole),
				]);
			});
			return figures;
		},
	};
}

interface Listening {
	readonly listen: Readonly<Record<DialogueName, number>>;
}
