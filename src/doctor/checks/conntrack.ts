/** The firewall's table of connections: whether there is one, whether it has room, and whether it forgets before we do. */
import { formatDuration } from "../../config/units.js";
import { type Asked, datagrams } from "../asked.js";
import { type Facts, numberOf } from "../facts.js";
import { bytes, count, type Finding, finding, roundUp, sysctl, unknown } from "../finding.js";

const MAX = "net.netfilter.nf_conntrack_max";
const COUNT = "net.netfilter.nf_conntrack_count";
const ESTABLISHED = "net.netfilter.nf_conntrack_tcp_timeout_established";
const UDP = "net.netfilter.nf_conntrack_udp_timeout_stream";

/** A session's two connections, each an entry; over loopback it is as many. */
export const ENTRIES = 2;
/** Of the kernel's slab, x86-64. */
const ENTRY_BYTES = 320;
/** What an entry of a busy table leaves to others. */
const FULL = 0.8;

export function checkConntrack(asked: Asked): Finding[] {
	const { facts, connections } = asked;
	const why =
		"where a firewall tracks connections, each session has two entries; when the table is full, new connections are dropped without a word to either side";
	const most = numberOf(facts, MAX);
	if (most === undefined && facts.unread[MAX] === undefined)
		return [
			finding("conntrack.table", "fine", "connections are not tracked: nf_conntrack is not loaded", why),
		];
	const used = numberOf(facts, COUNT);
	if (most === undefined || used === undefined)
		return [unknown(facts, "conntrack.table", most === undefined ? MAX : COUNT, why)];
	const found = `nf_conntrack is loaded: ${count(used)} of ${count(most)} entries are in use`;
	const needed = used + ENTRIES * (connections ?? 0);
	const wanted = roundUp(Math.max(2 * most, 1.25 * needed));
	const mend = sysctl(MAX, wanted);
	if (!isTracking(facts)) {
		const idle = `${found}: nothing is tracked in this network namespace now`;
		if (needed <= most) return [finding("conntrack.table", "note", idle, why)];
		const later = `${idle}. Should a firewall begin to, ${count(needed)} entries are needed`;
		return [finding("conntrack.table", "advice", later, why, mend)];
	}
	const findings: Finding[] = [];
	if (needed > most)
		findings.push(
			finding(
				"conntrack.table",
				"fails",
				`${found}, and ${count(connections ?? 0)} sessions need ${count(ENTRIES * (connections ?? 0))} more`,
				`${why}. ${count(wanted)} entries take ${bytes(wanted * ENTRY_BYTES)} when they are used; or leave the gateway's ports untracked (notrack)`,
				mend,
			),
		);
	else if (needed > FULL * most) findings.push(finding("conntrack.table", "advice", found, why, mend));
	else findings.push(finding("conntrack.table", "fine", found, why));
	return [...findings, ...ofEstablished(asked), ...ofUdp(asked)];
}

/** Rules ask for it: without one the table of a namespace stays empty. */
export function isTracking(facts: Facts): boolean {
	return (numberOf(facts, COUNT) ?? 0) > 0;
}

/** Keepalive's probes renew an entry, so only a time below theirs is too short. */
function ofEstablished({ facts, config }: Asked): Finding[] {
	const seconds = numberOf(facts, ESTABLISHED);
	const { idleSeconds } = config.keepalive;
	if (seconds === undefined || seconds > idleSeconds) return [];
	return [
		finding(
			"conntrack.established",
			"advice",
			`${ESTABLISHED} is ${seconds} s, and the first keepalive probe goes after ${idleSeconds} s`,
			"an entry that is forgotten while its connection is silent cuts it: what comes later is dropped",
			sysctl(ESTABLISHED, 432_000),
		),
	];
}

function ofUdp({ facts, config }: Asked): Finding[] {
	const seconds = numberOf(facts, UDP);
	const idles = datagrams(config).map(({ deadlines }) =>
		Math.max(deadlines.timeouts.idleMs, deadlines.quicIdleMs ?? 0),
	);
	const idleMs = Math.max(0, ...idles);
	if (seconds === undefined || seconds * 1_000 >= idleMs) return [];
	return [
		finding(
			"conntrack.udp",
			"advice",
			`${UDP} is ${seconds} s, and sessions of datagrams stay for up to ${formatDuration(idleMs)} of silence`,
			"a rule that lets in only what is established drops the upstream's late answer",
			sysctl(UDP, Math.ceil(idleMs / 1_000)),
		),
	];
}
