/** What can go wrong between asking for a resource and giving it back. Each tells the counts of that moment. */

/** How full a pool was when it had to refuse. */
export interface PoolState {
	/** Places: `max` of the options. */
	readonly max: number;
	/** Lent out. */
	readonly leased: number;
	/** Waiting for one, this one not counted. */
	readonly waiting: number;
	/** Being made. */
	readonly creating: number;
	/** Creations that go on after `createMs`, though their signal is aborted. With `2 * max` of them, those in time included, none is begun. */
	readonly abandoned: number;
	/** How long the oldest lease has lasted, in milliseconds; `undefined` when nothing is lent. */
	readonly oldestLeaseMs: number | undefined;
	/** Where the oldest lease was asked for; `undefined` without `trace`. */
	readonly oldestLeaseStack: string | undefined;
}

/** All places are taken, and as many wait as may. Thrown at once, so that load is refused and not piled up. */
export class PoolExhausted extends Error {
	/** The class, as logs and `error.stack` show it. */
	override readonly name = "PoolExhausted";
	/** To tell it by, across copies of the package. */
	readonly code = "SLUICE_POOL_EXHAUSTED";
	/** How full the pool was. */
	readonly state: PoolState;

	constructor(state: PoolState) {
		super(
			`no place, and no room to wait: ${describe(state)}; give leases back sooner, or raise max or maxWaiting`,
		);
		this.state = state;
	}
}

/** No resource came in time. */
export class PoolTimeout extends Error {
	/** The class, as logs and `error.stack` show it. */
	override readonly name = "PoolTimeout";
	/** To tell it by, across copies of the package. */
	readonly code = "SLUICE_POOL_TIMEOUT";
	/** Which time ran out: `deadline` of acquire(), or `createMs`, that of create(). */
	readonly phase: "acquire" | "create";
	/** What was waited, in milliseconds. */
	readonly waitedMs: number;
	/** How full the pool was. */
	readonly state: PoolState;

	constructor(phase: "acquire" | "create", waitedMs: number, state: PoolState) {
		const what = phase === "acquire" ? "no resource was free" : "create() did not finish";
		super(`${what} within ${waitedMs} ms: ${describe(state)}`);
		this.phase = phase;
		this.waitedMs = waitedMs;
		this.state = state;
	}
}

/** The pool is closed, or was while this one waited. */
export class PoolClosed extends Error {
	/** The class, as logs and `error.stack` show it. */
	override readonly name = "PoolClosed";
	/** To tell it by, across copies of the package. */
	readonly code = "SLUICE_POOL_CLOSED";

	constructor() {
		super("the pool is closed and lends nothing more");
	}
}

/** A lease that is over was returned again, or its resource asked for: somebody else may have it by now. */
export class LeaseReturned extends Error {
	/** The class, as logs and `error.stack` show it. */
	override readonly name = "LeaseReturned";
	/** To tell it by, across copies of the package. */
	readonly code = "SLUICE_LEASE_RETURNED";
	/** Where it was returned first; `undefined` without `trace`. */
	readonly returnedStack: string | undefined;

	constructor(attempt: string, returnedStack: string | undefined) {
		const where = returnedStack === undefined ? "" : `; it was returned first here:\n${returnedStack}`;
		super(`${attempt} on a lease that is returned already${where}`);
		this.returnedStack = returnedStack;
	}
}

function describe({
	max,
	leased,
	waiting,
	creating,
	abandoned,
	oldestLeaseMs,
	oldestLeaseStack,
}: PoolState): string {
	const stuck =
		abandoned === 0 ? "" : `, ${abandoned} not done after createMs (create() must end with its signal)`;
	const counts = `${leased} of ${max} leased, ${creating} being made${stuck}, ${waiting} waiting`;
	if (oldestLeaseMs === undefined) return counts;
	const where = oldestLeaseStack === undefined ? "" : `, asked for here:\n${oldestLeaseStack}\n`;
	return `${counts}; the oldest lease has lasted ${Math.round(oldestLeaseMs)} ms${where}`;
}
