/**
 * What is known of a session beside its connections. A relayed session, and one whose requests are read, is known by the row of
 * its client's connection.
 */

import { f64, u32 } from "../../parts/at.js";
import { SESSION } from "../../parts/columns.js";
import { Connections } from "./connections.js";
import type { Link, Session } from "./numbers.js";
import { timeAfterOr0, timeOf } from "./times.js";

export class Sessions extends Connections {
	/** Its upstream's connection, or NONE. */
	readonly link = this.references<Link>(SESSION);
	readonly acceptedMs = this.f64(SESSION);
	/** By which log, API and operators call it. */
	readonly number = this.f64(SESSION);
	/** When it moved bytes last, a stamp (`times.ts`). */
	readonly active = this.u32(SESSION);
	/**
	 * When its dial began that is under way, or led to where it is; when it was known what it speaks; and when its upstream's
	 * connection was made: offsets from `acceptedMs`; 0: not yet. No stamp for the dial, because connects are measured, and
	 * most of them are over within a millisecond.
	 */
	readonly dialled = this.u32(SESSION);
	readonly recognized = this.u32(SESSION);
	readonly connected = this.u32(SESSION);
	readonly listener = this.u16(SESSION);
	readonly route = this.references(SESSION);
	/** Index of the upstream in the reactor's plan, and of the chosen address in the board. */
	readonly upstream = this.references(SESSION);
	readonly address = this.references(SESSION);
	/** Addresses of the upstream already tried, one bit for each of the first 32. */
	readonly tried = this.i32(SESSION);
	readonly proxyHeaderBytes = this.u16(SESSION);
	readonly sourcePort = this.u16(SESSION);
	/** Number of the policy that holds, and of that which it began with. */
	readonly policy = this.u16(SESSION);
	readonly ownPolicy = this.u16(SESSION);
	readonly protocol = this.u8(SESSION);
	/** 4 or 6. */
	readonly family = this.u8(SESSION);
	/** Place of the client's address among the sources; NONE while it is not counted there. */
	readonly sourcePlace = this.references(SESSION);
	readonly firstEnd = this.u8(SESSION);
	/** Addresses dialled for this session. */
	readonly attempts = this.u8(SESSION);
	/** In the states LINGER and FLUSH: why it ends. */
	readonly reason = this.u8(SESSION);
	/** 16 bytes per session. */
	readonly source = this.u8(SESSION, 16);

	/** When it moved bytes last. */
	activeMs(session: Session, nowMs: number): number {
		return timeOf(u32(this.active, session), nowMs);
	}

	/** When its dial began; 0: it did not. */
	dialledMs(session: Session): number {
		return this.#timeAfter(session, u32(this.dialled, session));
	}

	/** When it was known what it speaks; 0: not yet. */
	recognizedMs(session: Session): number {
		return this.#timeAfter(session, u32(this.recognized, session));
	}

	/** When its upstream's connection was made; 0: not yet. */
	connectedMs(session: Session): number {
		return this.#timeAfter(session, u32(this.connected, session));
	}

	#timeAfter(session: Session, offset: number): number {
		return timeAfterOr0(f64(this.acceptedMs, session), offset);
	}
}
