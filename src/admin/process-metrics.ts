/** What `/metrics` shows of the process and its threads. */

import { readdirSync } from "node:fs";
import { getHeapStatistics } from "node:v8";
import type { MetricsPage } from "./families/families.js";
import type { AdminView } from "./view.js";

/** Families with a figure of each thread, in the order of the figures. */
const OF_THREADS = [
	"sluice_thread_heap_bytes",
	"sluice_thread_external_bytes",
	"sluice_thread_collector_seconds_total",
] as const;

export function threads(page: MetricsPage, view: AdminView): void {
	// Not `process.memoryUsage`, which needs a descriptor.
	const { used_heap_size: heapUsed, external_memory: external } = getHeapStatistics();
	const measured = view.mainThread();
	const main: readonly (number | undefined)[] = [heapUsed, external, measured?.collectedSeconds];
	const figures = new Map([["main", main]]);
	for (const [index, counters] of view.counters().entries())
		figures.set(`reactor:${index}`, [
			...[counters.get("heapBytes"), counters.get("externalBytes"), counters.get("collectedMs") / 1_000],
		]);
	for (const [index, name] of OF_THREADS.entries()) {
		page.family(name);
		for (const [thread, values] of figures) {
			const value = values[index];
			if (value !== undefined) page.sample(name, { thread }, value);
		}
	}
	if (measured === undefined) return;
	page.single("sluice_main_delay_longest_seconds", measured.longestDelaySeconds);
}

export function processFigures(page: MetricsPage, view: AdminView): void {
	page.family("sluice_build_info");
	page.sample("sluice_build_info", { version: view.version(), node: process.version }, 1);
	// One descriptor is the directory that is being read.
	page.fragile("process_open_fds", () => readdirSync("/proc/self/fd").length - 1);
	page.single("process_max_fds", view.descriptorsMax());
	const usage = process.cpuUsage();
	page.single("process_cpu_seconds_total", (usage.user + usage.system) / 1e6);
	page.fragile("process_resident_memory_bytes", () => process.memoryUsage.rss());
	const startedSeconds = Date.now() / 1000 - process.uptime();
	page.single("process_start_time_seconds", startedSeconds);
}
