/**
 * Messages that say the how manieth they are, however a server wraps them: `@00000042@xxxx…`. No wrapping that is read here has the
 * mark in it, and none writes it in another way.
 */

const MARK = 0x40; // @
const DIGITS = 8;
const ZERO = 0x30;
const FILL = "x";

/** What is around the digits. */
const AROUND = 2;
export const NUMBERED_BYTES_MIN = DIGITS + AROUND;

/** A text of so many bytes. */
export function numbered(number: number, bytes: number): string {
	const digits = String(number).padStart(DIGITS, "0");
	if (digits.length > DIGITS || bytes < NUMBERED_BYTES_MIN)
		throw new RangeError(`the number ${number} does not fit into ${bytes} bytes`);
	return `@${digits}@${FILL.repeat(bytes - NUMBERED_BYTES_MIN)}`;
}

/** The number of the message in bytes[start, end); -1: it has none, so it is something else that a server says. */
export function numberIn(bytes: Uint8Array, start: number, end: number): number {
	const mark = bytes.indexOf(MARK, start);
	const last = mark + DIGITS + 1;
	if (mark < 0 || last >= end || bytes[last] !== MARK) return -1;
	let number = 0;
	for (let at = mark + 1; at < last; at++) number = number * 10 + (bytes[at] as number) - ZERO;
	return number;
}
