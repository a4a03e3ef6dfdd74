/** What was found, for people and for programs. */
import type { Asked } from "./asked.js";
import { type Area, statusOf } from "./examine.js";
import { count, type Finding, type Level, plural } from "./finding.js";
import type { Plan } from "./plan/plan.js";
import { planText } from "./plan/tell.js";

/** As `sluice doctor --json` prints it; docs/operations.md describes it. */
export interface DoctorReport {
	/** Of this shape; a higher one may lack what is here. */
	readonly version: 1;
	readonly status: 0 | 1 | 2;
	readonly config: string | null;
	readonly connections: number | null;
	readonly reactors: number;
	readonly machine: {
		readonly kernel: string;
		readonly node: string;
		readonly cores: number;
		readonly uid: number;
		readonly container: boolean;
	};
	readonly findings: readonly (Finding & { readonly area: string })[];
	/** Without `--connections` there is none. */
	readonly plan: Plan | null;
}

export function reportOf(asked: Asked, areas: readonly Area[], plan: Plan | null): DoctorReport {
	const { facts, config, connections, reactors, isAssumed } = asked;
	const { kernel, node, cores, uid, isContainer } = facts;
	return {
		version: 1,
		status: statusOf(areas),
		config: isAssumed ? null : config.file,
		connections,
		reactors,
		machine: { kernel, node, cores, uid, container: isContainer },
		findings: areas.flatMap(({ title, findings }) => findings.map((each) => ({ area: title, ...each }))),
		plan,
	};
}

const WIDTH = 110;
const MARKS: Readonly<Record<Level, string>> = {
	fails: "FAILS",
	advice: "advice",
	unknown: "unknown",
	note: "note",
	fine: "ok",
};
const TO_DO: readonly Level[] = ["fails", "advice"];

/** What is to be done comes first, the worst of it first. */
export function reportText(asked: Asked, areas: readonly Area[], plan: Plan | null): string {
	const all = areas.flatMap(({ findings }) => findings);
	const toDo = TO_DO.flatMap((level) => all.filter((each) => each.level === level));
	const rest = areas
		.map(({ title, findings }) => ({ title, findings: findings.filter((each) => !toDo.includes(each)) }))
		.filter(({ findings }) => findings.length > 0);
	const lines = [heading(asked), "", ...toDo.flatMap((each) => [...paragraphs(each), ""])];
	if (rest.length > 0)
		lines.push(...rest.flatMap(({ title, findings }) => [title, ...findings.flatMap(paragraphs), ""]));
	if (plan !== null) lines.push(...planText(plan), "");
	lines.push(...footer(asked, toDo), summary(toDo));
	return `${lines.join("\n")}\n`;
}

function heading({ facts, config, connections, reactors, isAssumed }: Asked): string {
	const machine = `Linux ${facts.kernel}, Node ${facts.node}, ${plural(facts.cores, "core")}, ${facts.uid === 0 ? "as root" : `as user ${facts.uid}`}`;
	const what = isAssumed
		? "no configuration: one listener and one upstream address are assumed"
		: `${config.file}: ${plural(config.listeners.length, "listener")}, ${plural(config.upstreams.length, "upstream")}`;
	const wanted =
		connections === null
			? "nobody says how many sessions (--connections)"
			: `${count(connections)} sessions are asked for`;
	return `${machine}\n${what}, ${plural(reactors, "reactor")}; ${wanted}`;
}

function paragraphs({ level, found, why, now, keep }: Finding): string[] {
	const lines = [
		...wrapped(found, `  ${MARKS[level].padEnd(8)}`),
		...wrapped(why, `${" ".repeat(10)}why:  `),
	];
	if (now !== null) lines.push(`${" ".repeat(10)}now:  ${now}`);
	if (keep !== null)
		lines.push(
			`${" ".repeat(10)}keep: in ${keep.file}`,
			...keep.text.split("\n").map((line) => `${" ".repeat(18)}${line}`),
		);
	return lines;
}

/** At blanks; what follows the first line stands below its text. */
function wrapped(text: string, first: string): string[] {
	const lines: string[] = [];
	let line = first;
	let isEmpty = true;
	for (const word of text.split(" ")) {
		if (!isEmpty && line.length + 1 + word.length > WIDTH) {
			lines.push(line);
			line = " ".repeat(first.length);
			isEmpty = true;
		}
		line += isEmpty ? word : ` ${word}`;
		isEmpty = false;
	}
	return [...lines, line];
}

function footer({ facts }: Asked, toDo: readonly Finding[]): string[] {
	const lines: string[] = [];
	if (facts.limits["open files"] !== undefined)
		lines.push("Limits of the process are those of this shell. A service has those of its unit.");
	if (facts.isContainer && toDo.some(({ now }) => now?.startsWith("sysctl -w net.") === true))
		lines.push("In a container, whoever starts it sets net.…: docker run --sysctl NAME=VALUE.");
	if (facts.uid === 0 && !facts.mayRaiseLimits && toDo.some(({ now }) => now?.startsWith("prlimit") === true))
		lines.push(
			"Nobody may raise a hard limit here (CAP_SYS_RESOURCE): whoever starts the container gives it, as by docker run --ulimit nofile=N.",
		);
	if (facts.uid !== 0 && toDo.some(({ now }) => now !== null)) lines.push("The commands are for root.");
	return lines;
}

function summary(toDo: readonly Finding[]): string {
	const fails = toDo.filter(({ level }) => level === "fails").length;
	const advice = toDo.length - fails;
	if (toDo.length === 0) return "Nothing to do.";
	const words = [
		...(fails > 0 ? [`${count(fails)} will fail`] : []),
		...(advice > 0 ? [`${count(advice)} ${advice === 1 ? "piece" : "pieces"} of advice`] : []),
	];
	return `${words.join(", ")}.`;
}
