/** How one subscribes to a channel of a server, and publishes there: each program has its own way. All ports are of 127.0.0.1. */

/** For subscribers by WebSocket. */
export interface SubscribersDoor {
	readonly port: number;
	readonly path: string;
	/** The text that each says once its WebSocket is open; `null`: it has subscribed by coming. */
	readonly says: string | null;
	/** What stands in the text by which it learns that it has subscribed; `null`: it is subscribed once its WebSocket is open. */
	readonly confirms: string | null;
}

/** For publishers: a POST. */
export interface PublishersDoor {
	readonly port: number;
	readonly path: string;
	/** Of the request. */
	readonly fields: Readonly<Record<string, string>>;
	/** Around a message in the body. */
	readonly before: string;
	readonly after: string;
}
