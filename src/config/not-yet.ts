/** What the design names and this version cannot follow yet: it gets an error of its own. */

/** For a `listen` that ends in `/udp`. */
export const UDP_NOT_YET =
	"listening on UDP (QUIC) is not available yet: this version routes TCP; remove the listener";
