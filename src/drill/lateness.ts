/** Failures of the good client that only say that it was late: a machine that stands still makes them as well. */
export const LATENESS = {
	connecting: "connect timed out",
	shaking: "no handshake in time",
	asked: "no answer in time",
} as const;

const ALL: ReadonlySet<string> = new Set(Object.values(LATENESS));

/** Of failures by cause. */
export function countLate(failures: Readonly<Record<string, number>>): number {
	return Object.entries(failures).reduce((sum, [cause, count]) => sum + (ALL.has(cause) ? count : 0), 0);
}
