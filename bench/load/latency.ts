/**
 * Paced requests to several ports in turn, one in flight at a time: about 3,000 a second, far from
 * what any system here can do, so what is measured is the way and not the queue.
 *
 *     direct ····|haproxy ····|sluice ····|nginx ····|haproxy ····|sluice ····| …
 *                 one block: SKIPPED + BLOCK requests, then the next port, order rotating
 *
 * Blocks of a tenth of a second put all ports into the same weather without making each of them
 * run on caches that five others have just emptied.
 */
import type { LinuxKernel } from "../../src/kernel/linux.js";
import { spread } from "../../src/rig/percentile.js";
import { Places } from "../../src/rig/places.js";
import { openConnections } from "./connections.js";
import { learnLength, runOneRequest } from "./requests.js";
import { RESPONSE_BYTES } from "./wire.js";

const BLOCK = 250;
/** Not counted at the start of each block: otherwise p99 would be the one request that finds everything cold. */
const SKIPPED = 10;
/** After every BURST requests, one after the other, a pause of epoll's finest unit. */
const BURST = 4;
const PAUSE_MS = 1;

export interface LatencyLoad {
	readonly ports: readonly number[];
	/** Connections per port, used in turn. */
	readonly connections: number;
	/** Requests per port, rounded up to whole blocks. */
	readonly requests: number;
	/** Responses have another length than the backend's: a proxy has rewritten them. */
	readonly learns?: boolean;
}

export interface Latency {
	readonly p50Us: number;
	readonly p99Us: number;
	readonly maxUs: number;
}

/** One result per port, in their order. */
export function runLatency(kernel: LinuxKernel, load: LatencyLoad): Latency[] {
	const blocks = Math.ceil(load.requests / BLOCK);
	const places = new Places(kernel, load.ports.length * load.connections);
	const ways: Way[] = [];
	try {
		for (const port of load.ports) {
			const first = ways.length * load.connections;
			openConnections(kernel, places, port, first, first + load.connections);
			const fds = Array.from({ length: load.connections }, (_, i) => places.fd(first + i));
			const answerBytes = load.learns === true ? learnLength(kernel, places.fd(first)) : RESPONSE_BYTES;
			ways.push({ fds, answerBytes, samplesUs: new Float64Array(blocks * BLOCK), count: 0 });
		}
		for (let block = 0; block < blocks; block++)
			for (let i = 0; i < ways.length; i++) runBlock(kernel, ways[(i + block) % ways.length] as Way);
	} finally {
		places.closeAll();
	}
	return ways.map(({ samplesUs, count }) => summarize(samplesUs.subarray(0, count)));
}

/** The same pace, over connections to one port, for so long. */
export function runLatencyFor(kernel: LinuxKernel, port: number, connections: number, ms: number): Latency {
	const places = new Places(kernel, connections);
	const samplesUs: number[] = [];
	try {
		openConnections(kernel, places, port);
		const endMs = performance.now() + ms;
		for (let i = -SKIPPED; performance.now() < endMs; i++) {
			const took = runOneRequest(kernel, places.fd((i + SKIPPED) % connections), RESPONSE_BYTES);
			if (i >= 0) samplesUs.push(took * 1000);
			if (i % BURST === 0) kernel.readiness.wait(PAUSE_MS);
		}
	} finally {
		places.closeAll();
	}
	return summarize(samplesUs);
}

interface Way {
	readonly fds: readonly number[];
	readonly answerBytes: number;
	readonly samplesUs: Float64Array;
	count: number;
}

function runBlock(kernel: LinuxKernel, way: Way): void {
	for (let i = -SKIPPED; i < BLOCK; i++) {
		const fd = way.fds[(i + SKIPPED) % way.fds.length] as number;
		const ms = runOneRequest(kernel, fd, way.answerBytes);
		if (i >= 0) way.samplesUs[way.count++] = ms * 1000;
		if (i % BURST === 0) kernel.readiness.wait(PAUSE_MS);
	}
}

export function summarize(samplesUs: ArrayLike<number>): Latency {
	const figures = spread(samplesUs);
	if (figures === null) throw new RangeError("no request was counted");
	return { p50Us: figures.p50, p99Us: figures.p99, maxUs: figures.max };
}
