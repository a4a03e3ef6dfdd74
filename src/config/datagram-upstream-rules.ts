/** Rules of upstreams that take datagrams: what goes together with `udp`, and what needs it. */
import { checkDatagramTimeouts } from "./datagram-rules.js";
import { parseServerId } from "./datagram-values.js";
import { attempt, type Mapping, mapping } from "./plain.js";
import type { Path, Report } from "./source.js";
import { isOff, isOn } from "./switches.js";
import { writtenEntries } from "./written-addresses.js";

export function checkDatagramUpstream(value: unknown, path: Path, report: Report): void {
	const upstream = mapping(value);
	const { udp, responses, health, timeouts } = upstream;
	if (udp === undefined) {
		const holds = (key: string, own: Path): void =>
			report.problem(own, `"${key}" holds for "udp" only: remove it, or write udp: [host:port]`, "key");
		if (responses !== undefined) holds("responses", [...path, "responses"]);
		if (mapping(health)["send"] !== undefined) holds("send", [...path, "health", "send"]);
		return;
	}
	checkInstead(upstream, path, report);
	checkHeader(upstream, path, report);
	checkProbe(health, [...path, "health"], report);
	checkServerIds(udp, [...path, "udp"], report);
	checkDatagramTimeouts(timeouts, [...path, "timeouts"], report);
}

const AS_THEY_COME = "datagrams are relayed as they come";

/** What upstreams of connections, and those of requests, have instead. */
const OF_OTHERS: Readonly<Record<string, string>> = {
	proxy_tlvs:
		'"proxy_tlvs" is of connections: before a datagram the header says who the client is, and nothing besides; remove it',
	addresses: '"udp" stands instead of "addresses": give datagrams an upstream of their own',
	http: '"udp" stands instead of "http": give datagrams an upstream of their own',
	tls: '"tls" is of connections: QUIC and DTLS pass as they are, and are encrypted already; remove it',
	host: `"host" holds for "http" only: ${AS_THEY_COME}; remove it`,
	trailers: `"trailers" holds for "http" only: ${AS_THEY_COME}; remove it`,
	pool: '"pool" holds for "http" only: each session of datagrams has a socket of its own; remove it',
};

function checkInstead(upstream: Mapping, path: Path, report: Report): void {
	for (const [key, message] of Object.entries(OF_OTHERS))
		if (upstream[key] !== undefined && !isOff(upstream[key])) report.problem([...path, key], message, "key");
}

function checkHeader({ proxy_protocol: version }: Mapping, path: Path, report: Report): void {
	if (version !== "v1") return;
	report.problem(
		[...path, "proxy_protocol"],
		"a header of version 1 is a line of text that says TCP, and has no meaning before a datagram: write v2, which goes on the first one of a session",
	);
}

/** A connection that is accepted says something; a datagram that is sent says nothing. */
function checkProbe(health: unknown, path: Path, report: Report): void {
	if (health === undefined || isOff(health)) return;
	const section = mapping(health);
	for (const key of ["path", "status", "host"])
		if (section[key] !== undefined)
			report.problem(
				[...path, key],
				`"${key}" is of HTTP checks, and this upstream takes datagrams: say by "send" what it answers, and remove "${key}"`,
				"key",
			);
	if (section["send"] !== undefined) return;
	if (!isOn(health) && section !== health) return; // has the wrong shape
	report.problem(
		path,
		'whether a datagram has come is told by an answer alone: say what the upstream answers, such as health: { send: "ping" }, or remove it (that it refuses datagrams by ICMP counts in any case)',
		"key",
	);
}

/** One that says nothing could not be told from the others by what the connection IDs of these say. */
function checkServerIds(udp: unknown, path: Path, report: Report): void {
	const seen = new Map<string, Path>();
	let first: { readonly bytes: number; readonly path: Path } | null = null;
	const without: Path[] = [];
	for (const entry of writtenEntries(udp, path)) {
		const written = mapping(entry.value)["server_id"];
		if (written === undefined) {
			without.push(entry.path);
			continue;
		}
		const id = attempt(written, parseServerId);
		if (id === null) continue;
		const own = [...entry.path, "server_id"];
		first ??= { bytes: id.length, path: own };
		if (id.length !== first.bytes)
			report.problem(
				own,
				`all server IDs of an upstream have the same length, and the one on line ${report.lineOf(first.path)} has ${first.bytes} ${first.bytes === 1 ? "byte" : "bytes"}: write as many here`,
			);
		const name = Buffer.from(id).toString("hex");
		const other = seen.get(name);
		if (other === undefined) seen.set(name, own);
		else
			report.problem(
				own,
				`the address on line ${report.lineOf(other)} has this server ID already: give each its own`,
			);
	}
	if (first === null) return;
	for (const each of without)
		report.problem(
			each,
			'other addresses of this upstream have a "server_id", and this one has none: add it, { address: …, server_id: "…" }, or remove theirs',
		);
}
