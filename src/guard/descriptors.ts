/** How many descriptors this process may have. */
import { readFileSync } from "node:fs";

/** The soft limit, which is what holds; Infinity where it cannot be known. */
export function descriptorLimit(): number {
	try {
		const soft = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1];
		return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
	} catch {
		return Number.POSITIVE_INFINITY;
	}
}
