/**
 * A small Node server as anybody has it, alone or with pieces of the library. Arguments: `http` or `websocket`, then any of
 * `guard`, `heard` (somebody listens to `closed`) and `outbox` (one for each WebSocket). Tells its port and process id, and
 * its memory when it is asked.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate as turnOver } from "node:timers/promises";
import { WebSocketServer } from "ws";
import { guard } from "../../src/guard/guard.js";
import { Outbox } from "../../src/guard/outbox.js";
import { obey, tell } from "./orders.js";

export type ServerOrder = "memory";

export interface ServerReady {
	readonly port: number;
	readonly pid: number;
}

/** Bytes of the whole process after a collection. */
export interface ServerMemory {
	readonly heap: number;
	readonly external: number;
	readonly rss: number;
}

export type ServerNews = ServerReady | ServerMemory;

/** As in other rows: more than come at a time. */
const BACKLOG = 4096;
/** Above Node's 5 s, so that nobody is cut while memory is read. */
const KEEP_ALIVE_MS = 65_000;
/** What one collection frees, another may find free. */
const COLLECTIONS = 4;

const [, , protocol, ...pieces] = process.argv;

const server = createServer((_, response) => response.end("hello"));
server.keepAliveTimeout = KEEP_ALIVE_MS;
if (protocol === "websocket") serveWebSockets();
if (pieces.includes("guard")) {
	const guarded = guard(server);
	if (pieces.includes("heard")) guarded.on("closed", () => {});
}
server.listen({ host: "127.0.0.1", port: 0, backlog: BACKLOG }, () => {
	const ready: ServerReady = { port: (server.address() as AddressInfo).port, pid: process.pid };
	tell(ready);
});
obey<ServerOrder>(() => void readMemory().then(tell));

function serveWebSockets(): void {
	/** As a server would that knows its subscribers. */
	const outboxes = new Set<Outbox>();
	new WebSocketServer({ server }).on("connection", (socket) => {
		socket.on("error", () => {});
		socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
		if (!pieces.includes("outbox")) return;
		const outbox = new Outbox(socket);
		outboxes.add(outbox);
		outbox.onClose(() => outboxes.delete(outbox));
	});
}

async function readMemory(): Promise<ServerMemory> {
	if (globalThis.gc === undefined) throw new Error("--expose-gc is missing");
	for (let i = 0; i < COLLECTIONS; i++) {
		globalThis.gc();
		await turnOver();
	}
	const { heapUsed, external, rss } = process.memoryUsage();
	return { heap: heapUsed, external, rss };
}
