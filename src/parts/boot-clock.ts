/** Milliseconds that go on while the machine sleeps. Node's own clock and timers stand still then. */
import { uptime } from "node:os";

/** The uptime has whole seconds on some systems, and follows small corrections of the wall clock on some: less is no sleep. */
const SLEEP_MIN_MS = 2_000;

/** The uptime is read from a file, 5 µs each time, where the monotonic clock takes a twentieth of that; and a gateway asks for each line. */
const LOOK_EVERY_MS = 10;

/** From any origin; never goes back. */
export type Clock = () => number;

/**
 * Node's monotonic clock, and what the system's uptime is ahead of it: the time that the machine has slept (Linux: the uptime is
 * CLOCK_BOOTTIME's; macOS: counted by the wall clock; Windows: GetTickCount64).
 */
export function bootClock(monotonic: Clock = () => performance.now(), sinceBoot: Clock = uptimeMs): Clock {
	const apart = sinceBoot() - monotonic();
	let sleptMs = 0;
	let lookedAt = Number.NEGATIVE_INFINITY;
	return () => {
		const now = monotonic();
		if (now - lookedAt < LOOK_EVERY_MS) return now + sleptMs;
		lookedAt = now;
		const ahead = sinceBoot() - now - apart;
		if (ahead - sleptMs > SLEEP_MIN_MS) sleptMs = ahead;
		return now + sleptMs;
	};
}

function uptimeMs(): number {
	return uptime() * 1_000;
}
