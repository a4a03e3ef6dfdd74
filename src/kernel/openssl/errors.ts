/**
 * OpenSSL's error queue: one per thread, filled by whatever fails in it. `SSL_get_error` looks into it to
 * judge a session, so an error that somebody left there would end the next session that merely has to wait.
 */
import * as ssl from "./library.js";

/** `ERR_GET_LIB` and `ERR_GET_REASON` of err.h. */
const LIBRARY_SHIFT = 2 ** 23;
const REASON_MASK = 0x7fffff;
const LIBRARY_PEM = 9;
const LIBRARY_SSL = 20;

const NO_START_LINE = 108;

export const CERTIFICATE_VERIFY_FAILED = 134;
export const UNEXPECTED_EOF = 294;

/** A context could not be made: `message` begins with the file at fault, where it is one. */
export class TlsConfigError extends Error {
	override readonly name = "TlsConfigError";
	readonly code = "TLS_CONFIG";
	readonly file: string;
	/** OpenSSL's words. */
	readonly reason: string;

	constructor(file: string, what: string, reason: string) {
		super(`${file === "" ? "" : `${file}: `}${what}${reason === "" ? "" : `: ${reason}`}`);
		this.file = file;
		this.reason = reason;
	}
}

/** Peeking costs 34 ns, clearing an empty queue 150. */
export function clearErrors(): void {
	if (ssl.peekError() !== 0) ssl.clearErrors();
}

/** The first error of the queue, which is the cause of those behind it; the queue is empty afterwards. */
export function takeFirstError(): number {
	const code = ssl.takeError();
	clearErrors();
	return code;
}

/** The reason if it is one of the TLS layer, else 0: numbers mean something else in other layers. */
export function tlsReason(code: number): number {
	return libraryOf(code) === LIBRARY_SSL ? code & REASON_MASK : 0;
}

export function isNoStartLine(code: number): boolean {
	return libraryOf(code) === LIBRARY_PEM && (code & REASON_MASK) === NO_START_LINE;
}

function libraryOf(code: number): number {
	return Math.floor(code / LIBRARY_SHIFT) & 0xff;
}

export function reasonText(code: number): string {
	return code === 0 ? "no reason given" : (ssl.reasonText(code) ?? `error 0x${code.toString(16)}`);
}
