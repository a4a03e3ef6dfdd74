/** What a session's line in the log says about its TLS: written by the reactor, read by the main thread. */

export interface TlsFacts {
	/** `TLSv1.3`; null: no handshake of the client's was completed. */
	readonly version: string | null;
	readonly cipher: string | null;
	readonly resumed: boolean | null;
	/** What was agreed on by ALPN. */
	readonly alpn: string | null;
	/** The subject of the client's certificate. */
	readonly clientSubject: string | null;
	/** Why the client's or the upstream's TLS failed, in OpenSSL's words. */
	readonly error: string | null;
}

/** Stands in none of the facts: OpenSSL escapes control characters. */
const SEPARATOR = "\t";

/** A subject may be as long as its owner likes. */
export const TEXT_MAX = 1_024;

/** Empty parts: nothing to say of them. */
export function tlsFactsText(...parts: readonly [string, string, string, string, string, string]): string {
	return parts.map((part) => part.slice(0, TEXT_MAX)).join(SEPARATOR);
}

/** `null` when nothing was said. */
export function readTlsFacts(text: string): TlsFacts | null {
	if (text === "") return null;
	const [version, cipher, resumed, alpn, clientSubject, error] = text.split(SEPARATOR);
	return {
		version: version || null,
		cipher: cipher || null,
		resumed: resumed === undefined || resumed === "" ? null : resumed === "1",
		alpn: alpn || null,
		clientSubject: clientSubject || null,
		error: error || null,
	};
}
