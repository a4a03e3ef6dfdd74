/**
 * Sets of sessions whose clients say nothing any more, and when the target lets them go. A session of datagrams has no end that its
 * client could see, so the kernel is asked: each session of a relay has a socket that is connected to the upstream, and is watched among
 * the descriptors of the relay's process.
 *
 *     first said ──► last said ─────── idle ──────► the last socket is gone
 *         └──────────── idle ─────► none may be gone before
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Helper } from "../rig/helper.js";
import { socketsOf, socketsTo } from "./kernel-tables.js";
import type { CrowdNews, CrowdOrder } from "./messages.js";
import { monotonicMs } from "./sampler.js";

export type Crowd = Helper<CrowdOrder, CrowdNews>;

/** Those who came together. */
export interface CrowdSet {
	/** Of those asked for, answered. */
	readonly size: number;
	readonly firstMs: number;
	readonly lastMs: number;
	/** Inodes of the target's sockets for them. */
	readonly sockets: ReadonlySet<string>;
}

export interface SetEnd {
	readonly gone: number;
	readonly never: number;
	/** How much later than its deadline the last one was gone; infinite: never. */
	readonly overdueMs: number;
	/** How long before its deadline one was gone; 0: none was. */
	readonly earlyMs: number;
}

/** Between two looks at the kernel's table. */
const LOOK_MS = 20;

/** Reads of the kernel's table until all sockets of a set are found, each of which may miss some. */
const READS_MAX = 20;

/** `order`: who comes, and where to. `upstreamPort`: where the target has their sockets connected to. */
export async function openSet(crowd: Crowd, order: CrowdOrder, upstreamPort: number): Promise<CrowdSet> {
	const before = new Set<string>();
	// What is missed here would be taken for the new set's.
	for (let read = 0; read < 3; read++) for (const inode of socketsTo(upstreamPort)) before.add(inode);
	crowd.order(order);
	const { came, firstMs, lastMs } = await crowd.next();
	const sockets = new Set<string>();
	for (let read = 0; read < READS_MAX && sockets.size < came; read++)
		for (const inode of socketsTo(upstreamPort)) if (!before.has(inode)) sockets.add(inode);
	return { size: came, firstMs, lastMs, sockets };
}

export interface Watch {
	/** The target's process. */
	readonly pid: number;
	readonly idleMs: number;
	/** Beyond the deadline; who is there then is there for ever. */
	readonly graceMs: number;
	/** Told with each look how many are there. */
	readonly tell: (alive: number) => void;
}

export async function watchSet(set: CrowdSet, watch: Watch): Promise<SetEnd> {
	const { pid, idleMs, graceMs, tell } = watch;
	const deadlineMs = set.lastMs + idleMs;
	let earlyMs = 0;
	for (;;) {
		const atMs = monotonicMs();
		const open = socketsOf(pid);
		const alive = [...set.sockets].filter((inode) => open.has(inode)).length;
		tell(alive);
		if (alive < set.sockets.size && earlyMs === 0)
			earlyMs = Math.max(0, set.firstMs + idleMs - monotonicMs());
		const end = { gone: set.size - alive, never: alive, earlyMs };
		if (alive === 0) return { ...end, overdueMs: monotonicMs() - deadlineMs };
		if (atMs > deadlineMs + graceMs) return { ...end, overdueMs: Number.POSITIVE_INFINITY };
		await sleep(LOOK_MS);
	}
}
