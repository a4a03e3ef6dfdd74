/** Forged halves of hellos, as data: the drill writes it, the flood's process (flooder.ts) carries it out. */
export interface Flood {
	/** Where to: IPv4. */
	readonly address: string;
	readonly port: number;
	/** Base64: a TLS record with the hello, of which only the first half is ever said. */
	readonly hello: string;
	readonly halvesPerSecond: number;
}
