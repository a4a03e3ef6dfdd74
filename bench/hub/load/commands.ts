/** What the bench asks of the generator that is an instance's audience: see ../../load/asking.ts. */
import type { PublishersDoor, SubscribersDoor } from "../../../src/rig/subscribers/doors.js";

/** How messages are published. */
export interface Publishing {
	readonly door: PublishersDoor;
	readonly messages: number;
	/** From one to the next. */
	readonly everyMs: number;
	/** Of each, as it is published. */
	readonly bytes: number;
}

export interface Delivered {
	readonly wallMs: number;
	readonly deliveries: number;
	/** From when a message is sent to the server until it has come to a subscriber's socket: of all deliveries. */
	readonly p50Us: number;
	readonly p99Us: number;
	/** Messages that had not come to all when the next was due; it waited then. */
	readonly late: number;
}

/** By name: what is sent, and what comes back. */
export interface Commands {
	/** Subscribers who come, besides those that are there. `deaf`: they have small buffers, and do not read. */
	open: {
		ask: { door: SubscribersDoor; count: number; tls: boolean; deaf: boolean };
		answer: { wallMs: number };
	};
	/** Messages that nobody looks for: before there are others than deaf ones. */
	fill: { ask: Publishing; answer: { wallMs: number } };
	/** Messages that each subscriber must get, but the deaf ones. */
	publish: { ask: Publishing; answer: Delivered };
	/** All leave. */
	close: { ask: Record<never, never>; answer: { wallMs: number } };
}
