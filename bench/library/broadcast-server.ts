/**
 * Sends the same text to all subscribers, by a plain loop over `ws.send` or by a Broadcast. Arguments: which, and how many
 * messages. The kernel's buffers of those that do not read are filled before, so that all is seen which the process itself keeps.
 * Tells its port, and begins when it is told to.
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { type WebSocket, WebSocketServer } from "ws";
import { Broadcast, Message, Outbox } from "../../src/guard/outbox.js";
import { BYTES_MAX, PER_SECOND, TEXT_BYTES } from "./audience.js";
import { obey, tell } from "./orders.js";

export type Mode = "ws.send" | "Broadcast";

/** In bytes, but for the last two. */
export interface BroadcastReport {
	readonly rssBefore: number;
	readonly rssMost: number;
	/** The largest that waits for one peer. */
	readonly largest: number;
	/** Each message once; 0: not known. */
	readonly retainedMost: number;
	readonly dropped: number;
	readonly cpuMs: number;
}

export type BroadcastNews = { readonly port: number } | BroadcastReport;

/** One message, so that no more than one of them is left in the process. */
const FILLER = Buffer.alloc(256 * 1024);
const FILL_LOOK_MS = 10;
const FILL_LOOKS = 20;
const BACKLOG = 1_024;
/** For what is still on its way at the end. */
const LAST_MS = 2_000;

const [, , mode, messages] = process.argv;
const topic = new Broadcast();
const outboxes: Outbox[] = [];
const sockets: WebSocket[] = [];
const filled: Promise<void>[] = [];
const server = new WebSocketServer({
	...{ port: 0, host: "127.0.0.1", backlog: BACKLOG, perMessageDeflate: false },
});
server.on("connection", (socket, { url }) => {
	sockets.push(socket);
	if (url === "/deaf") filled.push(fill(socket));
	if (mode === "ws.send") return;
	// Nobody is closed: what is measured is what the deaf ones hold as long as they are there.
	const outbox = new Outbox(socket, { bytesMax: BYTES_MAX, write: "1h" });
	outboxes.push(outbox);
	topic.add(outbox);
});
await once(server, "listening");
obey<"go">(() => void run().then(tell));
tell({ port: (server.address() as AddressInfo).port });

async function run(): Promise<BroadcastReport> {
	await Promise.all(filled);
	const rssBefore = process.memoryUsage.rss();
	const cpu = process.cpuUsage();
	let [rssMost, largest, retainedMost] = [0, 0, 0];
	const look = (): void => {
		rssMost = Math.max(rssMost, process.memoryUsage.rss());
		if (mode === "ws.send")
			for (const { bufferedAmount } of sockets) largest = Math.max(largest, bufferedAmount);
		else for (const { bytes } of outboxes) largest = Math.max(largest, bytes);
		retainedMost = Math.max(retainedMost, Message.retained.bytes);
	};
	for (let i = 0; i < Number(messages); i++) {
		const dueMs = performance.now() + (sockets.length / PER_SECOND) * 1_000;
		const text = String(process.hrtime.bigint()).padEnd(TEXT_BYTES);
		if (mode === "ws.send") for (const socket of sockets) socket.send(text);
		else topic.send(text);
		look();
		await wait(Math.max(0, dueMs - performance.now()));
		look();
	}
	await wait(LAST_MS);
	const { user, system } = process.cpuUsage(cpu);
	const dropped = outboxes.reduce((sum, outbox) => sum + outbox.dropped.messages, 0);
	return { rssBefore, rssMost, largest, retainedMost, dropped, cpuMs: (user + system) / 1_000 };
}

/** Until the kernel has taken nothing for a while. */
async function fill(socket: WebSocket): Promise<void> {
	for (let quiet = 0; quiet < FILL_LOOKS; ) {
		await wait(FILL_LOOK_MS);
		if (socket.bufferedAmount > 0) quiet++;
		else {
			quiet = 0;
			socket.send(FILLER);
		}
	}
}
