/**
 * Keys that the design names and this version cannot follow. They get an error of their own: "unknown key"
 * would send the reader looking for a typo. A key leaves this table when the schema learns it.
 */

/** By place in the file; `*` stands for any list index or upstream name. */
export const notYet: Readonly<Record<string, string>> = {
	"listeners.*.tls":
		'"tls" (termination) is not available yet: this version routes TLS by name without decrypting; remove the key',
	"listeners.*.routes.*.path":
		'"path" is not available yet: this version routes an HTTP connection by the host of its first request; remove the key',
	"upstreams.*.http":
		'"http" is not available yet: this version relays bytes and does not read requests one by one; write "addresses: [host:port]"',
	"upstreams.*.tls":
		'"tls" (to the upstream) is not available yet: this version relays bytes as they come; remove the key',
};

/** For a `listen` that ends in `/udp`. */
export const UDP_NOT_YET =
	"listening on UDP (QUIC) is not available yet: this version routes TCP; remove the listener";
