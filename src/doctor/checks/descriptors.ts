/** Descriptors: of the process, of the system, and what each user may watch. */
import { descriptorBudget, descriptorsFor, descriptorsWanted } from "../../gateway/descriptors.js";
import type { Asked } from "../asked.js";
import { numberOf, numbersOf } from "../facts.js";
import {
	count,
	type Finding,
	finding,
	inConfig,
	limit as limitOf,
	roundUp,
	sysctl,
	unknown,
} from "../finding.js";

/** Fewer are no server's: some shells and init systems still give 1,024 or 4,096 descriptors. */
const SESSIONS_MIN = 1_000;

/** What the system's other programs may need beside us. */
const OTHERS_SPARE = 10_000;

/** Watches of a session: its client's socket, and its upstream's. */
const WATCHES = 2;

export function checkDescriptors(asked: Asked): Finding[] {
	return [...ofProcess(asked), ofNrOpen(asked), ofSystem(asked), ...ofWatches(asked), ...ofInotify(asked)];
}

/** Descriptors that the sessions that are asked for need; `null`: nobody has asked. */
export function descriptorsNeeded({ connections, config, reactors, facts }: Asked): number | null {
	if (connections === null) return null;
	const { listeners, limits } = config;
	return descriptorsFor(connections, limits.fdReserve, reactors, listeners.length, facts.openDescriptors);
}

/** Sessions that the descriptor limit of this process allows, once it has raised the soft limit to the hard one. */
export function sessionsByDescriptors({ facts, config, reactors, connections }: Asked): number {
	const { hard } = facts.limits["open files"] ?? { hard: 0 };
	const limits = { ...config.limits, connections };
	const used = Math.min(hard, descriptorsWanted({ ...config, limits }));
	const { fdReserve } = config.limits;
	return descriptorBudget(used, fdReserve, reactors, config.listeners.length, facts.openDescriptors).sessions;
}

function ofProcess(asked: Asked): Finding[] {
	const { facts, connections, config } = asked;
	const own = facts.limits["open files"];
	if (own === undefined) return [unknown(facts, "descriptors.process", "/proc/self/limits", WHY)];
	const { soft, hard } = own;
	const raises = soft < hard ? ` (soft ${amount(soft)}: sluice raises it to the hard one by itself)` : "";
	const sessions = sessionsByDescriptors(asked);
	const found = `the hard limit of descriptors is ${amount(hard)}${raises}: room for ${count(sessions)} sessions of two`;
	const needed = descriptorsNeeded(asked);
	const findings: Finding[] = [];
	if (connections !== null && needed !== null && sessions < connections)
		findings.push(
			finding(
				"descriptors.process",
				"fails",
				`${found}, and ${count(connections)} are asked for, which need ${count(needed)} descriptors`,
				WHY,
				limitOf("nofile", "LimitNOFILE", roundUp(needed)),
			),
		);
	else if (sessions < SESSIONS_MIN && connections === null)
		findings.push(
			finding("descriptors.process", "advice", found, WHY, limitOf("nofile", "LimitNOFILE", 200_000)),
		);
	else findings.push(finding("descriptors.process", "fine", found, WHY));
	const wanted = descriptorsWanted(config);
	if (connections !== null && needed !== null && config.limits.connections === null && needed > wanted)
		findings.push(
			finding(
				"descriptors.used",
				"fails",
				`of any limit ${count(wanted)} descriptors are used where limits.connections says nothing, and ${count(connections)} sessions need ${count(needed)}`,
				"tables are sized by the limit, and containers often allow a thousand million descriptors",
				inConfig(config.file, `limits: { connections: ${connections} }`),
			),
		);
	const { connections: limit } = config.limits;
	if (connections !== null && limit !== null && connections > limit)
		findings.push(
			finding(
				"descriptors.limit",
				"fails",
				`limits.connections is ${count(limit)}, and ${count(connections)} are asked for`,
				"who comes beyond it waits in the accept queue, or is reset, as limits.when_full says",
				inConfig(config.file, `limits: { connections: ${connections} }`),
			),
		);
	return findings;
}

const WHY =
	"each session holds a descriptor for its client and one for its upstream; without one left, new clients wait in the accept queue";

function ofNrOpen(asked: Asked): Finding {
	const why = "no process, not even of root, may be given a limit of descriptors above it";
	const most = numberOf(asked.facts, "fs.nr_open");
	if (most === undefined) return unknown(asked.facts, "descriptors.nr-open", "fs.nr_open", why);
	const needed = descriptorsNeeded(asked) ?? 0;
	const found = `fs.nr_open is ${count(most)}`;
	if (needed <= most) return finding("descriptors.nr-open", "fine", found, why);
	return finding(
		"descriptors.nr-open",
		"fails",
		`${found}, and ${count(needed)} descriptors are needed: raise it before the limit of the process`,
		why,
		sysctl("fs.nr_open", roundUp(needed)),
	);
}

function ofSystem(asked: Asked): Finding {
	const why =
		"it bounds the open files of all processes together; beyond it everybody's open and accept fail (ENFILE)";
	const { facts } = asked;
	const most = numberOf(facts, "fs.file-max");
	if (most === undefined) return unknown(facts, "descriptors.file-max", "fs.file-max", why);
	const [open = 0] = numbersOf(facts, "fs.file-nr");
	const needed = descriptorsNeeded(asked) ?? 0;
	const found = `fs.file-max is ${amount(most)}, and ${count(open)} are open`;
	if (open + needed <= most - (needed > 0 ? OTHERS_SPARE : 0))
		return finding("descriptors.file-max", "fine", found, why);
	return finding(
		"descriptors.file-max",
		"fails",
		`${found}; with ${count(needed)} more for the gateway none is left for others`,
		why,
		sysctl("fs.file-max", roundUp(open + needed + 2 * OTHERS_SPARE)),
	);
}

function ofWatches({ facts, connections }: Asked): Finding[] {
	const why =
		"each socket is watched by epoll; where a user has used up his watches, sessions end as memory_pressure";
	const most = numberOf(facts, "fs.epoll.max_user_watches");
	if (most === undefined || connections === null || WATCHES * connections <= most) return [];
	return [
		finding(
			"descriptors.epoll-watches",
			"fails",
			`fs.epoll.max_user_watches is ${count(most)}, and ${count(connections)} sessions need ${count(WATCHES * connections)}`,
			why,
			sysctl("fs.epoll.max_user_watches", roundUp(WATCHES * connections)),
		),
	];
}

/** Only who has the configuration watched needs one. */
function ofInotify({ facts, config }: Asked): Finding[] {
	const most = numberOf(facts, "fs.inotify.max_user_instances");
	if (!config.watch || most === undefined || most >= 128) return [];
	return [
		finding(
			"descriptors.inotify",
			"advice",
			`fs.inotify.max_user_instances is ${count(most)}`,
			"watch: true needs one, of those that all programs of this user share; without it only SIGHUP reloads",
			sysctl("fs.inotify.max_user_instances", 128),
		),
	];
}

/** fs.file-max is often the largest number there is. */
function amount(limit: number): string {
	return limit >= 2 ** 53 ? "unlimited" : count(limit);
}
