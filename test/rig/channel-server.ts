/**
 * A server that has one channel, for tests of subscribers: what is posted goes to all who are there. Its path says how one comes, and of
 * some bodies it makes more. Prints its port; with `{ cert, key }` as an argument it has TLS. Ends with its parent.
 */
import { writeSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { WebSocketServer } from "ws";
import { writeFrame } from "../../bench/websockets/frames.js";
import { COMES, CONFIRMED, CUT, HALF, PING_ALL, REFUSED, SAID, SAYS, SEND_AWAY } from "./channel-words.js";

const TEXT = 1;

const sockets: Socket[] = [];
let rest: Buffer | null = null;

const publish: RequestListener = async (request, response) => {
	const body = await text(request);
	const clients = [...server.clients];
	if (rest !== null) sockets[0]?.write(rest);
	rest = null;
	if (body === REFUSED) response.statusCode = 400;
	else if (body === PING_ALL)
		await Promise.all(
			clients.map((client) => {
				client.ping("are you there?");
				return new Promise((resolve) => client.once("pong", resolve));
			}),
		);
	else if (body === SEND_AWAY) clients[0]?.close(4409, "too slow");
	else if (body === CUT) clients[0]?.terminate();
	else if (body.startsWith(HALF)) {
		const frame = writeFrame(TEXT, Buffer.from(body.slice(HALF.length)));
		sockets[0]?.write(frame.subarray(0, 20));
		rest = frame.subarray(20);
	} else for (const client of clients) client.send(body);
	response.end("done\n");
};

const [, , secured] = process.argv;
const http =
	secured === undefined
		? createServer(publish)
		: createTlsServer(JSON.parse(secured) as { cert: string; key: string }, publish);
const server = new WebSocketServer({ noServer: true, perMessageDeflate: false });
http.on("upgrade", (request, socket: Socket, head) => {
	if (request.url !== COMES && request.url !== SAYS) {
		socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
		return;
	}
	server.handleUpgrade(request, socket, head, (client) => {
		sockets.push(socket);
		client.on("error", () => {});
		client.on("message", (data) => {
			if (String(data) === SAID) client.send(CONFIRMED);
		});
	});
});
http.listen({ host: "127.0.0.1", port: 0 }, () => {
	writeSync(1, `${(http.address() as AddressInfo).port}\n`);
});
process.stdin.on("end", () => process.exit(0)).resume();
