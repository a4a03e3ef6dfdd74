/**
 * What one writes with `ws`: each message that is posted goes to all clients.
 *
 *     node ws-server.js '{ "plain": PORT, "tls": PORT, "backlog": …, "certFile": …, "keyFile": … }'
 */
import { readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { buffer } from "node:stream/consumers";
import { WebSocket, WebSocketServer } from "ws";

/** What bench/hub/systems/ws.ts passes. */
export interface WsServerOptions {
	readonly plain: number;
	readonly tls: number;
	readonly backlog: number;
	readonly certFile: string;
	readonly keyFile: string;
}

const options = JSON.parse(process.argv[2] ?? "") as WsServerOptions;
const clients = new Set<WebSocket>();

const publish: RequestListener = async (request, response) => {
	const message = await buffer(request);
	for (const client of clients)
		if (client.readyState === WebSocket.OPEN) client.send(message, { binary: false });
	response.end("published\n");
};

const cert = readFileSync(options.certFile);
const key = readFileSync(options.keyFile);
const servers = [
	{ server: createServer(publish), port: options.plain },
	{ server: createTlsServer({ cert, key }, publish), port: options.tls },
];
for (const { server, port } of servers) {
	const sockets = new WebSocketServer({ server, perMessageDeflate: false });
	sockets.on("connection", (client) => {
		clients.add(client);
		client.on("close", () => clients.delete(client));
		client.on("error", () => {});
	});
	server.listen({ host: "127.0.0.1", port, backlog: options.backlog });
}
