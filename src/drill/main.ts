/** `sluice drill`, without its command line: targets one after the other, and what they came to. */
import { writeFileSync } from "node:fs";
import { print } from "../kernel/print.js";
import { raiseDescriptorLimit } from "../kernel/sockets.js";
import { Helper } from "../rig/helper.js";
import { endAll, installCleanup } from "../rig/processes.js";
import { toSvg } from "./chart.js";
import type { Tag } from "./datagram-traffic.js";
import { DRILLS } from "./drills/index.js";
import { ephemeralPorts, listenQueue } from "./kernel-tables.js";
import { makeLink } from "./link.js";
import { type MemoryGroup, makeMemoryGroup } from "./memory-group.js";
import type { DatagramUpstreamNews, UpstreamOrder } from "./messages.js";
import { type DrillArguments, type DrillOptions, DrillUsageError, readOptions } from "./options.js";
import { enterOwnNamespace } from "./own-namespace.js";
import { pathOf } from "./programs.js";
import { Progress } from "./progress.js";
import { toText } from "./report.js";
import { conclude, toJson } from "./result.js";
import { type Recording, type RunOptions, runDrill } from "./run.js";
import type { Target } from "./target.js";
import { startBare } from "./targets/bare.js";
import { startBareDatagrams } from "./targets/bare-datagrams.js";
import { startBareHub } from "./targets/bare-hub.js";
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
	if (options.drill.ownNamespace === true) enterOwnNamespace(name);
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
		const start = async (): Promise<Target> => giveTarget(target.address, target.port);
		return [await drillOne(options, start, { link, ports: null }, progress)];
	}
	const [answers, others] = [await startUpstream(), await startUpstream()];
	const datagrams = options.listener === "udp" ? await startDatagramUpstreams() : NO_DATAGRAMS;
	// Whoever answers the good client does nothing else, so that no attacker keeps it from answering.
	const { tls, http, web } = answers.ports;
	const ports: DrillPorts = {
		...{ ...others.ports, tls, http, web, webForAttackers: others.ports.web },
		...datagrams.ports,
	};
	const recordings = [await drillGateway(options, ports, answers.helper, progress)];
	const surroundings = { link: "the Node server listens on 127.0.0.1 only", ports };
	for (const start of comparisons(options, ports, others.ports))
		recordings.push(await drillOne(options, ended(start, answers.helper), surroundings, progress));
	for (const helper of [answers.helper, others.helper, ...datagrams.helpers]) await helper.stop();
	return recordings;
}

/** What the gateway is compared with, one after the other. */
function comparisons(options: DrillOptions, ports: DrillPorts, upstreams: UpstreamPorts): Start[] {
	const { drill, plan, listener } = options;
	if (drill.comparedWith !== undefined) return [startOther(options, ports, drill.comparedWith)];
	const kinds = (["bare", "guarded"] as const).filter((kind) => options[kind]);
	return kinds.flatMap((kind): Start[] => {
		if (listener === "udp") return [(through) => startBareDatagrams(ports, plan.barePorts ?? 0, through)];
		if (listener === "hub") return [startBareHub];
		// Asked for with these it was refused.
		if (listener === "tls" || listener === "agents") return [];
		return [(through) => startBare(kind, listener, upstreams, drill.descriptorLimit, through)];
	});
}

/** The gateway once more, to be shown beside the first. */
function startOther({ plan, drill }: DrillOptions, ports: DrillPorts, circumstances: string): Start {
	const config = plan.configure(ports, { main: "127.0.0.1:0", link: null });
	const { descriptorLimit } = drill;
	return async (through) => {
		const target = await startGateway({ config, descriptorLimit, through, linkListener: null });
		return { ...target, kind: "bare", label: `gateway ${circumstances}` };
	};
}

interface DatagramUpstreams {
	readonly helpers: readonly Helper<never, DatagramUpstreamNews>[];
	readonly ports: Pick<DrillPorts, "datagrams" | "datagramsForAttackers">;
}

const NO_DATAGRAMS: DatagramUpstreams = { helpers: [], ports: { datagrams: 0, datagramsForAttackers: 0 } };

async function startDatagramUpstreams(): Promise<DatagramUpstreams> {
	const tags: readonly Tag[] = ["good", "attackers"];
	const helpers = tags.map(
		(tag) =>
			new Helper<never, DatagramUpstreamNews>(new URL("datagram-upstream.js", import.meta.url), {
				args: [tag],
			}),
	);
	const [good, attackers] = await Promise.all(helpers.map((helper) => helper.next()));
	return { helpers, ports: { datagrams: good?.port ?? 0, datagramsForAttackers: attackers?.port ?? 0 } };
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
			{ link, ports },
			progress,
		);
	} finally {
		if (typeof link !== "string") link.remove();
	}
}

async function drillOne(
	options: DrillOptions,
	start: Start,
	surroundings: Pick<RunOptions, "link" | "ports">,
	progress: Progress,
): Promise<Recording> {
	const { drill, listener, plan, connections, seconds } = options;
	const { ending } = drill;
	const group = boundMemory(options);
	const bound = group !== null && typeof group === "object" ? group : null;
	try {
		const target = await start(bound?.enter ?? []);
		try {
			return await runDrill(target, {
				...{ listener, plan, ending, connections, seconds, group, progress },
				...surroundings,
			});
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
