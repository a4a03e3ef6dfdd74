/** Addresses, as far as drills take them: IPv4, and of this machine alone. */

/** The four bytes of a dotted address. Throws a RangeError for anything else. */
export function parseIpv4(text: string): Uint8Array {
	const parts = text.split(".").map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : Number.NaN));
	if (parts.length !== 4 || parts.some((part) => !(part <= 255)))
		throw new RangeError(`"${text}" is not an IPv4 address`);
	return Uint8Array.from(parts);
}

/** All of 127.0.0.0/8. */
export function isLoopback(address: Uint8Array): boolean {
	return address[0] === 127;
}
