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
	/** Any of these over HTTP connections that are kept, by each request's host. */
	readonly web: number;
}

/** As a drill's configuration sees them. */
export interface DrillPorts extends UpstreamPorts {
	/** `web` again, for attackers: in a process apart from the one that answers the good client. */
	readonly webForAttackers: number;
	/** Answers the good client's datagrams; 0 where no listener takes datagrams. */
	readonly datagrams: number;
	/** The same for attackers, in a process of their own. */
	readonly datagramsForAttackers: number;
}
