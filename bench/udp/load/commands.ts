/** What the bench asks of its generator of datagrams: see ../../load/asking.ts. */

/** How flows send. */
export interface Manner {
	/** Datagrams of a flow that may be under way at once. */
	readonly window: number;
	/** Of a datagram. */
	readonly bytes: number;
	/** What a flow sends at once is one message, which the kernel cuts (UDP_SEGMENT). */
	readonly batches: boolean;
}

/** By name: what is sent, and what comes back. */
export interface Commands {
	/** Opens sockets and holds them, each a flow. `joined`: they take several datagrams that came together as one message (UDP_GRO). */
	open: { ask: { port: number; flows: number; joined: boolean }; answer: { wallMs: number } };
	/** Datagrams over the held sockets until `count` have come back, in a closed loop. `lost`: so many did not. */
	exchange: { ask: { count: number } & Manner; answer: { wallMs: number; lost: number } };
	/** Closes the held sockets. */
	close: { ask: Record<never, never>; answer: { wallMs: number } };
	/** Makes Initials that ask for one of the names each, for the next `sessions`. */
	makeInitials: { ask: { count: number; hellosBase64: readonly string[] }; answer: { wallMs: number } };
	/**
	 * Sessions with a socket each: one datagram, and its answer. `bytes`: of any such; `null`: the Initials that were made, each answered
	 * from its name's port.
	 */
	sessions: {
		ask: { port: number; count: number; concurrency: number; bytes: number | null };
		answer: { wallMs: number; lost: number };
	};
}
