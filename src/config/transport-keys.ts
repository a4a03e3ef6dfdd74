/** Keys that people write to say that something has to do with datagrams. */

const TRANSPORT_KEYS: ReadonlySet<string> = new Set([
	...["udp", "quic", "dtls", "h3", "http3", "datagrams", "transport", "proto", "protocol", "network"],
]);

/** What to write instead of a key by which other programs are told that they have to do with datagrams; null: it is none. */
export function adviceForTransport(place: string, key: string): string | null {
	if (!TRANSPORT_KEYS.has(key.toLowerCase())) return null;
	if (place === "listeners.*")
		return "a listener takes datagrams when its address ends in /udp, such as listen: 0.0.0.0:443/udp";
	if (place === "upstreams.*")
		return "an upstream takes datagrams when its addresses stand under udp, such as udp: [10.0.0.5:443]";
	return null;
}
