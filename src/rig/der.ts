/** DER, as far as certificates and OCSP responses need it (X.690). */

export const SEQUENCE = 0x30;
const OBJECT_IDENTIFIER = 0x06;

/** An object identifier from its numbers: `2.5.4.3`. */
export function identifier(text: string): Uint8Array {
	const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
	const bytes = [first * 40 + second];
	for (const part of rest) {
		const septets = [part & 0x7f];
		for (let left = Math.floor(part / 128); left > 0; left = Math.floor(left / 128))
			septets.unshift((left & 0x7f) | 0x80);
		bytes.push(...septets);
	}
	return der(OBJECT_IDENTIFIER, bytes);
}

/** A value with its tag and length before it. */
export function der(tag: number, ...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
	const content = Buffer.concat(parts.map((part) => Uint8Array.from(part)));
	const { length } = content;
	const lengthBytes =
		length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
	return Buffer.concat([Uint8Array.from([tag, ...lengthBytes]), content]);
}
