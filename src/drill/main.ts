/** `sluice drill`, without its command line: targets one after the other, and what they came to. */
import { writeFileSync } from "node:fs";
import { print } from "../kernel/print.js";
import { raiseDescriptorLimit } from "../kernel/sockets.js";
import { Helper } from "../rig/helper.js";
import { endAll, installCleanup } from "../rig/processes.js";
import { toSvg } from "./chart.js";
import { DRILLS } from "./drills/index.js";
import { ephemeralPorts, listenQueue } from "./kernel-tables.js";
import { type MemoryGroup, makeMemoryGroup } from "./memory-group.js";
import type { UpstreamOrder } from "./messages.js";
import { type Link, makeLink } from "./network-namespace.js";
import { type DrillArguments, type DrillOptions, DrillUsageError, readOptions } from "./options.js";
import { pathOf } from "./programs.js";
import { Progress } from "./progress.js";
import { toText } from "./report.js";
import { conclude, toJson } from "./result.js";
import { type Recording, runDrill } from "./run.js";
import type { Target } from "./target.js";
import { startBare } from "./targets/bare.js";
import { startGateway } from "./targets/gateway.js";
import { giveTarget } from "./targets/given.js";
import { startTunnelled } from "./targets/tunnelled.js";
import type { DrillPorts, UpstreamPorts } from "./upstream-ports.js";
import type { Outcome } from "./verdict.js";

/** Exit statuses. */
const STATUS: Readonly<Record<Outcome, number>> = { held: 0, "not held": 1, "too busy to judge": 3 };
const FAILED = 1;
const USAGE = 2;

/** One line for each drill. */
export function listDrills(): string {
	const width = Math.max(...DRILLS.map(({ name }) => name.length));
	return DRILLS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}\n`).join("");
}

/** Runs a drill, prints what it came to, and ends this process with its verdict as the exit status. */
export async function drillAndExit(name: string, given: DrillArguments): Promise<never> {
	installCleanup();
	// The progress on a terminal that has gone.
	process.stderr.on("error", () => {});
	let exitCode: number;
	try {
		exitCode = await drill(name, given);
	} catch (error) {
		const usage = error instanceof DrillUsageError;
		await print(2, `sluice drill: ${error instanceof Error ? error.message : String(error)}\n`);
		exitCode = usage ? USAGE : FAILED;
	}
	return endAll(exitCode);
}

async function drill(name: string, given: DrillArguments): Promise<number> {
	const machine = { descriptors: raiseDescriptorLimit(), ephemeralPorts: ephemeralPorts() };
	const options = readOptions(name, given, machine);
	const { program } = options.drill;
	if (program !== undefined && pathOf(program) === undefined)
		throw new DrillUsageError(`this drill needs ${program}: apt-get install ${program}`);
	const progress = new Progress(options.drill.name, process.stderr);
	let recordings: readonly Recording[];
	try {
		recordings = await drillTargets(options, progress);
	} finally {
		progress.end();
	}
	const result = conclude(options, machine, recordings);
	if (options.svg !== null) writeFileSync(options.svg, toSvg(result));
	const lost = await print(1, options.json ? toJson(result) : toText(result));
	if (lost !== undefined)
		throw new DrillUsageError(`the report is lost, for standard output cannot be written: ${lost}`);
	return STATUS[result.outcome];
}

async function drillTargets(options: DrillOptions, progress: Progress): Promise<Recording[]> {
	const { target } = options;
	if (target !== null) {
		if (listenQueue(target.port).inodes.length === 0)
			throw new DrillUsageError(`nothing listens on ${target.address}:${target.port}`);
		const link = "a given target has no listener on a link of the drill's own";
		return [await drillOne(options, async () => giveTarget(target.address, target.port), link, progress)];
	}
	const [answers, others] = [await startUpstream(), await startUpstream()];
	// Whoever answers the good client does nothing else, so that no attacker keeps it from answering.
	const { tls, http, web } = answers.ports;
	const ports: DrillPorts = { ...others.ports, tls, http, web, webForAttackers: others.ports.web };
	const recordings = [await drillGateway(options, ports, answers.helper, progress)];
	const { drill, listener } = options;
	for (const kind of ["bare", "guarded"] as const) {
		if (!options[kind] || listener === "tls" || listener === "agents") continue;
		const start = ended(
			(through) => startBare(kind, listener, others.ports, drill.descriptorLimit, through),
			answers.helper,
		);
		recordings.push(await drillOne(options, start, "the Node server listens on 127.0.0.1 only", progress));
	}
	await answers.helper.stop();
	await others.helper.stop();
	return recordings;
}

/** Starts a target, through a command that runs the one behind it. */
type Start = (through: readonly string[]) => Promise<Target>;

type UpstreamHelper = Helper<UpstreamOrder, UpstreamPorts>;

/** A target that ends also when this process is killed in a way that it cannot notice. */
function ended(start: Start, guard: UpstreamHelper): Start {
	return async (through) => {
		const target = await start(through);
		const { pid } = target;
		if (pid === null) return target;
		guard.order({ do: "guard", pid });
		const stop = async (): Promise<void> => {
			await target.stop();
			guard.order({ do: "forget", pid });
		};
		return { ...target, stop };
	};
}

async function startUpstream(): Promise<{ helper: UpstreamHelper; ports: UpstreamPorts }> {
	const helper: UpstreamHelper = new Helper(new URL("upstream.js", import.meta.url));
	return { helper, ports: await helper.answer((news): news is UpstreamPorts => news.any > 0) };
}

async function drillGateway(
	options: DrillOptions,
	ports: DrillPorts,
	guard: UpstreamHelper,
	progress: Progress,
): Promise<Recording> {
	const { drill, plan } = options;
	const link = drill.link === true ? makeLink() : "this drill has no use for one";
	const linkListener = typeof link === "string" ? null : `${link.hostAddress}:0`;
	const config = plan.configure(ports, { main: "127.0.0.1:0", link: linkListener });
	const { descriptorLimit } = drill;
	const startTarget = options.listener === "agents" ? startTunnelled : startGateway;
	try {
		return await drillOne(
			options,
			ended((through) => startTarget({ config, descriptorLimit, through, linkListener }), guard),
			link,
			progress,
		);
	} finally {
		if (typeof link !== "string") link.remove();
	}
}

async function drillOne(
	options: DrillOptions,
	start: Start,
	link: Link | string,
	progress: Progress,
): Promise<Recording> {
	const { drill, listener, plan, connections, seconds } = options;
	const { ending } = drill;
	const group = boundMemory(options);
	const bound = group !== null && typeof group === "object" ? group : null;
	try {
		const target = await start(bound?.enter ?? []);
		try {
			return await runDrill(target, { listener, plan, ending, connections, seconds, link, group, progress });
		} finally {
			await target.stop();
		}
	} finally {
		bound?.remove();
	}
}

function boundMemory({ drill, target }: DrillOptions): MemoryGroup | string | null {
	if (drill.memoryGroupBytes === undefined) return null;
	if (target !== null) return "a given target is in its own already";
	return makeMemoryGroup(drill.memoryGroupBytes);
}
