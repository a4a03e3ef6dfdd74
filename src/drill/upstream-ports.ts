/** Where the drill's upstream listens, by what it does there. upstream.ts prints exactly this. */
export interface UpstreamPorts {
	/** Answers a TLS hello, and ends. */
	readonly tls: number;
	/** Answers an HTTP request, and ends. */
	readonly http: number;
	/** Sends for as long as somebody takes it. */
	readonly bulk: number;
	/** Says nothing, and holds. */
	readonly silent: number;
	/** Says a little, again and again. */
	readonly chatter: number;
	/** Any of these, by what the client says: for proxies that cannot route. */
	readonly any: number;
}
