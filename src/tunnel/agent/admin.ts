/** The agent's own pages: whether it is connected, and what it counts. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { bracketed } from "../../parts/bracketed.js";
import type { Agent } from "./agent.js";

export interface AdminPages {
	/** `http://127.0.0.1:9191` */
	readonly url: string;
	close(): void;
}

/** Rejects when the address cannot be had. */
export async function serveAdmin(agent: Agent, where: { host: string; port: number }): Promise<AdminPages> {
	const server: Server = createServer((request, response) => {
		const [pathname] = (request.url ?? "/").split("?", 1);
		const say = (status: number, type: string, text: string): void => {
			response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
			response.end(request.method === "HEAD" ? undefined : text);
		};
		if (request.method !== "GET" && request.method !== "HEAD") say(405, "text/plain", "only GET and HEAD\n");
		else if (pathname === "/healthz")
			say(
				agent.isConnected ? 200 : 503,
				"application/json",
				`{"status":"${agent.isConnected ? "connected" : "disconnected"}"}\n`,
			);
		else if (pathname === "/metrics") say(200, "text/plain; version=0.0.4", agent.metrics());
		else say(404, "text/plain", "here are /healthz and /metrics\n");
	});
	server.maxConnections = 64;
	server.listen(where.port, where.host);
	await once(server, "listening");
	const { address, port } = server.address() as AddressInfo;
	return {
		url: `http://${bracketed(address)}:${port}`,
		close: () => {
			server.close();
			server.closeAllConnections();
		},
	};
}
