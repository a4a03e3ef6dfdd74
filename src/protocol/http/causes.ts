/**
 * Why a message was refused: one closed list for requests, responses and chunked bodies, so that refusals can be
 * counted by cause in one array of counters. A cause is its index in {@link HTTP_CAUSES}; 0 is none.
 */

export interface HttpCause {
	/** As metrics and logs call it. */
	readonly name: string;
	/** What a client is answered (RFC 9110, 15). When an upstream broke the rule, the client is answered 502. */
	readonly status: number;
}

/** The closed list. New ones go to the end: counters are indexed by position. */
export const HTTP_CAUSES = [
	{ name: "none", status: 0 },
	/** The head is longer than 16 KiB. */
	{ name: "head_too_large", status: 431 },
	/** The request line alone is longer than that. */
	{ name: "target_too_long", status: 414 },
	/** More than 100 field lines. */
	{ name: "too_many_fields", status: 431 },
	{ name: "bare_cr", status: 400 },
	{ name: "bare_lf", status: 400 },
	/** Not a token followed by one space. */
	{ name: "method", status: 400 },
	/** A well-formed method that neither we nor the parsers behind us know. */
	{ name: "method_unknown", status: 501 },
	/** CONNECT asks for a tunnel to anywhere; a gateway leads to its own upstreams only (RFC 9110, 9.3.6). */
	{ name: "method_connect", status: 501 },
	{ name: "target", status: 400 },
	{ name: "http_version", status: 400 },
	/** Well-formed, and neither HTTP/1.0 nor HTTP/1.1. */
	{ name: "http_version_unsupported", status: 505 },
	{ name: "status_line", status: 400 },
	/** Not a token followed at once by a colon; most often a space before the colon. */
	{ name: "field_name", status: 400 },
	/** A line that continues the one before it (obs-fold, RFC 9112, 5.2). */
	{ name: "folded_field", status: 400 },
	/** A control character in a value. */
	{ name: "field_value", status: 400 },
	{ name: "host_missing", status: 400 },
	{ name: "host_duplicate", status: 400 },
	/** Not `host [":" port]`, or empty where the target needs one. */
	{ name: "host_invalid", status: 400 },
	/** Not one number of digits only: empty, signed, listed, repeated, too large. */
	{ name: "content_length", status: 400 },
	/** Not exactly one `chunked`, at the end. */
	{ name: "transfer_encoding", status: 400 },
	/** Well-formed, ends in `chunked`, and names another coding before it (RFC 9112, 6.1). */
	{ name: "transfer_coding_unknown", status: 501 },
	/** Transfer-Encoding in or for HTTP/1.0 (RFC 9112, 6.1). */
	{ name: "transfer_encoding_http10", status: 400 },
	/** Content-Length and Transfer-Encoding. */
	{ name: "both_lengths", status: 400 },
	/** Connection is no list of tokens, names more fields than we keep, or a field that is not its to name. */
	{ name: "connection_option", status: 400 },
	/** 101 without `Connection: upgrade` and Upgrade, or to a request that cannot have asked. */
	{ name: "unexpected_upgrade", status: 400 },
	/** A chunk size that is no hexadecimal number, or is followed by what may not follow. */
	{ name: "chunk_size", status: 400 },
	/** A chunk size of more than 2^32 - 1, or of more than 16 digits. */
	{ name: "chunk_size_too_large", status: 400 },
	/** A chunk extension that is not well-formed. */
	{ name: "chunk_extension", status: 400 },
	{ name: "chunk_extension_too_long", status: 400 },
	/** The data of a chunk is not followed by CR LF. */
	{ name: "chunk_end", status: 400 },
	/** A trailer field that is not well-formed. */
	{ name: "trailer", status: 400 },
	/** A trailer field that frames, routes or identifies: it would come too late (RFC 9110, 6.5.1). */
	{ name: "trailer_forbidden", status: 400 },
	{ name: "trailers_too_large", status: 431 },
	/** TRACE sends a request back as it came here, with what routes add to it, secrets for one. */
	{ name: "method_trace", status: 405 },
	/** The path is not in its normal form where only such are taken, has none, is cut in different places, or has an encoded NUL. */
	{ name: "path", status: 400 },
	/** Max-Forwards of OPTIONS is not one number (RFC 9110, 7.6.2). */
	{ name: "max_forwards", status: 400 },
	/** The upstream ended its stream amid the head of its answer. */
	{ name: "head_incomplete", status: 400 },
] as const satisfies readonly HttpCause[];

export type HttpCauseName = (typeof HTTP_CAUSES)[number]["name"];

const INDEX = new Map<string, number>(HTTP_CAUSES.map(({ name }, index) => [name, index]));

function indexOf(name: HttpCauseName): number {
	const index = INDEX.get(name);
	if (index === undefined) throw new Error(`no cause ${name}`);
	return index;
}

export const NO_CAUSE = 0;
export const HEAD_TOO_LARGE = indexOf("head_too_large");
export const TARGET_TOO_LONG = indexOf("target_too_long");
export const TOO_MANY_FIELDS = indexOf("too_many_fields");
export const BARE_CR = indexOf("bare_cr");
export const BARE_LF = indexOf("bare_lf");
export const BAD_METHOD = indexOf("method");
export const METHOD_UNKNOWN = indexOf("method_unknown");
export const METHOD_CONNECT_REFUSED = indexOf("method_connect");
export const BAD_TARGET = indexOf("target");
export const BAD_HTTP_VERSION = indexOf("http_version");
export const HTTP_VERSION_UNSUPPORTED = indexOf("http_version_unsupported");
export const BAD_STATUS_LINE = indexOf("status_line");
export const BAD_FIELD_NAME = indexOf("field_name");
export const FOLDED_FIELD = indexOf("folded_field");
export const BAD_FIELD_VALUE = indexOf("field_value");
export const HOST_MISSING = indexOf("host_missing");
export const HOST_DUPLICATE = indexOf("host_duplicate");
export const HOST_INVALID = indexOf("host_invalid");
export const BAD_CONTENT_LENGTH = indexOf("content_length");
export const BAD_TRANSFER_ENCODING = indexOf("transfer_encoding");
export const TRANSFER_CODING_UNKNOWN = indexOf("transfer_coding_unknown");
export const TRANSFER_ENCODING_HTTP10 = indexOf("transfer_encoding_http10");
export const BOTH_LENGTHS = indexOf("both_lengths");
export const BAD_CONNECTION_OPTION = indexOf("connection_option");
export const UNEXPECTED_UPGRADE = indexOf("unexpected_upgrade");
export const BAD_CHUNK_SIZE = indexOf("chunk_size");
export const CHUNK_SIZE_TOO_LARGE = indexOf("chunk_size_too_large");
export const BAD_CHUNK_EXTENSION = indexOf("chunk_extension");
export const CHUNK_EXTENSION_TOO_LONG = indexOf("chunk_extension_too_long");
export const BAD_CHUNK_END = indexOf("chunk_end");
export const BAD_TRAILER = indexOf("trailer");
export const TRAILER_FORBIDDEN = indexOf("trailer_forbidden");
export const TRAILERS_TOO_LARGE = indexOf("trailers_too_large");
export const METHOD_TRACE_REFUSED = indexOf("method_trace");
export const BAD_PATH = indexOf("path");
export const BAD_MAX_FORWARDS = indexOf("max_forwards");
export const HEAD_INCOMPLETE = indexOf("head_incomplete");

/** The status that answers a client whose request was refused for `cause`. */
export function statusOf(cause: number): number {
	return HTTP_CAUSES[cause]?.status ?? 400;
}

/** As metrics and logs call it. */
export function causeName(cause: number): string {
	return HTTP_CAUSES[cause]?.name ?? "none";
}
