/** The admin port: metrics and health, over Node's own HTTP server. It never touches a relayed byte. */
import { createServer, type Server } from "node:http";
import { renderMetrics } from "./metrics.js";
import type { AdminView } from "./view.js";

/** An admin request is a line; whoever needs longer is not an admin. */
const REQUEST_TIMEOUT_MS = 5_000;
/** Prometheus keeps one or two open. */
const CONNECTIONS_MAX = 32;

/** Opens the admin port. Rejects with Node's listen error (`EADDRINUSE`, `EACCES`). */
export async function openAdmin(host: string, port: number, view: AdminView): Promise<Server> {
	const server = createServer(async (request, response) => {
		const answer = await answerTo(request.method ?? "", pathOf(request.url ?? "/"), view);
		response.writeHead(answer.status, {
			"content-type": answer.type ?? "text/plain; charset=utf-8",
			"content-length": Buffer.byteLength(answer.body),
			"cache-control": "no-store",
			...(answer.status === 405 ? { allow: "GET, HEAD" } : {}),
		});
		response.end(request.method === "HEAD" ? undefined : answer.body);
	});
	server.headersTimeout = REQUEST_TIMEOUT_MS;
	server.requestTimeout = REQUEST_TIMEOUT_MS;
	server.keepAliveTimeout = REQUEST_TIMEOUT_MS;
	server.maxConnections = CONNECTIONS_MAX;
	// A client that never reads its answer is closed too: the timer is not renewed by writes that do not move.
	server.setTimeout(4 * REQUEST_TIMEOUT_MS, (socket) => socket.destroy());
	await new Promise<void>((resolve, reject) => {
		server.once("error", reject);
		server.listen({ host, port }, () => {
			server.off("error", reject);
			resolve();
		});
	});
	server.unref();
	return server;
}

/** Cut by hand: a request target need not be a URL, and parsing one that is none throws. */
function pathOf(target: string): string {
	return target.split("?", 1)[0] ?? "";
}

/** Whatever goes wrong with an answer, it must not end the process. */
async function answerTo(method: string, path: string, view: AdminView): Promise<Answer> {
	try {
		return await route(method, path, view);
	} catch (error) {
		return { status: 500, body: `${(error as Error).message}\n` };
	}
}

interface Answer {
	readonly status: number;
	readonly type?: string;
	readonly body: string;
}

async function route(method: string, path: string, view: AdminView): Promise<Answer> {
	if (method !== "GET" && method !== "HEAD") return { status: 405, body: "only GET and HEAD\n" };
	switch (path) {
		case "/metrics":
			return { status: 200, type: "text/plain; version=0.0.4; charset=utf-8", body: renderMetrics(view) };
		case "/healthz":
			// The process answers; whether it takes connections is /readyz.
			return { status: 200, body: "ok\n" };
		case "/readyz": {
			const state = view.state();
			return { status: state === "ready" ? 200 : 503, body: `${state}\n` };
		}
		case "/api/ledger": {
			// HEAD would have to look as well, to say how long the answer is.
			const report = await view.checkLedger();
			return { status: 200, type: "application/json", body: `${JSON.stringify(report, undefined, "\t")}\n` };
		}
		case "/":
			return { status: 200, body: "sluice: /metrics /healthz /readyz /api/ledger\n" };
		default:
			return { status: 404, body: "not found; there are /metrics, /healthz, /readyz and /api/ledger\n" };
	}
}
