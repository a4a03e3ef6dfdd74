/** What was measured of this machine for the plan: as plain data, so that tests can make it up. */

export interface Measured {
	/** Kernel memory of one established TCP socket, idle; `null`: it could not be measured, and `unmeasured` says why. */
	readonly socketBytes: number | null;
	/** Sockets by which that was measured. */
	readonly sockets: number;
	/** The same of a connected UDP socket; `null`: it could not be measured. */
	readonly datagramSocketBytes: number | null;
	/**
	 * Connections over loopback that one core dials, accepts and closes in a second: both ends of one are what a session is at the least,
	 * whose client is accepted and whose upstream is dialled. No byte is moved.
	 */
	readonly acceptsPerSecond: number | null;
	/** Full TLS handshakes of one core in a second: the server's half alone. */
	readonly handshakesPerSecond: number | null;
	/** The key that these were signed with: `ECDSA prime256v1`, `RSA 2048`. */
	readonly key: string;
	/** Why what is `null` could not be measured. */
	readonly unmeasured: string | null;
}

/** The middle one, or `null` of none. */
export function median(values: readonly number[]): number | null {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.floor(sorted.length / 2)] ?? null;
}
