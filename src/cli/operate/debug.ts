/** `sluice debug cpu | heap`: a profile of one of the gateway's threads, in a file that Chrome's DevTools open. */
import { writeFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { AdminClient } from "./client.js";
import { OperateError, type Where } from "./operate-error.js";
import { size } from "./table.js";

const LOOK_MS = 250;
/** A snapshot of a large heap takes seconds. */
const PATIENCE_MS = 60_000;

export interface DebugOptions extends Where {
	readonly thread: string;
	readonly seconds: string;
	readonly out?: string;
}

export async function debug(profile: string, options: DebugOptions): Promise<string> {
	const { thread, seconds } = options;
	const client = new AdminClient(options);
	const query = new URLSearchParams({ profile, thread, ...(profile === "cpu" ? { seconds } : {}) });
	const { id } = await client.post<{ id: number }>("/api/debug", query);
	const giveUpAtMs = performance.now() + PATIENCE_MS + (profile === "cpu" ? Number(seconds) * 1_000 : 0);
	for (;;) {
		await wait(LOOK_MS);
		const text = await client.getText(`/api/debug/${id}`);
		if (text !== undefined) return write(text, profile, options);
		if (performance.now() > giveUpAtMs) throw new OperateError(`profile ${id} is not there after a minute`);
	}
}

function write(text: string, profile: string, { thread, out }: DebugOptions): string {
	const ending = profile === "cpu" ? "cpuprofile" : "heapsnapshot";
	const file = out ?? `sluice-${thread.replace(":", "-")}.${ending}`;
	try {
		writeFileSync(file, text);
	} catch (error) {
		throw new OperateError(`cannot write ${file}: ${(error as Error).message}`);
	}
	const tab = profile === "cpu" ? "Performance" : "Memory";
	return `${file}: ${size(text.length)}; Chrome's DevTools open it, under ${tab}\n`;
}
