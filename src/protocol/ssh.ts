/**
 * The SSH identification string: the line with which both sides of SSH begin.
 *
 *     SSH-protoversion-softwareversion [SP comments] CR LF        RFC 4253, 4.2
 *
 * It names no host, so four bytes are enough to route by; the rest is for the log.
 */
import { ascii, at, commonPrefix, textOf } from "./bytes.js";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "./verdict.js";

/** What an SSH client sends first. A server may send other lines before it, a client may not. */
export const SSH_PREFIX = ascii("SSH-");

/** CR and LF included (RFC 4253, 4.2). */
export const SSH_IDENTIFICATION_LIMIT_BYTES = 255;

/** The closed list of reasons for MALFORMED. */
export type SshIdentificationFault =
	| "no_ssh_prefix"
	| "proto_version"
	| "software_version"
	| "comments"
	| "line_end"
	| "line_too_long";

const LF = 0x0a;
const CR = 0x0d;
const SP = 0x20;
const HYPHEN = 0x2d;

/** What an identification string says; reused, never allocates. Positions are indices into the parsed array. */
export class SshIdentification {
	protoVersionStart = 0;
	protoVersionEnd = 0;
	softwareVersionStart = 0;
	softwareVersionEnd = 0;
	/** Without the space before them; start and end are equal when there are none. */
	commentsStart = 0;
	commentsEnd = 0;
	/** Just past the line's LF. */
	lineEnd = 0;
	/** With NEED_MORE: at least so many bytes, counted from `start`, make up any valid line that begins so. */
	needBytes = 0;
	/** With MALFORMED: which rule was broken. */
	cause: SshIdentificationFault | "" = "";

	/** The software version as text, e.g. `OpenSSH_9.2p1`, cut out of the bytes that were parsed. Allocates. */
	softwareVersion(bytes: Uint8Array): string {
		return textOf(bytes, this.softwareVersionStart, this.softwareVersionEnd);
	}
}

/**
 * Reads an identification string from bytes[start, end) (RFC 4253, 4.2), with two concessions to real clients:
 * the line may end in LF alone (as the same section advises for the sake of old implementations), and the software version may
 * contain `-`, which stands in many names and is unambiguous there.
 */
export function parseSshIdentification(
	bytes: Uint8Array,
	start: number,
	end: number,
	out: SshIdentification,
): Verdict {
	clear(out);
	const prefix = commonPrefix(bytes, start, end, SSH_PREFIX);
	if (prefix < SSH_PREFIX.length && start + prefix < end) return fail(out, "no_ssh_prefix");
	// The shortest line: one character for each version and LF alone.
	if (prefix < SSH_PREFIX.length) return needMore(out, start, start, 8);
	const limit = Math.min(end, start + SSH_IDENTIFICATION_LIMIT_BYTES);

	let position = start + SSH_PREFIX.length;
	out.protoVersionStart = position;
	while (position < limit && isVisible(at(bytes, position)) && at(bytes, position) !== HYPHEN) position++;
	if (position === limit) return needMore(out, start, limit, 3);
	if (at(bytes, position) !== HYPHEN || position === out.protoVersionStart) return fail(out, "proto_version");
	out.protoVersionEnd = position;

	position++;
	out.softwareVersionStart = position;
	while (position < limit && isVisible(at(bytes, position))) position++;
	if (position === limit) return needMore(out, start, limit, position === out.softwareVersionStart ? 2 : 1);
	if (position === out.softwareVersionStart) return fail(out, "software_version");
	out.softwareVersionEnd = position;

	if (at(bytes, position) === SP) position++;
	out.commentsStart = position;
	if (position > out.softwareVersionEnd) {
		while (position < limit && at(bytes, position) >= SP && at(bytes, position) !== 0x7f) position++;
		if (position === limit) return needMore(out, start, limit, 1);
	}
	out.commentsEnd = position;

	if (at(bytes, position) === CR) position++;
	if (position === limit) return needMore(out, start, limit, 1);
	if (at(bytes, position) !== LF) {
		return fail(out, out.commentsStart > out.softwareVersionEnd ? "comments" : "line_end");
	}
	out.lineEnd = position + 1;
	return COMPLETE;
}

function isVisible(byte: number): boolean {
	return byte > 0x20 && byte < 0x7f;
}

function needMore(out: SshIdentification, start: number, limit: number, missingBytes: number): Verdict {
	const needBytes = limit - start + missingBytes;
	if (needBytes > SSH_IDENTIFICATION_LIMIT_BYTES) return fail(out, "line_too_long");
	clear(out);
	out.needBytes = needBytes;
	return NEED_MORE;
}

function fail(out: SshIdentification, cause: SshIdentificationFault): Verdict {
	clear(out);
	out.cause = cause;
	return MALFORMED;
}

function clear(out: SshIdentification): void {
	out.protoVersionStart = 0;
	out.protoVersionEnd = 0;
	out.softwareVersionStart = 0;
	out.softwareVersionEnd = 0;
	out.commentsStart = 0;
	out.commentsEnd = 0;
	out.lineEnd = 0;
	out.needBytes = 0;
	out.cause = "";
}
