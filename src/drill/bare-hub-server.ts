/**
 * What the hub is compared with: the broadcast that one writes first with Node's `http`, or with a library of WebSockets. Each message that
 * is posted is written to all who have come, as a frame of their own, and `write` keeps for as long as it takes what somebody does not read.
 * Prints the port that it listens on.
 */
import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { writeFrameHeader } from "../protocol/websocket/frame.js";
import { channelIn } from "./hub-traffic.js";

/** RFC 6455, sections 1.3 and 5.2. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const TEXT = 1;
const HEADER_MAX_BYTES = 10;

const channels = new Map<string, Set<Socket>>();
let messages = 0;

const server = createServer(async (request, response) => {
	const channel = channelIn(request.url) ?? "";
	const data = await text(request);
	const id = String(++messages);
	const message = JSON.stringify({ type: "message", channel, id, data });
	for (const socket of channels.get(channel) ?? []) socket.write(frameOf(message));
	response.end(JSON.stringify({ id }));
});

server.on("upgrade", (request, socket: Socket) => {
	const channel = channelIn(request.url) ?? "";
	const key = request.headers["sec-websocket-key"] ?? "";
	const accept = createHash("sha1")
		.update(key + GUID)
		.digest("base64");
	socket.write(
		`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
	);
	const subscribers = channels.get(channel) ?? new Set();
	channels.set(channel, subscribers.add(socket));
	socket.on("error", () => {});
	socket.on("close", () => subscribers.delete(socket));
	// Nobody says anything here; it is read all the same, for its end.
	socket.on("end", () => socket.end());
	socket.resume();
});

server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => {
	writeSync(1, `${(server.address() as AddressInfo).port}\n`);
});

function frameOf(message: string): Buffer {
	const bytes = Buffer.byteLength(message);
	const frame = Buffer.allocUnsafe(HEADER_MAX_BYTES + bytes);
	const header = writeFrameHeader(frame, 0, TEXT, bytes);
	frame.write(message, header);
	return frame.subarray(0, header + bytes);
}
