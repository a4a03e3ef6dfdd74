/** Keys that people write as other programs have them, and what is written here instead. */

/** Where a key stands: names of upstreams and indexes are `*`. */
type Place = string;

/** The keys, and what is written instead of any of them. */
type Advice = readonly [keys: readonly string[], instead: string | ((key: string) => string)];

const OF_TRANSPORT = [
	"udp",
	"quic",
	"dtls",
	"h3",
	"http3",
	"datagrams",
	"transport",
	"proto",
	"protocol",
	"network",
];
/** What is said of one address (`share` in `schema-upstreams.ts`). */
const OF_ADDRESSES = ["weight", "backup", "max_connections"];
const PORTS = ["port", "ip", "interface", "address", "addr", "bind"];
const SERVERS = [
	"server",
	"servers",
	"target",
	"targets",
	"backend",
	"upstream",
	"endpoint",
	"endpoints",
	"url",
	"urls",
];

const besideAddress = (key: string): string =>
	`"${key}" is said of one address, such as addresses: [{ address: 10.0.0.5:443, ${key}: … }], and so under udp; under http of one URL`;

const ADVICE: Readonly<Record<Place, readonly Advice[]>> = {
	"listeners.*": [
		[
			OF_TRANSPORT,
			"a listener takes datagrams when its address ends in /udp, such as listen: 0.0.0.0:443/udp",
		],
		[PORTS, "a listener's address and port are written in one, such as listen: 0.0.0.0:443"],
		[
			SERVERS,
			"where connections go is said by routes, such as routes: [{ to: web }], and web stands under upstreams",
		],
	],
	"listeners.*.routes.*": [[OF_ADDRESSES, besideAddress]],
	"upstreams.*": [
		[
			OF_TRANSPORT,
			"an upstream takes datagrams when its addresses stand under udp, such as udp: [10.0.0.5:443]",
		],
		[
			[...PORTS, ...SERVERS],
			"where an upstream is is written with its port, such as addresses: [10.0.0.5:443], or for requests http: http://10.0.0.7:3000",
		],
		[OF_ADDRESSES, besideAddress],
	],
};

/** What to write instead of this key; null: it is none that other programs have. */
export function adviceForForeign(place: Place, key: string): string | null {
	const name = key.toLowerCase();
	const [, instead] = ADVICE[place]?.find(([keys]) => keys.includes(name)) ?? [];
	return typeof instead === "function" ? instead(name) : (instead ?? null);
}
