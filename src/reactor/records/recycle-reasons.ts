/** Why a pooled upstream connection was not lent again. */
export const RECYCLE_REASONS = [
	/** It was as old as one may be, or had served as many requests. */
	"age",
	"requests",
	/** It was idle for too long, or more than enough were. */
	"idle",
	/** The upstream ended it while it was idle. */
	"upstream_closed",
	/** The upstream had ended it, and that showed when it was used. */
	"stale",
	/** The upstream said that its answer was the last. */
	"upstream_said",
	/** An exchange ended in the middle. */
	"cut",
	/** It serves a WebSocket from now on. */
	"upgraded",
	/** Its place was needed for a connection to another address. */
	"made_room",
	/** A reload took its upstream or address away. */
	"not_wanted",
	/** The gateway ends. */
	"stopped",
	/** It was authenticated for one client, which ended, or has others of these. */
	"owned",
	/** A line of a tunnel, which a visitor has taken. */
	"visitor",
] as const;
export const RECYCLED_AGE = 0;
export const RECYCLED_REQUESTS = 1;
export const RECYCLED_IDLE = 2;
export const RECYCLED_UPSTREAM_CLOSED = 3;
export const RECYCLED_STALE = 4;
export const RECYCLED_UPSTREAM_SAID = 5;
export const RECYCLED_CUT = 6;
export const RECYCLED_UPGRADED = 7;
export const RECYCLED_MADE_ROOM = 8;
export const RECYCLED_NOT_WANTED = 9;
export const RECYCLED_STOPPED = 10;
export const RECYCLED_OWNED = 11;
export const RECYCLED_VISITOR = 12;
