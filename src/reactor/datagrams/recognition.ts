/** What a datagram of somebody who is not known yet came to. */
import { NONE } from "../../parts/none.js";
import { DATAGRAM_UNKNOWN } from "../../protocol/datagram.js";
import { ClientHello } from "../../protocol/hello.js";
import { MALFORMED, type Verdict } from "../../protocol/verdict.js";

/** One object serves one reactor: it is filled again for each datagram. */
export class DatagramRecognition {
	/** One of the DATAGRAM_ numbers. */
	protocol = DATAGRAM_UNKNOWN;
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
	/** With MALFORMED: a constant such as `not_authentic`. */
	cause = "";

	begin(): void {
		this.protocol = DATAGRAM_UNKNOWN;
		this.version = 0;
		this.hasHello = false;
		this.half = NONE;
		this.cause = "";
	}

	malformed(cause: string): Verdict {
		this.cause = cause;
		return MALFORMED;
	}
}
