/** Rules of `tunnels`: what goes together there, and whether anything leads to it. */
import { parseBind, parseListen } from "./address.js";
import { bindText, isLoopback, overlap } from "./bind-rules.js";
import type { PortRange } from "./config.js";
import * as defaults from "./defaults.js";
import { TUNNELS } from "./names.js";
import { attempt, list, type Mapping, mapping } from "./plain.js";
import type { Path, Report } from "./source.js";
import { isOff } from "./switches.js";
import { parsePorts } from "./tunnel-values.js";
import { formatDuration, parseDuration } from "./units.js";
import { writtenAdmin } from "./written-addresses.js";

/** What a file says that leads to tunnels and has none. */
const EXAMPLE =
	'tunnels: { listen: "0.0.0.0:4443", tls: { cert: gw.pem, key: gw.key }, domain: example.com, agents: [] }';

/** `file`: the whole of it, for what else it binds. */
export function checkTunnels(file: Mapping, report: Report): void {
	const { tunnels } = file;
	if (tunnels === undefined) return;
	const section = mapping(tunnels);
	checkPortsAreFree(file, section, report);
	checkOpen(section, report);
	checkLines(section, report);
	checkReserved(section, report);
	checkHeartbeat(section, report);
	checkAgents(section, report);
}

/** `to: tunnels` without agents that could be led to. */
export function checkLeadsToTunnels(to: unknown, tunnels: unknown, path: Path, report: Report): void {
	if (to === TUNNELS && tunnels === undefined)
		report.problem(path, `"to: tunnels" needs a section for the agents, at the top of the file: ${EXAMPLE}`);
}

/** Kinds of connections that say no name. */
const NAMELESS: ReadonlySet<unknown> = new Set(["ssh", "h2c", "other", "any"]);

/** Tunnels are found by the name that a visitor asks for. */
export function checkNamed({ to, protocol }: Mapping, path: Path, report: Report): void {
	if (to !== TUNNELS || !NAMELESS.has(protocol)) return;
	report.problem(
		[...path, "protocol"],
		`tunnels are found by the name that a visitor asks for, and "protocol: ${String(protocol)}" says none: let the agent open a tcp tunnel, which has a port of its own, and remove this route`,
	);
}

/** The same of datagrams: those of QUIC are found by the name in them. */
export function checkNamedDatagrams({ to, protocol }: Mapping, path: Path, report: Report): void {
	if (to !== TUNNELS || protocol === undefined || protocol === "quic") return;
	report.problem(
		[...path, "protocol"],
		`of what comes by UDP, tunnels take QUIC by the name that it asks for, and this is "protocol: ${String(protocol)}": write quic, or let the agent open a udp tunnel, which has a port of its own, and remove this route`,
	);
}

function checkOpen({ listen, tls, insecure }: Mapping, report: Report): void {
	const bind = attempt(listen, parseBind);
	const isAllowed = insecure !== undefined && !isOff(insecure);
	if (tls !== undefined) {
		if (isAllowed)
			report.problem(["tunnels", "insecure"], '"insecure" does nothing beside "tls": remove it', "key");
		return;
	}
	if (bind === null || (isAllowed && isLoopback(bind.host))) return;
	const advice = "write tls: { cert: gw.pem, key: gw.key }";
	report.problem(
		["tunnels", isAllowed ? "insecure" : "listen"],
		isAllowed
			? `in the open only on loopback, and ${bindText(bind)} is none: ${advice}, or listen on 127.0.0.1:${bind.port}`
			: isLoopback(bind.host)
				? `agents would speak in the open: ${advice}, or insecure: true for trying out on loopback`
				: `on ${bindText(bind)} agents would speak in the open: ${advice}`,
	);
}

function checkLines({ lines, lines_max: most }: Mapping, report: Report): void {
	const [least, top] = [lines ?? defaults.tunnels.lines, most ?? defaults.tunnels.linesMax];
	if (typeof least !== "number" || typeof top !== "number" || least <= top) return;
	report.problem(
		["tunnels", most === undefined ? "lines" : "lines_max"],
		`lines (${least}) cannot be more than lines_max (${top}): ${most === undefined ? `add lines_max: ${least}, or lower this` : "raise this, or lower lines"}`,
	);
}

/** With all of them reserved, no WebSocket would ever get one. */
function checkReserved({ lines_max: most, lines_reserved: reserved }: Mapping, report: Report): void {
	const top = most ?? defaults.tunnels.linesMax;
	if (typeof reserved !== "number" || typeof top !== "number" || reserved < top) return;
	report.problem(
		["tunnels", "lines_reserved"],
		`lines_reserved (${reserved}) must be less than lines_max (${top}): no WebSocket would get a line otherwise. Lower this, or raise lines_max`,
	);
}

function checkHeartbeat({ heartbeat, dead_after: deadAfter }: Mapping, report: Report): void {
	const every = heartbeat === undefined ? defaults.tunnels.heartbeatMs : attempt(heartbeat, parseDuration);
	const dead = deadAfter === undefined ? defaults.tunnels.deadAfterMs : attempt(deadAfter, parseDuration);
	if (every === null || dead === null || every * 2 <= dead) return;
	report.problem(
		["tunnels", deadAfter === undefined ? "heartbeat" : "dead_after"],
		`dead_after (${formatDuration(dead)}) must be at least twice the heartbeat (${formatDuration(every)}): one lost packet would cut healthy agents otherwise`,
	);
}

/** Ports of tunnels that something else of the file is bound to: those of tcp by a connection's listener, those of udp by one of datagrams. */
function checkPortsAreFree({ admin, listeners }: Mapping, tunnels: Mapping, report: Report): void {
	const range = portsOf(tunnels["ports"]);
	const at = attempt(tunnels["listen"], parseBind);
	if (range === null || at === null) return;
	const others = [
		{ ...writtenAdmin(admin), what: "the admin pages" },
		{ value: tunnels["listen"], path: ["tunnels", "listen"], what: "agents" },
		...list(listeners).map((listener, index) => ({
			...{ value: mapping(listener)["listen"], path: ["listeners", index, "listen"], what: "the listener" },
		})),
	];
	for (const { value, path, what } of others) {
		const bind = attempt(value, parseListen);
		if (bind === null || bind.port < range.from || bind.port > range.to) continue;
		if (!overlap(bind.host, at.host)) continue;
		report.problem(
			["tunnels", "ports"],
			`port ${bind.port} of these is taken by ${what} on line ${report.lineOf(path)}: give one of them others`,
		);
	}
}

interface Range {
	readonly range: PortRange;
	readonly path: Path;
}

function checkAgents({ agents, ports }: Mapping, report: Report): void {
	const ids = new Map<unknown, Path>();
	const all = portsOf(ports);
	const taken: Range[] = [];
	for (const [index, value] of list(agents).entries()) {
		const agent = mapping(value);
		const path = ["tunnels", "agents", index];
		checkKeys(agent, path, report);
		const other = ids.get(agent["id"]);
		if (typeof agent["id"] === "string" && other !== undefined)
			report.problem(
				[...path, "id"],
				`there is an agent "${agent["id"]}" on line ${report.lineOf(other)} already: one that runs in several places says shared: true`,
			);
		else ids.set(agent["id"], [...path, "id"]);
		const range = portsOf(agent["ports"]);
		if (range !== null) checkPorts({ range, path: [...path, "ports"] }, all, taken, report);
	}
}

function checkKeys(
	{ public_key: one, public_keys: several, names, domains }: Mapping,
	path: Path,
	report: Report,
): void {
	if (one === undefined && several === undefined)
		report.problem(path, 'the key "public_key" is missing: sluice token new makes one');
	if (one !== undefined && several !== undefined)
		report.problem(
			[...path, "public_keys"],
			'"public_key" and "public_keys" are one or the other: put both keys in public_keys',
			"key",
		);
	if (names === undefined && domains === undefined)
		report.problem(
			path,
			"it may open nothing: add names such as names: [app], or domains: [shop.example.org]",
		);
}

function checkPorts(own: Range, all: PortRange | null, taken: Range[], report: Report): void {
	const { range, path } = own;
	const text = `${range.from}-${range.to}`;
	if (all === null || range.from < all.from || range.to > all.to)
		report.problem(
			path,
			all === null
				? `ports of agents are out of tunnels.ports, which is missing: add ports: ${text} there`
				: `these are not all within tunnels.ports (${all.from}-${all.to}): widen that, or take others`,
		);
	const other = taken.find((each) => each.range.from <= range.to && range.from <= each.range.to);
	if (other !== undefined)
		report.problem(
			path,
			`ports of two agents overlap: see line ${report.lineOf(other.path)}; give each its own`,
		);
	taken.push(own);
}

/** `null` for what is absent or wrong. */
function portsOf(value: unknown): PortRange | null {
	return attempt(typeof value === "number" ? String(value) : value, parsePorts);
}

/** What stands there and leads nowhere. Looked for when nothing is wrong. */
export function checkUnusedTunnels(file: Mapping, report: Report): void {
	const { tunnels, listeners } = file;
	if (tunnels === undefined) return;
	const { ports, domain, agents } = mapping(tunnels);
	if (list(agents).length === 0)
		report.warning(["tunnels"], "nobody can log in: add an agent under tunnels.agents", "key");
	const isLedTo = list(listeners)
		.flatMap((listener) => list(mapping(listener)["routes"]))
		.some((route) => mapping(route)["to"] === TUNNELS);
	if (!isLedTo && ports === undefined)
		report.warning(
			["tunnels"],
			'no route leads to tunnels, and there are no ports for tcp and udp: add a route such as { host: "*.example.com", to: tunnels }, or "ports"',
			"key",
		);
	else if (
		isLedTo &&
		domain === undefined &&
		!list(agents).some((each) => mapping(each)["domains"] !== undefined)
	)
		report.warning(
			["tunnels"],
			'routes lead to tunnels, and no name can be opened there: add "domain", or "domains" of an agent',
			"key",
		);
}
