/** What is known of upstream connections that may outlive a request; those of relayed sessions never touch it. By place. */

import { f64 } from "../../parts/at.js";
import { Columns, LINK, SESSION } from "../../parts/columns.js";
import { HAD_REQUESTS, SUBSCRIBES } from "../table/marks.js";
import { NONE, type Place, type Session } from "../table/numbers.js";

export class LinkColumns extends Columns {
	readonly openedMs = this.f64(LINK);
	readonly idleSinceMs = this.f64(LINK);
	readonly uses = this.i32(LINK);
	/** The session that it is authenticated for; NONE: it may be lent to any. */
	readonly owner = this.i32<Session>(LINK);
	/** How long its peer keeps it when nothing is asked, as far as it said so: then it is not lent any more. */
	readonly keptMs = this.f64(LINK);
	/** The wait for news behind which it was lent without being looked at. */
	readonly lentWait = this.f64(LINK);
	readonly upstream = this.i32(LINK);
	readonly address = this.i32(LINK);
	/** The tunnel whose line it is; 0: it is none. */
	readonly tunnel = this.u32(LINK);
	/** Why it is about to be closed, of RECYCLE_REASONS, plus one; 0: nobody said. Lines alone. */
	readonly why = this.u8(LINK);
	/** 1: somebody has taken it. Lines alone. */
	readonly taken = this.u8(LINK);
	/** When it goes at the latest, because it is old or has served enough; 0: it stays. Lines alone. */
	readonly leaveMs = this.f64(LINK);
	/** 1: a canary is under way on it. Lines alone. */
	readonly tried = this.u8(LINK);
	/** Place of an agent's address among the sources, while its connection is not proved; NONE: it is not counted. */
	readonly source = this.references(LINK);
	/** The list of its address, or of its owner. */
	readonly next = this.i32<Place>(LINK);
	readonly previous = this.i32<Place>(LINK);

	/** 1: the request at hand asks for a WebSocket, which keeps its connection to the end. */
	readonly lasts = this.u8(SESSION);
	/** The first idle connection that belongs to this session alone (its place); NONE. See `owned.ts`. */
	readonly owned = this.i32<Place>(SESSION);
	/** Bytes of a session whose requests are read, or that is subscribed to the hub: see `saidBefore`. */
	readonly sentBefore = this.f64(SESSION);

	/** A connection to an upstream was made. */
	opened(place: Place, upstream: number, address: number, nowMs: number): void {
		this.openedMs[place] = nowMs;
		this.uses[place] = 0;
		this.lentWait[place] = 0;
		this.owner[place] = NONE;
		this.keptMs[place] = Number.POSITIVE_INFINITY;
		this.upstream[place] = upstream;
		this.address[place] = address;
		this.next[place] = NONE;
		this.previous[place] = NONE;
		this.leaveMs[place] = 0;
	}

	/** Bytes of a session with these marks that went to upstream connections which it no longer has, or to the hub. */
	saidBefore(session: Session, flags: number): number {
		return (flags & (HAD_REQUESTS | SUBSCRIBES)) === 0 ? 0 : f64(this.sentBefore, session);
	}

	/** A session's first request is about to be read. */
	begin(session: Session): void {
		this.owned[session] = NONE;
		this.sentBefore[session] = 0;
	}
}
