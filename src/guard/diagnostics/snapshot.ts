/** What the process holds now, for logs, metrics and endpoints of one's own. */
import { type DescriptorKind, kindOf, readDescriptors } from "./descriptors.js";

/** What is open, and what memory it takes. */
export interface Snapshot {
	/** What keeps the event loop alive, by Node's names: `TCPServerWrap`, `Timeout`, `FSReqCallback`. */
	readonly resources: Readonly<Record<string, number>>;
	/** Open objects by class: `Socket`, `Server`, `ChildProcess`. `undefined` where this Node cannot tell. */
	readonly handles: Readonly<Record<string, number>> | undefined;
	/** Descriptors by kind, and all of them; `undefined` where there is no /proc. */
	readonly descriptors:
		| (Readonly<Partial<Record<DescriptorKind, number>>> & {
				/** Of every kind together. */
				readonly all: number;
		  })
		| undefined;
	/** Memory, in bytes. */
	readonly memory: MemoryBytes;
	/** Memory divided by the number of connections; `undefined` when none was given. */
	readonly perConnection: MemoryBytes | undefined;
}

/** Memory in bytes, as `process.memoryUsage()` tells it. */
export interface MemoryBytes {
	/** JavaScript objects in use. */
	readonly heapUsed: number;
	/** What V8 has reserved for them. */
	readonly heapTotal: number;
	/** Memory outside of the heap that belongs to JavaScript objects, array buffers included. */
	readonly external: number;
	/** Of that, buffers. */
	readonly arrayBuffers: number;
	/** All of the process that is in memory. */
	readonly rss: number;
}

/** What a snapshot is told. */
export interface SnapshotOptions {
	/** How many connections there are: memory is divided by it. Default: it is not. */
	readonly connections?: number;
}

/**
 * What is open now, and what memory is in use. It costs one system call a descriptor: for every few seconds, not for each request.
 *
 *     const { descriptors, perConnection } = snapshot({ connections: server.connections });
 *     log.info({ sockets: descriptors?.socket, bytesEach: perConnection?.rss });
 */
export function snapshot(options: SnapshotOptions = {}): Snapshot {
	const { heapUsed, heapTotal, external, arrayBuffers, rss } = process.memoryUsage();
	const memory = { heapUsed, heapTotal, external, arrayBuffers, rss };
	const targets = readDescriptors();
	const { connections = 0 } = options;
	const each = (bytes: number): number => Math.round(bytes / connections);
	return {
		resources: countBy(process.getActiveResourcesInfo(), (kind) => kind),
		handles: openHandles(),
		descriptors: targets && { ...countBy(targets.values(), kindOf), all: targets.size },
		memory,
		perConnection:
			connections > 0
				? {
						heapUsed: each(heapUsed),
						heapTotal: each(heapTotal),
						external: each(external),
						arrayBuffers: each(arrayBuffers),
						rss: each(rss),
					}
				: undefined,
	};
}

/** By an interface of Node's that is not documented, and may be gone in the next one. */
function openHandles(): Record<string, number> | undefined {
	if (!("_getActiveHandles" in process) || typeof process._getActiveHandles !== "function") return undefined;
	const handles: unknown = process._getActiveHandles();
	return Array.isArray(handles) ? countBy(handles, nameOf) : undefined;
}

function nameOf(value: unknown): string {
	return typeof value === "object" && value !== null ? value.constructor.name : typeof value;
}

function countBy<V, K extends string>(
	values: Iterable<V>,
	keyOf: (value: V) => K,
): Partial<Record<K, number>> & Record<string, number> {
	const counts: Record<string, number> = {};
	for (const value of values) {
		const key = keyOf(value);
		counts[key] = (counts[key] ?? 0) + 1;
	}
	return counts as Partial<Record<K, number>> & Record<string, number>;
}
