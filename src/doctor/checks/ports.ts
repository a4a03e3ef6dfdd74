/** Local ports towards upstreams, and listeners whose port may be taken by somebody's outgoing connection. */
import type { Config, UpstreamConfig } from "../../config/config.js";
import { type Asked, dialled } from "../asked.js";
import { type Facts, numberOf, numbersOf } from "../facts.js";
import { count, type Finding, finding, plural, sysctl, unknown } from "../finding.js";

const RANGE = "net.ipv4.ip_local_port_range";
const RESERVED = "net.ipv4.ip_local_reserved_ports";
const REUSE = "net.ipv4.tcp_tw_reuse";

/** How long the side that ends a connection first keeps its port: the kernel's constant. */
const TIME_WAIT_SECONDS = 60;

export function checkPorts(asked: Asked): Finding[] {
	if (portsOf(asked.facts) === null) return [unknown(asked.facts, "ports.range", RANGE, WHY)];
	return [...ofUpstreams(asked), ...ofDatagrams(asked), ofTimeWait(asked), ...ofListeners(asked)];
}

const WHY =
	"the gateway's end of an upstream connection has one; to one address and port of an upstream it can have each only once, from one source address";

/** Ports that outgoing connections may have; `null`: not known. */
export function portsOf(facts: Facts): number | null {
	const [first, last] = numbersOf(facts, RANGE);
	if (first === undefined || last === undefined) return null;
	const taken = reservedOf(facts).reduce(
		(sum, [from, to]) => sum + Math.max(0, Math.min(to, last) - Math.max(from, first) + 1),
		0,
	);
	return last - first + 1 - taken;
}

/** `8080,9000-9100` */
function reservedOf({ settings }: Facts): (readonly [number, number])[] {
	const parts = (settings[RESERVED] ?? "").split(",").filter((part) => part !== "");
	return parts.map((part) => {
		const [from = 0, to = from] = part.split("-").map(Number);
		return [from, to];
	});
}

/**
 * Sessions that an upstream can have at once, one local port each; `Infinity`: a Unix socket needs none. Datagrams are another
 * matter: sockets of UDP share one range for all upstreams together.
 */
export function sessionsByPorts({ addresses }: UpstreamConfig, facts: Facts): number {
	const ports = portsOf(facts) ?? 0;
	return addresses.reduce((sum, address) => {
		const most = address.maxConnections ?? Number.POSITIVE_INFINITY;
		if (address.kind === "unix") return sum + most;
		const known = facts.names.find(({ host }) => address.kind === "name" && host === address.host);
		return sum + Math.min(most, ports * Math.max(1, known?.addresses.length ?? 1));
	}, 0);
}

/** Over all upstreams; those of datagrams share one range. `Infinity`: nothing is dialled. */
export function sessionsByAllPorts(config: Config, facts: Facts): number {
	const upstreams = dialled(config);
	if (upstreams.length === 0) return Number.POSITIVE_INFINITY;
	const streams = upstreams.filter((upstream) => upstream.datagrams === undefined);
	const shared = streams.length < upstreams.length ? (portsOf(facts) ?? 0) : 0;
	return streams.reduce((sum, upstream) => sum + sessionsByPorts(upstream, facts), shared);
}

function ofUpstreams(asked: Asked): Finding[] {
	const { config, facts, connections } = asked;
	const [first = 0, last = 0] = numbersOf(facts, RANGE);
	const ports = portsOf(facts) ?? 0;
	const range = `${RANGE} is ${first} to ${last}: ${count(ports)} ports`;
	const upstreams = dialled(config).filter(({ datagrams }) => datagrams === undefined);
	const all = sessionsByAllPorts(config, facts);
	const tight = upstreams.filter(
		(upstream) => connections !== null && sessionsByPorts(upstream, facts) < connections,
	);
	if (connections === null || tight.length === 0) {
		const each = upstreams.slice(0, 5).map((upstream) => `${upstream.name} ${sessions(upstream, facts)}`);
		const more = upstreams.length > 5 ? `, and ${upstreams.length - 5} more upstreams` : "";
		const to = each.length === 0 ? "" : `; at once to ${each.join(", ")}${more}`;
		return [finding("ports.range", "fine", `${range}${to}`, WHY)];
	}
	const names = tight.map((upstream) => `${upstream.name} can have ${sessions(upstream, facts)}`).join(", ");
	const canWiden = first > 1_024 || last < 65_535;
	const addresses = Math.ceil(connections / (65_535 - 1_024 + 1));
	const further =
		connections > 65_535 - 1_024 + 1
			? `. Even the widest range is too narrow for one address: name ${addresses} addresses or ports of it, or reach it by a Unix socket`
			: "";
	return [
		finding(
			"ports.range",
			all < connections ? "fails" : "advice",
			`${range}; ${names}, and ${count(connections)} sessions are asked for`,
			`${WHY}. Beyond that sessions end as connect_refused or fd_pressure${further}`,
			canWiden ? sysctl(RANGE, "1024 65535") : undefined,
		),
	];
}

/** A socket of UDP has its port to itself, whomever it is connected to. */
function ofDatagrams({ config, facts, connections }: Asked): Finding[] {
	const upstreams = dialled(config).filter(({ datagrams }) => datagrams !== undefined);
	if (upstreams.length === 0) return [];
	const [first = 0, last = 0] = numbersOf(facts, RANGE);
	const ports = portsOf(facts) ?? 0;
	const names = upstreams.map(({ name }) => name).join(", ");
	const found = `sessions of datagrams to ${names} share ${count(ports)} local ports`;
	const why =
		"a socket of UDP has its port to itself, whomever it is connected to; sessions for which none is left end as fd_pressure";
	if (connections === null || connections <= ports) return [finding("ports.datagrams", "fine", found, why)];
	const others = config.listeners.some(({ datagrams }) => datagrams === undefined);
	const isWidest = first <= 1_024 && last >= 65_535;
	return [
		finding(
			"ports.datagrams",
			others ? "advice" : "fails",
			`${found}, and ${count(connections)} sessions are asked for`,
			isWidest ? `${why}. The range cannot be wider: share the clients among several machines` : why,
			isWidest ? undefined : sysctl(RANGE, "1024 65535"),
		),
	];
}

function sessions(upstream: UpstreamConfig, facts: Facts): string {
	const most = sessionsByPorts(upstream, facts);
	return most === Number.POSITIVE_INFINITY ? "any number" : count(most);
}

function ofTimeWait({ facts }: Asked): Finding {
	const why = `whoever ends a connection first keeps its port for ${TIME_WAIT_SECONDS} s more; the gateway does so where a client leaves first. Reuse lets it have the port again after a second, which timestamps make safe`;
	const value = numberOf(facts, REUSE);
	if (value === undefined) return unknown(facts, "ports.tw-reuse", REUSE, why);
	const waiting = facts.timeWait === null ? "" : `; ${plural(facts.timeWait, "connection")} in TIME_WAIT now`;
	const ports = portsOf(facts) ?? 0;
	const rate = count(Math.floor(ports / TIME_WAIT_SECONDS));
	if (value === 1) return finding("ports.tw-reuse", "fine", `${REUSE} is 1${waiting}`, why);
	const where = value === 2 ? "on loopback only" : "nowhere";
	const found = `${REUSE} is ${value}, so ports are reused ${where}: ${rate} new sessions a second to each upstream address use all ports up${waiting}`;
	// Half of the range waits already: it is no mere possibility.
	const isShort = (facts.timeWait ?? 0) > ports / 2;
	return finding("ports.tw-reuse", isShort ? "advice" : "note", found, why, sysctl(REUSE, 1));
}

function ofListeners({ config, facts, isAssumed }: Asked): Finding[] {
	const [first = 0, last = 0] = numbersOf(facts, RANGE);
	const reserved = reservedOf(facts);
	const isFree = (port: number): boolean =>
		port >= first && port <= last && !reserved.some(([from, to]) => port >= from && port <= to);
	const ports = [...config.listeners, ...(config.tunnels === null ? [] : [config.tunnels])].map(
		({ port }) => port,
	);
	if (config.admin?.kind === "ip") ports.push(config.admin.port);
	const taken = [...new Set(ports.filter((port) => port !== 0 && isFree(port)))].sort((a, b) => a - b);
	const range = config.tunnels?.ports ?? null;
	const isRangeTaken =
		range !== null && range.from <= last && range.to >= first && isFree(Math.max(range.from, first));
	if (isAssumed || (taken.length === 0 && !isRangeTaken)) return [];
	const words = [...taken.map(String), ...(isRangeTaken ? [`${range.from}-${range.to}`] : [])];
	const before = (facts.settings[RESERVED] ?? "") === "" ? [] : [facts.settings[RESERVED] ?? ""];
	return [
		finding(
			"ports.listeners",
			"advice",
			`the gateway listens on ${words.join(", ")}, within the ports of outgoing connections (${first} to ${last})`,
			"while it is not running, any program's connection may get that port, and the gateway then cannot start",
			sysctl(RESERVED, [...before, ...words].join(",")),
		),
	];
}
