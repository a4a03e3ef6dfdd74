/**
 * What is known of a session beside its connections. A relayed session, and one whose requests are read, is known by the row of
 * its client's connection.
 */
import { SESSION } from "../../parts/columns.js";
import { Connections } from "./connections.js";

/** Names longer than this are kept on the heap beside the table: longer ones are legal, up to 253, and rare. */
export const NAME_BYTES = 72;

export class Sessions extends Connections {
	readonly acceptedMs = this.f64(SESSION);
	readonly recognizedMs = this.f64(SESSION);
	readonly dialledMs = this.f64(SESSION);
	readonly connectedMs = this.f64(SESSION);
	/** When it moved bytes last. */
	readonly activeMs = this.f64(SESSION);
	readonly listener = this.i32(SESSION);
	readonly route = this.i32(SESSION);
	/** Index of the upstream in the reactor's plan, and of the chosen address in the board. */
	readonly upstream = this.i32(SESSION);
	readonly address = this.i32(SESSION);
	/** Addresses of the upstream already tried, one bit for each of the first 32. */
	readonly tried = this.i32(SESSION);
	readonly proxyHeaderBytes = this.u16(SESSION);
	readonly sourcePort = this.u16(SESSION);
	readonly policy = this.u16(SESSION);
	readonly protocol = this.u8(SESSION);
	/** 4 or 6. */
	readonly family = this.u8(SESSION);
	/** Place of the client's address among the sources; NONE while it is not counted there. */
	readonly sourcePlace = this.i32(SESSION);
	readonly firstEnd = this.u8(SESSION);
	readonly nameLength = this.u8(SESSION);
	/** Addresses dialled for this session. */
	readonly attempts = this.u8(SESSION);
	/** In the states LINGER and FLUSH: why it ends. */
	readonly reason = this.u8(SESSION);
	/** 16 bytes per session. */
	readonly source = this.u8(SESSION, 16);
	/** NAME_BYTES per session. */
	readonly name = this.u8(SESSION, NAME_BYTES);
}
