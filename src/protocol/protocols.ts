/** What a client speaks, by number: first bytes of a stream (`recognize.ts`), or a first datagram (`datagram.ts`). */
export const PROTOCOL_UNKNOWN = 0;
export const PROTOCOL_TLS = 1;
export const PROTOCOL_HTTP = 2;
export const PROTOCOL_SSH = 3;
export const PROTOCOL_H2C = 4;
export const PROTOCOL_OTHER = 5;
export const PROTOCOL_QUIC = 6;
export const PROTOCOL_DTLS = 7;

/** The names by which config, log and metrics call them, indexed by the numbers above. */
export const PROTOCOL_NAMES: readonly string[] = [
	"unknown",
	"tls",
	"http",
	"ssh",
	"h2c",
	"other",
	"quic",
	"dtls",
];
