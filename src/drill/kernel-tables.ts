/** What the kernel's network tables say: /proc/net/tcp and udp, sockstat, netstat. */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { linesOf } from "../rig/lines.js";

/** Columns of /proc/net/tcp. */
const LOCAL = 1;
const REMOTE = 2;
const STATE = 3;
const QUEUES = 4;
const INODE = 9;

const SYN_SENT = "02";
const SYN_RECV = "03";
const LISTEN = "0A";

export interface ListenQueue {
	/** Connections that wait to be accepted, over all sockets of the port. */
	readonly depth: number;
	/** Inodes of the sockets. */
	readonly inodes: readonly string[];
}

/** The accept queue of a port, whoever owns it. Listening sockets stand first, so thousands of others are not read. */
export function listenQueue(port: number): ListenQueue {
	let depth = 0;
	const inodes: string[] = [];
	for (const file of ["/proc/net/tcp", "/proc/net/tcp6"]) {
		for (const fields of rows(file)) {
			if (fields[STATE] !== LISTEN) break;
			const inode = fields[INODE] ?? "";
			if (portOf(fields[LOCAL]) !== port || inodes.includes(inode)) continue;
			// For a listening socket the receive queue counts connections.
			depth += Number.parseInt(fields[QUEUES]?.split(":")[1] ?? "0", 16);
			inodes.push(inode);
		}
	}
	return { depth, inodes };
}

/** Connections to a port that nobody has answered yet. */
export function connecting(port: number): number {
	return countConnecting(rows("/proc/net/tcp"), port);
}

/** Connections to a port of this machine whose handshake is not over: their SYN was answered, and no more came. */
export function halfOpen(port: number): number {
	const connections = new Set<string>();
	for (const fields of rows("/proc/net/tcp"))
		if (fields[STATE] === SYN_RECV && portOf(fields[LOCAL]) === port)
			connections.add(`${fields[LOCAL]} ${fields[REMOTE]}`);
	return connections.size;
}

/**
 * A row may come twice: when the table has grown since its last row was read, the read that only wants to see its end
 * is given as many of the last rows again as were added. So connections are counted and not rows.
 */
export function countConnecting(table: Iterable<readonly string[]>, port: number): number {
	const connections = new Set<string>();
	for (const fields of table)
		if (fields[STATE] === SYN_SENT && portOf(fields[REMOTE]) === port)
			connections.add(`${fields[LOCAL]} ${fields[REMOTE]}`);
	return connections.size;
}

/**
 * Inodes of the UDP sockets that are connected to a port of 127.0.0.1: of a relay of datagrams, its sessions. The kernel finds the way
 * back into this table by counting, so a read misses sockets that are there while others are closed, whosever they are.
 */
export function socketsTo(port: number): Set<string> {
	const inodes = new Set<string>();
	for (const fields of rows("/proc/net/udp"))
		if (portOf(fields[REMOTE]) === port) inodes.add(fields[INODE] ?? "");
	return inodes;
}

/** Inodes of the sockets that a process has open; none when it has ended. */
export function socketsOf(pid: number): Set<string> {
	const inodes = new Set<string>();
	try {
		for (const fd of readdirSync(`/proc/${pid}/fd`)) {
			const inode = /^socket:\[(\d+)\]$/.exec(linkOf(pid, fd))?.[1];
			if (inode !== undefined) inodes.add(inode);
		}
	} catch {
		// It has ended.
	}
	return inodes;
}

/** Empty when it was closed since its name was read. */
function linkOf(pid: number, fd: string): string {
	try {
		return readlinkSync(`/proc/${pid}/fd/${fd}`);
	} catch {
		return "";
	}
}

/** The process that holds one of these sockets; `null` when there is none that we may see. */
export function holderOf(inodes: readonly string[]): number | null {
	const wanted = new Set(inodes.map((inode) => `socket:[${inode}]`));
	for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
		try {
			for (const fd of readdirSync(`/proc/${pid}/fd`))
				if (wanted.has(readlinkSync(`/proc/${pid}/fd/${fd}`))) return Number(pid);
		} catch {
			// It has ended, or it is not ours to look into.
		}
	}
	return null;
}

const PAGE_BYTES = 4096;

/** Memory of all TCP sockets of this machine, as far as the kernel charges it. */
export function tcpMemoryBytes(): number {
	const found = /^TCP: .* mem (\d+)/m.exec(readFileSync("/proc/net/sockstat", "utf8"));
	return Number(found?.[1] ?? 0) * PAGE_BYTES;
}

/** A counter of TcpExt, such as ListenOverflows; 0 when this kernel has none. */
export function tcpCounter(name: string): number {
	const [names, values] = readFileSync("/proc/net/netstat", "utf8")
		.split("\n")
		.filter((line) => line.startsWith("TcpExt:"))
		.map((line) => line.split(" "));
	const index = names?.indexOf(name) ?? -1;
	return index < 0 ? 0 : Number(values?.[index] ?? 0);
}

/** A number of /proc/sys, or `null`. */
export function setting(path: string): number | null {
	try {
		return Number(readFileSync(`/proc/sys/${path}`, "utf8").trim().split(/\s+/)[0]);
	} catch {
		return null;
	}
}

/** First and last ephemeral port. */
export function ephemeralPorts(): { first: number; last: number } {
	const [first = 32_768, last = 60_999] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8")
		.trim()
		.split(/\s+/)
		.map(Number);
	return { first, last };
}

/** The fields of each row, read piece by piece, so that whoever stops early does not pay for the rest. */
function* rows(file: string): Generator<string[]> {
	let fd: number;
	try {
		fd = openSync(file, "r");
	} catch {
		return; // no IPv6 here
	}
	try {
		let isHead = true;
		for (const line of linesOf(fd)) {
			if (!isHead) yield line.trim().split(/\s+/);
			isHead = false;
		}
	} finally {
		closeSync(fd);
	}
}

function portOf(address: string | undefined): number {
	return Number.parseInt(address?.split(":")[1] ?? "", 16);
}
