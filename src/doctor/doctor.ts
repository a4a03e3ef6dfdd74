/** `sluice doctor`: what stands in the way on this machine, from its facts to a report. */
import type { Config } from "../config/config.js";
import { ConfigError, ConfigFileError, headline } from "../config/errors.js";
import { loadConfigFile } from "../config/load.js";
import { asked } from "./asked.js";
import { type Area, examine } from "./examine.js";
import { type Finding, finding } from "./finding.js";
import { measure } from "./plan/measure.js";
import { planFor } from "./plan/plan.js";
import { planFindings } from "./plan/tell.js";
import { readFacts } from "./read.js";
import { reportOf, reportText } from "./report.js";

export interface DoctorOptions {
	/** A configuration; absent: one listener and one upstream address are assumed. */
	readonly config?: string;
	/** Sessions that it is to stand. */
	readonly connections?: number;
	readonly json?: boolean;
}

export interface Diagnosis {
	/** Exit status. */
	readonly status: 0 | 1 | 2;
	readonly text: string;
}

/** Looks at this machine, and for a number of sessions measures it for a second. A configuration that cannot be read is a finding: the machine is looked at all the same. */
export async function diagnose(options: DoctorOptions): Promise<Diagnosis> {
	const { config, problems } = options.config === undefined ? NO_CONFIG : load(options.config);
	const question = asked(await readFacts(config), config, options.connections ?? null);
	const plan =
		options.connections === undefined
			? null
			: planFor(question, options.connections, measure(question.facts, question.config));
	const areas: Area[] = [
		...(problems.length > 0 ? [{ title: "configuration", findings: problems }] : []),
		...examine(question),
		...(plan === null ? [] : [{ title: "plan", findings: planFindings(plan) }]),
	].filter(({ findings }) => findings.length > 0);
	const report = reportOf(question, areas, plan);
	const text =
		options.json === true ? `${JSON.stringify(report, null, "\t")}\n` : reportText(question, areas, plan);
	return { status: report.status, text };
}

interface Loaded {
	readonly config: Config | null;
	readonly problems: readonly Finding[];
}

const NO_CONFIG: Loaded = { config: null, problems: [] };

function load(file: string): Loaded {
	const problem = (text: string): Finding =>
		finding(
			"config.problem",
			"fails",
			text,
			"the gateway does not start with it; what follows is of no configuration",
			{
				now: `sluice check -c ${file}`,
				keep: null,
			},
		);
	try {
		return { config: loadConfigFile(file), problems: [] };
	} catch (error) {
		if (error instanceof ConfigFileError) return { config: null, problems: [problem(error.message)] };
		if (error instanceof ConfigError)
			return { config: null, problems: error.problems.map((each) => problem(headline(each))) };
		throw error;
	}
}
