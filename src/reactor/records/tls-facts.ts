/** What a session's line in the log says about its TLS: written by the reactor, read by the main thread. */

/** Stands in none of the facts: OpenSSL escapes control characters. */
export const TLS_FACTS_SEPARATOR = "\t";

/** A subject may be as long as its owner likes. */
export const TEXT_MAX = 1_024;

/**
 * `TLSv1.3`, the cipher, `1` when it was resumed and else `0`, what was agreed on by ALPN, the subject of the client's
 * certificate, and why the client's or the upstream's TLS failed, in OpenSSL's words. Empty parts: nothing to say of them.
 */
export function tlsFactsText(...parts: readonly [string, string, string, string, string, string]): string {
	return parts.map((part) => part.slice(0, TEXT_MAX)).join(TLS_FACTS_SEPARATOR);
}
