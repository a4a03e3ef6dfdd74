/**
 * The plain Node proxy for requests, of drills and bench: what one writes first. Arguments: pairs of listening
 * port and upstream port. Prints each port it listens on as a line; 0 is any free one.
 * With `--guarded` as the first argument `guard` stands before it, with the deadlines of the drills.
 */
import { writeSync } from "node:fs";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { guard } from "../guard/guard.js";
import { GUARD } from "./guard-options.js";

const agent = new Agent({ keepAlive: true, maxFreeSockets: 1024 });
const isGuarded = process.argv[2] === "--guarded";
const ports = process.argv.slice(isGuarded ? 3 : 2).map(Number);
for (let i = 0; i + 1 < ports.length; i += 2) {
	const upstreamPort = ports[i + 1] as number; // the loop's condition
	const server = createServer((incoming, answer) => {
		const { method, url, headers, socket } = incoming;
		const { connection: _, ...kept } = headers;
		const outgoing = request({
			...{ host: "127.0.0.1", port: upstreamPort, agent, method, path: url },
			headers: { ...kept, "x-forwarded-for": socket.remoteAddress ?? "" },
		});
		outgoing.on("response", (response) => {
			answer.writeHead(response.statusCode ?? 502, response.headers);
			response.pipe(answer);
		});
		outgoing.on("error", () => answer.destroy());
		answer.on("close", () => outgoing.destroy());
		incoming.pipe(outgoing);
	});
	if (isGuarded) guard(server, GUARD);
	server.listen({ host: "127.0.0.1", port: ports[i], backlog: 4096 }, () => {
		writeSync(1, `${(server.address() as AddressInfo).port}\n`);
	});
}
