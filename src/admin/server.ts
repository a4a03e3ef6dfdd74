/** The admin port: metrics and health, over Node's own HTTP server. It never touches a relayed byte. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { areAllowedHosts } from "./hosts.js";
import { renderMetrics } from "./metrics.js";
import type { AdminView } from "./view.js";
import { Visitors } from "./visitors.js";

/** Opens the admin port. Rejects with Node's listen error (`EADDRINUSE`, `EACCES`). */
export async function openAdmin(host: string, port: number, view: AdminView): Promise<Server> {
	const visitors = new Visitors();
	const server = createServer((request, response) => {
		if (visitors.asked(request.socket, response)) void answer(request, response, visitors, view);
	});
	server.on("connection", (socket) => visitors.came(socket));
	server.once("close", () => visitors.close());
	// Node would look every half a minute only: how long anybody may take is the visitors' business.
	server.headersTimeout = 0;
	server.requestTimeout = 0;
	server.keepAliveTimeout = 0;
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

async function answer(
	request: IncomingMessage,
	response: ServerResponse,
	visitors: Visitors,
	view: AdminView,
): Promise<void> {
	const { path, hosts } = targetOf(request);
	const { status, type, body } = await answerTo(request.method ?? "", path, hosts, response, visitors, view);
	// It has gone meanwhile.
	if (response.destroyed) return;
	response.writeHead(status, {
		"content-type": type ?? "text/plain; charset=utf-8",
		"content-length": Buffer.byteLength(body),
		"cache-control": "no-store",
		// Pages of other sites may neither show it nor take it for something else.
		"x-content-type-options": "nosniff",
		"cross-origin-resource-policy": "same-origin",
		...(status === 405 ? { allow: "GET, HEAD" } : {}),
		...(status === 503 && !HEALTH.has(path) ? { "retry-after": "1" } : {}),
	});
	response.end(request.method === "HEAD" ? undefined : body);
}

/** Asked by load balancers and orchestrators under whatever name they know; a word, and no secret. Always answered. */
const HEALTH: ReadonlySet<string> = new Set(["/healthz", "/readyz"]);

/**
 * What is asked for, and every name that it is asked under: of a whole URL as well (RFC 9112, 3.2.2). Cut by hand, because a
 * request target need not be a URL, and parsing one that is none throws.
 */
function targetOf({ url = "/", headersDistinct }: IncomingMessage): {
	path: string;
	hosts: readonly string[];
} {
	const [, authority, rest = url] = /^http:\/\/([^/?]*)(.*)$/i.exec(url) ?? [];
	const [path = ""] = rest.split("?", 1);
	const { host = [] } = headersDistinct;
	return { path: path || "/", hosts: authority === undefined ? host : [authority, ...host] };
}

/** Whatever goes wrong with an answer, it must not end the process. */
async function answerTo(
	method: string,
	path: string,
	hosts: readonly string[],
	response: ServerResponse,
	visitors: Visitors,
	view: AdminView,
): Promise<Answer> {
	if (!HEALTH.has(path)) {
		if (!areAllowedHosts(hosts, view.adminHosts())) return { status: 403, body: FOREIGN_HOST };
		if (LONG.has(path) && !visitors.mayAnswerLong(response)) return { status: 503, body: BUSY };
	}
	try {
		return await route(method, path, view);
	} catch (error) {
		return { status: 500, body: `${(error as Error).message}\n` };
	}
}

const FOREIGN_HOST =
	"the admin port does not answer to this Host: use its IP address or localhost, or name it under admin_hosts\n";
const BUSY = "too many are reading long answers: ask again in a second\n";

/** What costs time to make, or to read. */
const LONG: ReadonlySet<string> = new Set(["/metrics", "/api/ledger"]);

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
