/** What TLS contexts are made from, in either role. */

/** What a file holds, and how its user names it. */
export interface PemFile {
	readonly file: string;
	readonly text: string;
}

/** The file of an OCSP response, and what is in it. */
export interface StapleFile {
	readonly file: string;
	/** DER */
	readonly bytes: Uint8Array;
}

export interface ServerOptions {
	/** Names it is for. A ticket is good for the same names and the same `clientCa` only. */
	readonly names: readonly string[];
	/** The server's certificate, then the intermediate ones. */
	readonly cert: PemFile;
	readonly key: PemFile;
	/** Protocols, the preferred one first. Empty: what clients offer is ignored. */
	readonly alpn: readonly string[];
	/** Clients must show a certificate issued by one of these. */
	readonly clientCa?: PemFile;
	/** An OCSP response in DER, given to clients that ask for one (RFC 6066, section 8). */
	readonly staple?: StapleFile;
}

export interface ClientOptions {
	/** Host name or IP address: what the upstream's certificate must be for, and, unless it is an address, SNI. */
	readonly serverName: string;
	/** `false`: whoever answers is believed. */
	readonly verify: boolean;
	/** Trusted instead of the authorities that Node carries. */
	readonly ca?: PemFile;
	/** Shown to an upstream that asks for a certificate. */
	readonly identity?: { readonly cert: PemFile; readonly key: PemFile };
	/** Offered, the preferred one first. */
	readonly alpn: readonly string[];
}
