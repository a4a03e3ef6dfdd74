/** What a datagram of somebody who is not known yet came to. */
import { NONE } from "../../parts/none.js";
import { ClientHello } from "../../protocol/hello.js";
import { PROTOCOL_UNKNOWN } from "../../protocol/protocols.js";
import { MALFORMED, type Verdict } from "../../protocol/verdict.js";

/** One object serves one reactor: it is filled again for each datagram. */
export class DatagramRecognition {
	/** One of the PROTOCOL_ numbers. */
	protocol = PROTOCOL_UNKNOWN;
	/** QUIC's version, also where it is not known here; 0 for all else. */
	version = 0;
	/** With COMPLETE, filled where `hasHello`. */
	readonly hello = new ClientHello();
	/** With COMPLETE: false for `other`, and for versions of QUIC whose packets cannot be opened. */
	hasHello = false;
	/**
	 * With COMPLETE: the half whose datagrams come before this one, or NONE. They are to be sent on first, and the half to be
	 * released then.
	 */
	half = NONE;
	/**
	 * The server that a packet names which is of nobody's session: its place among the listener's routes, and among the addresses of that
	 * route's upstream. NONE: it names none.
	 */
	serverRoute = NONE;
	serverAddress = NONE;
	/** With NEED_MORE: the datagram is held. Otherwise it said nothing new, and is worth nothing. */
	isHeld = false;
	/** With MALFORMED: a constant such as `not_authentic`. */
	cause = "";

	begin(): void {
		this.protocol = PROTOCOL_UNKNOWN;
		this.version = 0;
		this.hasHello = false;
		this.half = NONE;
		this.serverRoute = NONE;
		this.serverAddress = NONE;
		this.isHeld = false;
		this.cause = "";
	}

	malformed(cause: string): Verdict {
		this.cause = cause;
		return MALFORMED;
	}
}
