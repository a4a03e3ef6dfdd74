/** How often a gateway wants to hear something, and after how long without it who is silent is dead. */
export interface Alive {
	readonly heartbeatMs: number;
	readonly deadAfterMs: number;
}

/**
 * What lines have from the control connection, which has made sure of the gateway. A name may stand for several gateways, and a ticket is
 * good at the one that has given it; and a session of TLS that goes on costs neither side a signature.
 */
export interface Known {
	/** Where the gateway was found, an IP address; `undefined` through a proxy, which looks for itself. */
	readonly address: string | undefined;
	/** SHA-256 of its certificate, 64 hexadecimal digits in upper case; `undefined`: it speaks in the open. */
	fingerprint: string | undefined;
	/** The newest; there is none before the gateway has given one. */
	session: Buffer | undefined;
	/**
	 * What the gateway said when the control connection was logged in; before, what one says by default. A line that is silent or does not
	 * get through is dead when the control connection would be.
	 */
	alive: Alive;
}
