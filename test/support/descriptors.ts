/** A process's descriptors, as the kernel lists them. */
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

/** What each of them is: `socket:[81223]`, `anon_inode:[eventpoll]`, sorted. */
export function descriptorsOf(pid: number): string[] {
	const directory = `/proc/${pid}/fd`;
	const links: string[] = [];
	for (const name of readdirSync(directory)) {
		try {
			links.push(readlinkSync(join(directory, name)));
		} catch {
			// Closed between the two calls.
		}
	}
	return links.sort();
}

/**
 * Has Node open what it opens once and keeps: with the first stream of a thread, `/dev/null` as a spare. Who compares
 * this process's descriptors and uses its sockets begins with it. Whether there is a stream by then already depends on
 * what standard output is.
 */
export async function openSpare(): Promise<void> {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	server.close();
	await once(server, "close");
}

/** Empty when `now` is `before` plus exactly so many ends of new pipes, and so many new sockets. */
export function difference(
	before: readonly string[],
	now: readonly string[],
	pipeEnds: number,
	sockets = 0,
): string {
	const extra = [...now];
	const missing: string[] = [];
	for (const link of before) {
		const index = extra.indexOf(link);
		if (index >= 0) extra.splice(index, 1);
		else missing.push(link);
	}
	const pipes = extra.filter((link) => link.startsWith("pipe:")).length;
	const others = extra.filter((link) => link.startsWith("socket:")).length;
	const isExact = pipes === pipeEnds && others === sockets && extra.length === pipeEnds + sockets;
	if (missing.length === 0 && isExact) return "";
	return `missing ${missing.join(" ") || "none"}, new ${extra.join(" ") || "none"}, of which ${pipeEnds} may be ends of pipes, and ${sockets} idle connections of pools`;
}
