/** Keys that people write as other programs have them, and what is written here instead. */

/** Where a key stands: names of upstreams and indexes are `*`. */
type Place = string;

const OF_TRANSPORT: ReadonlySet<string> = new Set([
	...["udp", "quic", "dtls", "h3", "http3", "datagrams", "transport", "proto", "protocol", "network"],
]);

const BY_UDP: Readonly<Record<Place, string>> = {
	"listeners.*": "a listener takes datagrams when its address ends in /udp, such as listen: 0.0.0.0:443/udp",
	"upstreams.*":
		"an upstream takes datagrams when its addresses stand under udp, such as udp: [10.0.0.5:443]",
};

/** Where somebody is. */
const OF_PLACES: ReadonlySet<string> = new Set([
	...["port", "ip", "interface", "hostname", "server", "servers", "target", "targets", "backend", "upstream"],
	...["endpoint", "endpoints", "url", "urls", "address", "addr", "bind"],
]);

const WITH_PORTS: Readonly<Record<Place, string>> = {
	"listeners.*": "a listener's address and port are written in one, such as listen: 0.0.0.0:443",
	"upstreams.*":
		"where an upstream is is written with its port, such as addresses: [10.0.0.5:443], or for requests http: http://10.0.0.7:3000",
};

/** What is said of one address (`share` in `schema-upstreams.ts`). */
const OF_ADDRESSES: ReadonlySet<string> = new Set(["weight", "backup", "max_connections"]);

const BESIDE_ADDRESSES = (key: string): string =>
	`"${key}" is said of one address, such as addresses: [{ address: 10.0.0.5:443, ${key}: … }], or of one URL under http`;

/** What to write instead of this key; null: it is none that other programs have. */
export function adviceForForeign(place: Place, key: string): string | null {
	const name = key.toLowerCase();
	if (OF_TRANSPORT.has(name)) return BY_UDP[place] ?? null;
	if (OF_PLACES.has(name)) return WITH_PORTS[place] ?? null;
	const takesShares = place === "upstreams.*" || place === "listeners.*.routes.*";
	return takesShares && OF_ADDRESSES.has(name) ? BESIDE_ADDRESSES(name) : null;
}
