/** Rules of what is bound: addresses that two would share, and upstreams that lead back to where they came from. */
import { networkInterfaces } from "node:os";
import {
	type BindAddress,
	type ListenAddress,
	parseAdmin,
	parseBind,
	parseEndpoint,
	parseHttpUrl,
	parseListen,
	type Transport,
} from "./address.js";
import type { Endpoint } from "./config.js";
import { parseUdpEndpoint } from "./datagram-values.js";
import { attempt, type Mapping, mapping } from "./plain.js";
import type { Path, Report } from "./source.js";
import { parsedAddresses, writtenAdmin } from "./written-addresses.js";

interface Bound {
	readonly bind: ListenAddress;
	readonly path: Path;
}

/**
 * Two listeners, or a listener and the admin pages, on one address, or on one that lies in the other's. Connections and
 * datagrams have ports of their own.
 *
 * Linux would give each connection to the narrower of two sockets, if both said SO_REUSEPORT when they were bound. The
 * first socket of a listener does not, because a port that another process holds must be an error; and so one that
 * overlaps is refused by the kernel in whichever order they come.
 */
export function checkBinds(
	listeners: readonly unknown[],
	admin: unknown,
	tunnels: unknown,
	report: Report,
): void {
	const byPort = new Map<number, Bound[]>();
	for (const { bind, path } of [...adminBind(admin), ...tunnelsBind(tunnels), ...listenerBinds(listeners)]) {
		// The kernel picks a free port each time.
		if (bind.port === 0) continue;
		const earlier = byPort.get(bind.port) ?? [];
		const other = earlier.find(
			(each) => each.bind.transport === bind.transport && overlap(each.bind.host, bind.host),
		);
		byPort.set(bind.port, [...earlier, { bind, path }]);
		if (other !== undefined) report.problem(path, sharedMessage(bind, other, report));
	}
}

/**
 * An upstream that is one of the file's own listeners: each connection would come back as a new one, until none can be
 * opened. A name says nothing here, but for `localhost`; what it means is seen when a connection comes back.
 */
export function checkLoops(listeners: readonly unknown[], upstreams: Mapping, report: Report): void {
	const binds = listenerBinds(listeners);
	const machine = machineAddresses();
	for (const { endpoint, path, transport } of endpointsOf(upstreams)) {
		if (endpoint.kind === "unix") continue;
		const own = binds.find(
			({ bind }) =>
				bind.transport === transport &&
				bind.port === endpoint.port &&
				addressesOf(endpoint).some((each) => covers(bind.host, each, machine)),
		);
		if (own === undefined) continue;
		report.warning(
			path,
			`this is the gateway's own listener on line ${report.lineOf(own.path)}: its ${transport === "udp" ? "sessions" : "connections"} would come back to it for ever; write where the server itself listens`,
		);
	}
}

function adminBind(admin: unknown): Bound[] {
	const { value, path } = writtenAdmin(admin);
	const bind = attempt(value, parseAdmin);
	return bind === null || bind.kind === "unix" ? [] : [{ bind: { ...bind, transport: "tcp" }, path }];
}

function tunnelsBind(tunnels: unknown): Bound[] {
	const bind = attempt(mapping(tunnels)["listen"], parseBind);
	return bind === null ? [] : [{ bind: { ...bind, transport: "tcp" }, path: ["tunnels", "listen"] }];
}

function listenerBinds(listeners: readonly unknown[]): Bound[] {
	return listeners.flatMap((listener, index) => {
		const bind = attempt(mapping(listener)["listen"], parseListen);
		return bind === null ? [] : [{ bind, path: ["listeners", index, "listen"] }];
	});
}

function sharedMessage({ host, port }: BindAddress, { bind: other, path }: Bound, report: Report): string {
	const holder =
		path[0] === "admin" ? "the admin pages" : path[0] === "tunnels" ? "tunnels.listen" : "the listener";
	const taken = `already taken by ${holder} on line ${report.lineOf(path)}`;
	if (host === other.host) return `this address is ${taken}: give each its own`;
	const [narrow, wide] = isWildcard(host) ? [other, { host, port }] : [{ host, port }, other];
	const everything = isWildcard(narrow.host)
		? "both take every address"
		: `${bindText(wide)} takes ${bindText(narrow)} too`;
	return `this address is ${taken} (${everything}): give each a port of its own, or name one address for each`;
}

/** As it is written. */
export function bindText({ host, port }: BindAddress): string {
	return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

export function isWildcard(host: string): boolean {
	return host === "*" || host === "0.0.0.0" || host === "::";
}

/** The kernel takes one of two binds of a port only. `*` is one socket for both families. */
export function overlap(one: string, other: string): boolean {
	if (one === other || one === "*" || other === "*") return true;
	if (familyOf(one) !== familyOf(other)) return false;
	return isWildcard(one) || isWildcard(other);
}

function familyOf(host: string): 4 | 6 {
	return host.includes(":") ? 6 : 4;
}

/** What connects to `address` reaches a listener on `host`. */
function covers(host: string, address: string, machine: ReadonlySet<string>): boolean {
	if (host === address) return true;
	if (!overlap(host, address)) return false;
	// Who connects to a wildcard is connected to 127.0.0.1 or ::1.
	if (isWildcard(address)) return isWildcard(host) || host === "127.0.0.1" || host === "::1";
	return isLoopback(address) || machine.has(address);
}

export function isLoopback(address: string): boolean {
	return address.startsWith("127.") || address === "::1";
}

function machineAddresses(): ReadonlySet<string> {
	return new Set(
		Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address)),
	);
}

function addressesOf(endpoint: Exclude<Endpoint, { kind: "unix" }>): readonly string[] {
	if (endpoint.kind === "ip") return [endpoint.address];
	// RFC 6761, 6.3; ::1 as well on some machines.
	return /^(.+\.)?localhost\.?$/.test(endpoint.host) ? ["127.0.0.1"] : [];
}

function endpointsOf(upstreams: Mapping): { endpoint: Endpoint; path: Path; transport: Transport }[] {
	return Object.entries(upstreams).flatMap(([name, value]) => {
		const { addresses, http, udp } = mapping(value);
		const path = ["upstreams", name];
		const connected = [
			...parsedAddresses(value, path, parseEndpoint),
			...parsedAddresses(addresses, [...path, "addresses"], parseEndpoint),
			...parsedAddresses(http, [...path, "http"], (url) => parseHttpUrl(url).endpoint),
		];
		return [
			...connected.map((each) => ({ ...each, transport: "tcp" as const })),
			...parsedAddresses(udp, [...path, "udp"], parseUdpEndpoint).map((each) => ({
				...each,
				transport: "udp" as const,
			})),
		];
	});
}
