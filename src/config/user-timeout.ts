/** TCP_USER_TIMEOUT where nobody says one. */

/**
 * Milliseconds; 0: the kernel's own. The kernel also gives up a living peer that takes nothing. `stall` says so better, and must come
 * first, with what it takes to notice; a longer time than the probes take (`probedMs`) would in turn make them mean nothing.
 */
export function usualUserTimeoutMs(probedMs: number, stallMs: number): number {
	return probedMs >= 1.5 * stallMs ? probedMs : 0;
}
