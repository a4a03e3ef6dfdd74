/** The upstream of WebSocket users: says back what it hears. Prints its port, and ends with its parent. */
import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { CLOSE, PING, PONG, readFrame, writeFrame } from "./frames.js";

/** RFC 6455, section 1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const server = createServer((_, answer) => answer.end("WebSockets only\r\n"));
server.on("upgrade", ({ headers }, socket: Socket) => {
	const accept = createHash("sha1").update(`${headers["sec-websocket-key"]}${GUID}`).digest("base64");
	socket.write(
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			`Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
	);
	echo(socket);
});
server.listen({ host: "127.0.0.1", port: 0 }, () => {
	writeSync(1, `${(server.address() as AddressInfo).port}\n`);
});
process.stdin.on("end", () => process.exit(0)).resume();

function echo(socket: Socket): void {
	let waiting: Buffer = Buffer.alloc(0);
	socket.on("error", () => {});
	socket.on("data", (bytes: Buffer) => {
		waiting = Buffer.concat([waiting, bytes]);
		for (let frame = readFrame(waiting); frame !== null; frame = readFrame(waiting)) {
			waiting = waiting.subarray(frame.bytes);
			socket.write(writeFrame(frame.opcode === PING ? PONG : frame.opcode, frame.payload));
			if (frame.opcode === CLOSE) socket.end();
		}
	});
}
