/**
 * Keys that the design names and this version cannot follow. They get an error of their own: "unknown key"
 * would send the reader looking for a typo. A key leaves this table when the schema learns it.
 */

/** By place in the file; `*` stands for any list index or upstream name. */
export const notYet: Readonly<Record<string, string>> = {
	"listeners.*.tls":
		'"tls" (termination) is not available yet: this version routes TLS by name without decrypting; remove the key',
	"upstreams.*.tls":
		'"tls" (to the upstream) is not available yet: this version relays bytes as they come; remove the key',
};

/** For a `listen` that ends in `/udp`. */
export const UDP_NOT_YET =
	"listening on UDP (QUIC) is not available yet: this version routes TCP; remove the listener";

/** For an upstream's `http: https://…`. */
export const HTTPS_NOT_YET =
	"TLS to upstreams is not available yet: this version speaks plain HTTP to them; write http://";
