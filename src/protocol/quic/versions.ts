/**
 * What differs between the versions of QUIC that are read here: 1 (RFC 9000, RFC 9001) and 2 (RFC 9369).
 *
 * The keys of Initials come from a salt that everybody knows and a connection ID that everybody sees: they keep out whoever does
 * not know the version, and whoever changes a packet by accident. They hide nothing.
 */

export const QUIC_V1 = 0x00000001;
export const QUIC_V2 = 0x6b3343cf;

/** The version field of Version Negotiation (RFC 9000, section 17.2.1). */
export const VERSION_NEGOTIATION = 0;

export interface InitialVersion {
	readonly number: number;
	/** RFC 9001, 5.2; RFC 9369, 3.3.1. */
	readonly salt: Uint8Array;
	/** Whose Initials: `client in` or `server in`. */
	readonly secretLabel: string;
	/** Stands before `key`, `iv` and `hp` in the labels of keys. */
	readonly labelPrefix: string;
	/** What seals Retry packets (RFC 9001, 5.8; RFC 9369, 3.3.3). */
	readonly retryKey: Uint8Array;
	readonly retryNonce: Uint8Array;
}

/** For the Initials of clients. */
export const INITIAL_VERSIONS: readonly InitialVersion[] = [
	{
		number: QUIC_V1,
		salt: bytesOf("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
		secretLabel: "client in",
		labelPrefix: "quic ",
		retryKey: bytesOf("be0c690b9f66575a1d766b54e368c84e"),
		retryNonce: bytesOf("461599d35d632bf2239825bb"),
	},
	{
		number: QUIC_V2,
		salt: bytesOf("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
		secretLabel: "client in",
		labelPrefix: "quicv2 ",
		retryKey: bytesOf("8fb4b01b56ac48e260fbcbcead7ccc92"),
		retryNonce: bytesOf("d86969bc2d7c6d9990efb04a"),
	},
];

export function isKnownVersion(version: number): boolean {
	return version === QUIC_V1 || version === QUIC_V2;
}

function bytesOf(hex: string): Uint8Array {
	return Uint8Array.from({ length: hex.length / 2 }, (_, i) =>
		Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16),
	);
}
