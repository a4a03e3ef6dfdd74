/**
 * The inspector's page and its API, over Node's own HTTP server with the library's guard before it. It answers on loopback only, under
 * loopback names only, and nothing changes for a page of another site.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Guarded, type GuardOptions, guard } from "../../guard/guard.js";
import { bracketed } from "../../parts/bracketed.js";
import { areLoopbackHosts, isOwnOrigin } from "../../parts/hosts.js";
import { PAGE_HEADERS } from "../../parts/page-headers.js";
import { type Answer, Desk, fault, type Inspected } from "./desk.js";
import type { Live } from "./live.js";
import { pageFile } from "./page-files.js";

export interface ServedInspector {
	/** `http://127.0.0.1:4040` */
	readonly url: string;
	/** Resolves when all of its connections are closed. */
	close(): Promise<void>;
}

/** Pages and answers are short, and viewers stay: what they do not read is closed by `stall`. */
const GUARD: GuardOptions = {
	timeouts: { handshake: "5s", requestHead: "5s", keepAlive: "30s", stall: "10s" },
	limits: { connections: 64, waiting: 40, requestsAtOnce: 4, descriptorReserve: 0 },
};

const API = "/api/";

/** Rejects when the address cannot be had. */
export async function serveInspector(
	inspected: Inspected,
	where: { readonly host: string; readonly port: number },
): Promise<ServedInspector> {
	const desk = new Desk(inspected);
	const server: Server = createServer((request, response) => void answer(request, response, desk));
	const guarded: Guarded = guard(server, GUARD);
	server.listen(where.port, where.host);
	await once(server, "listening");
	const { address, port } = server.address() as AddressInfo;
	return {
		url: `http://${bracketed(address)}:${port}`,
		close: async () => {
			desk.close();
			await guarded.close({ drainMs: 0 });
		},
	};
}

/** Never rejects: whatever goes wrong with an answer must not end the agent. */
async function answer(request: IncomingMessage, response: ServerResponse, desk: Desk): Promise<void> {
	// Nothing that is asked needs a body.
	request.resume();
	let answered: Answer | "events";
	try {
		answered = refusalOf(request) ?? (await answerTo(request, desk));
	} catch (error) {
		answered = fault(500, (error as Error).message);
	}
	// It has gone meanwhile.
	if (response.destroyed) return;
	if (answered === "events") answered = beginEvents(response, desk.live) ?? answered;
	if (answered === "events") return;
	const { status, type, body, headers } = answered;
	response.writeHead(status, {
		...PAGE_HEADERS,
		...{ "content-type": type, "content-length": Buffer.byteLength(body), ...headers },
	});
	response.end(request.method === "HEAD" ? undefined : body);
}

/** Where a browser says that a request of its comes from: the page itself, or the line where addresses are written. */
const OWN_SITES: readonly unknown[] = [undefined, "same-origin", "none"];

/**
 * `undefined`: it may ask. Pages of other sites may show a link to the page, and no more: they could read no answer of the API anyway,
 * but could keep all places of viewers.
 */
function refusalOf({ method, url = "/", headers, headersDistinct }: IncomingMessage): Answer | undefined {
	const { host: hosts = [] } = headersDistinct;
	if (!areLoopbackHosts(hosts)) return fault(403, "the inspector answers to localhost and 127.0.0.1 only");
	const isPage = (method === "GET" || method === "HEAD") && !url.startsWith(API);
	const isOwn = isOwnOrigin(headers.origin, headers.host) && OWN_SITES.includes(headers["sec-fetch-site"]);
	return isPage || isOwn ? undefined : fault(403, "a page of another site may ask and change nothing here");
}

async function answerTo({ method = "", url = "/" }: IncomingMessage, desk: Desk): Promise<Answer | "events"> {
	const [path = "/", query = ""] = url.split("?", 2);
	if (path.startsWith(API)) return desk.ask(method, path, new URLSearchParams(query));
	const file = pageFile(path);
	if (file === undefined) return fault(404, "here are / and /api/exchanges");
	if (method !== "GET" && method !== "HEAD")
		return { ...fault(405, "only GET and HEAD"), headers: { allow: "GET, HEAD" } };
	return { status: 200, ...file };
}

/** `undefined`: it is one of the viewers now. */
function beginEvents(response: ServerResponse, live: Live): Answer | undefined {
	if (!live.hasRoom) return fault(503, "too many are watching already: close a page");
	response.writeHead(200, { ...PAGE_HEADERS, "content-type": "text/event-stream; charset=utf-8" });
	live.add(response);
	return undefined;
}
