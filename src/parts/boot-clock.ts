/**
 * A clock that goes on while the machine sleeps, and that nobody sets: what deadlines of peers that may be asleep are measured by.
 * `performance.now()` and timers stand still then. Node offers `os.uptime()` for it: CLOCK_BOOTTIME on Linux (by /proc/uptime, in steps of
 * 10 ms), and what stands for it on macOS and Windows.
 */
import { uptime } from "node:os";

export function bootMs(): number {
	return uptime() * 1_000;
}
