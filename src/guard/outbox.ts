/**
 * What waits for a peer, bounded: a queue in front of a socket or a WebSocket that never retains more than it may, says what it
 * dropped, and gives up a peer that takes nothing. And a topic of such queues, in which a slow subscriber harms only itself.
 *
 *     import { Broadcast, Outbox } from "sluice/outbox";
 *
 *     const prices = new Broadcast();
 *     webSocketServer.on("connection", (socket) => {
 *         prices.add(new Outbox(socket, { bytesMax: "256KiB", policy: "drop-oldest", write: "10s" }));
 *     });
 *     feed.on("price", (price) => prices.send(JSON.stringify(price)));
 *
 * @module
 */

export { Broadcast, type BroadcastCounts } from "./outbox/broadcast.js";
export type { DropCause, Dropped } from "./outbox/drops.js";
export { OutboxClosed } from "./outbox/errors.js";
export { Message, type MessageData, type MessageOptions, type Retained } from "./outbox/message.js";
export type {
	Amount,
	FlushedOptions,
	Gap,
	OutboxOptions,
	OutboxPolicy,
	OutboxPriority,
	SendOptions,
	SendResult,
} from "./outbox/options.js";
export { Outbox } from "./outbox/queue.js";
export type { OutboxSocket, WebSocketLike } from "./outbox/sink.js";
export { type Duration, OptionError, type Size } from "./units.js";
