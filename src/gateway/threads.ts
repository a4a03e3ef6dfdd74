/**
 * The reactors' threads. Loading a reactor's files takes a good part of the start, and needs nothing that only the gateway knows: who
 * is about to start one has them loaded while it loads its own.
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { REACTORS_MAX } from "../config/bounds.js";
import type { Config } from "../config/config.js";
import { limitArenas } from "../kernel/heap.js";
import { growDescriptorTable, raiseDescriptorLimit } from "../kernel/sockets.js";
import type { ReactorOptions } from "../reactor/plan/plan.js";
import { descriptorsWanted, openDescriptors, sessionLimit } from "./descriptors.js";

/** With fewer descriptors, files of several threads at once may be too many: a thread opens about two hundred. */
export const DESCRIPTORS_MIN = 1_024;

/** Nobody has them yet. */
const prepared: Worker[] = [];
/** Descriptors that were open before they were started: while they load, their number says nothing. */
let openBefore: number | undefined;

/** How many reactors a gateway with this configuration has. */
export function reactorCount(config: Config): number {
	return config.reactors ?? Math.min(availableParallelism(), REACTORS_MAX);
}

/**
 * Starts the threads of a gateway that is about to be started with this configuration. For a process that ends when that fails: they
 * wait for ever to be taken.
 *
 * @throws StartError when the descriptor limit does not allow the sessions that are asked for
 */
export function prepareThreads(config: Config): void {
	const limit = raiseDescriptorLimit(descriptorsWanted(config));
	if (limit < DESCRIPTORS_MIN) return;
	const reactors = reactorCount(config);
	openBefore = openDescriptors();
	const { descriptors } = sessionLimit(config, limit, reactors, openBefore);
	// Both are for a process that has no other threads yet.
	growDescriptorTable(Math.min(descriptors, limit));
	limitArenas();
	for (let index = 0; index < reactors; index++) prepared.push(startThread(index));
}

/** Descriptors that are open without those of the reactors' threads, before these are taken. */
export function openWithoutThreads(): number {
	return prepared.length === 0 || openBefore === undefined ? openDescriptors() : openBefore;
}

/** A thread that runs a reactor with these options: one that was prepared, or a new one. */
export function takeThread(options: ReactorOptions): Worker {
	const worker = prepared.shift() ?? startThread(options.index);
	worker.postMessage(options);
	return worker;
}

function startThread(index: number): Worker {
	return new Worker(new URL("../reactor/worker.js", import.meta.url), {
		name: `reactor ${index}`,
		// Flags are for the program's own files: with `--input-type` among them Node refuses to load this one.
		execArgv: [],
		// The reactor allocates next to nothing; a small young generation keeps its memory what it needs.
		resourceLimits: { maxYoungGenerationSizeMb: 4 },
		trackUnmanagedFds: false,
	});
}
