/** Memory that the kernel gives to the buffers of all sockets together, and of one. */
import { DATAGRAMS_RECEIVE_BYTES } from "../../kernel/datagram-sockets.js";
import { type Asked, datagrams } from "../asked.js";
import { type Facts, numberOf, numbersOf, PAGE_BYTES } from "../facts.js";
import { bytes, count, type Finding, finding, type Mend, sysctl, unknown } from "../finding.js";
import { sessionMemoryLimit } from "./memory.js";

export function checkSocketMemory(asked: Asked): Finding[] {
	return [
		ofTcp(asked),
		...ofUdp(asked),
		...ofDatagramBuffers(asked),
		...ofStreamBuffers(asked),
		...ofWindows(asked),
	];
}

const TCP = "net.ipv4.tcp_mem";

/** What the buffers of all TCP sockets may hold before the kernel refuses; `null`: not known. */
export function tcpMemoryMax(facts: Facts): number | null {
	const most = numbersOf(facts, TCP)[2];
	return most === undefined ? null : most * PAGE_BYTES;
}

function ofTcp(asked: Asked): Finding {
	const { facts } = asked;
	const why =
		"it bounds the buffers of all TCP sockets of the machine; above the second figure the kernel shrinks windows, at the third it drops what comes. An idle connection counts for nothing here";
	const [, pressure, most] = numbersOf(facts, TCP);
	if (pressure === undefined || most === undefined) return unknown(facts, "memory.tcp", TCP, why);
	const used = facts.tcpBytes === null ? "" : `, of which ${bytes(facts.tcpBytes)} are in use`;
	const found = `${TCP} is ${bytes(pressure * PAGE_BYTES)} until pressure and ${bytes(most * PAGE_BYTES)} at most${used}`;
	const limit = sessionMemoryLimit(asked);
	if ((facts.tcpBytes ?? 0) > pressure * PAGE_BYTES)
		return finding("memory.tcp", "advice", `${found}: it is under pressure now`, why, tripled(TCP, 2 * most));
	if (limit > most * PAGE_BYTES)
		return finding(
			"memory.tcp",
			// By default it is so everywhere: a tenth of the machine for the kernel, a quarter for us.
			asked.config.limits.memoryBytes === null ? "note" : "advice",
			`${found}; that is less than sessions may hold (${bytes(limit)})`,
			`${why}. So the kernel drops segments of everybody before the gateway closes those that have earned least`,
			tripled(TCP, Math.ceil((1.25 * limit) / PAGE_BYTES)),
		);
	return finding("memory.tcp", "fine", found, why);
}

/** The three figures, in the kernel's own proportions of 1/2, 2/3 and 1. */
function tripled(name: string, most: number): Mend {
	return sysctl(name, `${Math.floor(most / 2)} ${Math.floor((most * 2) / 3)} ${most}`);
}

const UDP = "net.ipv4.udp_mem";

function ofUdp(asked: Asked): Finding[] {
	const { facts, config, reactors } = asked;
	const listeners = datagrams(config).length;
	if (listeners === 0) return [];
	const why =
		"it bounds the buffers of all UDP sockets; beyond it the kernel drops datagrams, and UdpMemErrors of nstat counts them";
	const most = numbersOf(facts, UDP)[2];
	if (most === undefined) return [unknown(facts, "memory.udp", UDP, why)];
	// The kernel reckons twice what is asked for, for what it needs itself.
	const wanted = 2 * listeners * reactors * receiveBytes(asked);
	const used = facts.udpBytes === null ? "" : `, of which ${bytes(facts.udpBytes)} are in use`;
	const found = `${UDP} is ${bytes(most * PAGE_BYTES)} at most${used}; the listeners' receive buffers may hold ${bytes(wanted)}`;
	if (wanted <= most * PAGE_BYTES) return [finding("memory.udp", "fine", found, why)];
	return [finding("memory.udp", "advice", found, why, tripled(UDP, Math.ceil((1.5 * wanted) / PAGE_BYTES)))];
}

function receiveBytes({ config }: Asked): number {
	return config.sockets.receiveBytes ?? DATAGRAMS_RECEIVE_BYTES;
}

const RMEM_MAX = "net.core.rmem_max";
const WMEM_MAX = "net.core.wmem_max";

function ofDatagramBuffers(asked: Asked): Finding[] {
	const { facts, config } = asked;
	if (datagrams(config).length === 0) return [];
	const why =
		"what comes while the process is busy elsewhere waits in the receive buffer of its listener, or is lost";
	const wanted = receiveBytes(asked);
	const most = numberOf(facts, RMEM_MAX);
	const findings: Finding[] = [];
	if (most === undefined) findings.push(unknown(facts, "buffers.datagrams", RMEM_MAX, why));
	else if (wanted <= most)
		findings.push(
			finding(
				"buffers.datagrams",
				"fine",
				`${RMEM_MAX} is ${bytes(most)}, and listeners on UDP ask for ${bytes(wanted)}`,
				why,
			),
		);
	else
		findings.push(
			finding(
				"buffers.datagrams",
				facts.isNetworkAdmin ? "note" : "advice",
				`${RMEM_MAX} is ${bytes(most)}, and listeners on UDP ask for ${bytes(wanted)}${facts.isNetworkAdmin ? ", which they get with CAP_NET_ADMIN all the same" : ""}`,
				`${why}. A service that runs as another user has no CAP_NET_ADMIN`,
				sysctl(RMEM_MAX, wanted),
			),
		);
	const usual = [numberOf(facts, "net.core.rmem_default"), numberOf(facts, "net.core.wmem_default")];
	if (usual.every((value) => value !== undefined))
		findings.push(
			finding(
				"buffers.defaults",
				"note",
				`net.core.rmem_default is ${bytes(usual[0] ?? 0)}, net.core.wmem_default ${bytes(usual[1] ?? 0)}`,
				"buffers of sockets of UDP towards upstreams; 1 MiB where downloads over QUIC are fast",
				sysctl("net.core.rmem_default", 1_048_576),
			),
		);
	return findings;
}

/** Fixed sizes of the configuration, which the kernel cuts in silence. */
function ofStreamBuffers({ facts, config }: Asked): Finding[] {
	const { sendBytes, receiveBytes } = config.sockets;
	const sizes = [
		["buffers.receive", RMEM_MAX, "sockets.receive_buffer", receiveBytes],
		["buffers.send", WMEM_MAX, "sockets.send_buffer", sendBytes],
	] as const;
	return sizes.flatMap(([id, name, key, wanted]) => {
		const most = numberOf(facts, name);
		if (wanted === null || most === undefined || wanted <= most) return [];
		return [
			finding(
				id,
				"advice",
				`${key} is ${bytes(wanted)}, and ${name} ${bytes(most)}`,
				"the kernel cuts a larger size without a word, and a fixed size is not tuned any more",
				sysctl(name, wanted),
			),
		];
	});
}

/** What one connection may have under way: its rate over a long way is bounded by the largest window. */
function ofWindows({ facts, config }: Asked): Finding[] {
	const windows = [
		["buffers.tcp-rmem", "net.ipv4.tcp_rmem", config.sockets.receiveBytes],
		["buffers.tcp-wmem", "net.ipv4.tcp_wmem", config.sockets.sendBytes],
	] as const;
	return windows.flatMap(([id, name, fixed]) => {
		const why =
			"a connection has no more bytes under way than its buffer holds, so over 100 ms it is no faster than ten such buffers a second";
		if (fixed !== null)
			return [
				finding(id, "note", `${name} is not asked: the configuration fixes the size to ${bytes(fixed)}`, why),
			];
		const [low, usual, most] = numbersOf(facts, name);
		if (low === undefined || usual === undefined || most === undefined)
			return [unknown(facts, id, name, why)];
		const mbits = Math.round((most * 8) / 0.1 / 1e6);
		const found = `${name} begins at ${bytes(usual)} and grows to ${bytes(most)}: over 100 ms at most ${count(mbits)} Mbit/s`;
		if (most >= WINDOW_MIN) return [finding(id, "fine", found, why)];
		return [finding(id, "advice", found, why, sysctl(name, `${low} ${usual} ${4 * 1_048_576}`))];
	});
}

/** 84 Mbit/s over 100 ms. */
const WINDOW_MIN = 1_048_576;
