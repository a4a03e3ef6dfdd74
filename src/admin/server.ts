/**
 * The admin port: metrics, health and the API, over Node's own HTTP server, with the library's guard before it. It never
 * touches a relayed byte.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { SecureContextOptions } from "node:tls";
import { type Guarded, type GuardOptions, guard } from "../guard/guard.js";
import { areAllowedHosts } from "../parts/hosts.js";
import { PAGE_HEADERS } from "../parts/page-headers.js";
import { askApi, DEBUG, methodsOf, OPERATIONS } from "./api.js";
import { Bodies } from "./bodies.js";
import { dashboardFile } from "./dashboard/page-files.js";
import { Viewers } from "./dashboard/viewers.js";
import { FOLLOWERS_MAX, Followers, type Following } from "./followers.js";
import { HUB, refusalAnswer } from "./hub-operations.js";
import { renderMetrics } from "./metrics.js";
import { openApi } from "./openapi.js";
import { FIGURES } from "./operation.js";
import { OPERATOR_HEADER, refusalOf } from "./rights.js";
import type { AdminView } from "./view.js";

/** A request is a line, and an answer has as long as Prometheus waits for one. */
const GUARD: GuardOptions = {
	timeouts: { handshake: "5s", requestHead: "5s", keepAlive: "5s", request: "10s", stall: "10s" },
	// Its connections live within `limits.fd_reserve` of the gateway, whose descriptors are not theirs to judge.
	limits: { waiting: 40, requestsAtOnce: 1, descriptorReserve: 0 },
};
/** Long answers under way, of the others there may be as many as fit into the reserve. */
const LONG_ANSWERS_MAX = 8;

/** The admin port while it is open. */
export interface AdminPort {
	readonly server: Server | TlsServer;
	/** Has connections that come from now on shown this certificate. One that is spoken to in the open has none to replace. */
	secure(certificate: AdminCertificate): void;
	/** What its guard has counted, as Prometheus text. */
	metrics(): string;
	/** Closes it with all of its connections. */
	close(): Promise<void>;
}

/** A chain and its key, both in PEM. */
export interface AdminCertificate {
	readonly cert: string;
	readonly key: string;
}

/** An IP address; or the descriptor of a Unix socket that is bound, which it closes in the end. */
export type AdminPlace = { readonly host: string; readonly port: number } | { readonly fd: number };

/**
 * Opens the admin port; `certificate`: `null` is in the open. Rejects with Node's listen error (`EADDRINUSE`, `EACCES`).
 */
export async function openAdmin(
	place: AdminPlace,
	view: AdminView,
	certificate: AdminCertificate | null = null,
): Promise<AdminPort> {
	const secured = certificate === null ? undefined : createTlsServer(secureOptions(certificate));
	const server = secured ?? createServer();
	const guarded = guard(server, GUARD);
	const followers = new Followers(
		({ channel, operator }, reason) =>
			view.audit({ operator, channel, reason }, "a follower of a channel is too slow"),
		() => view.adminTokens(),
	);
	const viewers = new Viewers(view);
	guarded.once("drain", () => {
		followers.end("the gateway stops");
		viewers.end();
	});
	const site: Site = {
		...{ view, guarded, followers, viewers, bodies: new Bodies() },
		...{ onSocketFile: "fd" in place, longAnswers: 0 },
	};
	server.on("request", (request, response) => void answer(request, response, site));
	await new Promise<void>((resolve, reject) => {
		const failed = (error: Error): void => {
			viewers.end();
			reject(error);
		};
		server.once("error", failed);
		server.listen(place, () => {
			server.off("error", failed);
			resolve();
		});
	});
	server.unref();
	return {
		server,
		secure: (next) => secured?.setSecureContext(secureOptions(next)),
		metrics: () => guarded.metrics("admin"),
		close: async () => void (await guarded.close({ drainMs: 0 })),
	};
}

/** As listeners that terminate TLS speak it. */
function secureOptions(certificate: AdminCertificate): SecureContextOptions {
	return { ...certificate, minVersion: "TLSv1.2" };
}

/** What answers are made from. */
interface Site {
	readonly view: AdminView;
	readonly guarded: Guarded;
	readonly followers: Followers;
	readonly viewers: Viewers;
	readonly bodies: Bodies;
	/** It is a Unix socket: who may open its file has been let in by the kernel, and no browser can. */
	readonly onSocketFile: boolean;
	longAnswers: number;
}

async function answer(request: IncomingMessage, response: ServerResponse, site: Site): Promise<void> {
	const { path } = targetOf(request);
	let answered = await answerTo(request, response, site);
	// It has gone meanwhile.
	if (response.destroyed) return;
	if (answered === FIGURES || "desk" in answered) {
		const instead = follow(request, response, answered, site);
		if (instead === undefined) return;
		answered = instead;
	}
	const { status, type, body, allow, isPage = false } = answered;
	response.writeHead(status, {
		...(isPage ? PAGE_HEADERS : HEADERS),
		"content-type": type ?? "text/plain; charset=utf-8",
		"content-length": Buffer.byteLength(body),
		...(status === 405 ? { allow: (allow ?? ["GET", "HEAD"]).join(", ") } : {}),
		...(status === 401 ? { "www-authenticate": "Bearer" } : {}),
		...(status === 503 && !HEALTH.has(path) ? { "retry-after": "1" } : {}),
	});
	response.end(request.method === "HEAD" ? undefined : body);
}

const HEADERS = {
	"cache-control": "no-store",
	// Pages of other sites may neither show it nor take it for something else.
	"x-content-type-options": "nosniff",
	"cross-origin-resource-policy": "same-origin",
} as const;

/** Answers with a stream of events. Returned is what is answered instead. */
function follow(
	{ method }: IncomingMessage,
	response: ServerResponse,
	following: Following | typeof FIGURES,
	{ followers, viewers, guarded }: Site,
): Answer | undefined {
	if (method === "HEAD") return { status: 200, type: "text/event-stream; charset=utf-8", body: "" };
	const isOfFigures = following === FIGURES;
	if (isOfFigures && !viewers.hasRoom) return json(503, { error: watched(viewers.most) });
	if (!isOfFigures && !followers.hasRoom) return json(503, { error: FOLLOWED });
	// Nothing else is asked on it: its end is the stream's.
	const headers = { ...HEADERS, "x-accel-buffering": "no", connection: "close" };
	try {
		if (isOfFigures) viewers.begin(response, headers);
		else followers.begin(response, headers, following);
		guarded.streams(response);
		return undefined;
	} catch (error) {
		const { status, value } = refusalAnswer(error) ?? {
			status: 500,
			value: { error: (error as Error).message },
		};
		return json(status, value);
	}
}

/** Asked by load balancers and orchestrators under whatever name they know; a word, and no secret. Always answered. */
const HEALTH: ReadonlySet<string> = new Set(["/healthz", "/readyz"]);

/**
 * What is asked for, and every name that it is asked under: of a whole URL as well (RFC 9112, 3.2.2). Cut by hand, because a
 * request target need not be a URL, and parsing one that is none throws.
 */
function targetOf({ url = "/", headersDistinct }: IncomingMessage): {
	path: string;
	query: URLSearchParams;
	hosts: readonly string[];
} {
	const [, authority, rest = url] = /^https?:\/\/([^/?]*)(.*)$/i.exec(url) ?? [];
	const [path = ""] = rest.split("?", 1);
	const query = new URLSearchParams(rest.slice(path.length));
	const { host = [] } = headersDistinct;
	return { path: path || "/", query, hosts: authority === undefined ? host : [authority, ...host] };
}

/** Whatever goes wrong with an answer, it must not end the process. */
async function answerTo(
	request: IncomingMessage,
	response: ServerResponse,
	site: Site,
): Promise<Answer | Following | typeof FIGURES> {
	const { method = "" } = request;
	const { path, query, hosts } = targetOf(request);
	const isApi = path.startsWith(API);
	const changes = method !== "GET" && method !== "HEAD";
	if (!HEALTH.has(path)) {
		if (!site.onSocketFile && !areAllowedHosts(hosts, site.view.adminHosts()))
			return inFormOf(path, 403, FOREIGN_HOST);
		// What it is made of is no secret: it asks the API, and whoever looks at it shows a token there.
		const file = changes ? undefined : dashboardFile(path, request.headers.accept);
		if (file !== undefined) return { status: 200, ...file, isPage: true };
		const refusal = refusalOf(request, site.view.adminTokens(), {
			isApi,
			changes: isApi && (changes || path.startsWith(DEBUG)),
			onSocketFile: site.onSocketFile,
		});
		if (refusal !== undefined) return inFormOf(path, refusal.status, refusal.message);
		if (
			(isApi || path === "/metrics") &&
			!isBoundedElsewhere(path, changes, query) &&
			!mayAnswerLong(response, site)
		)
			return inFormOf(path, 503, BUSY);
	}
	try {
		if (!isApi) return route(method, path, site);
		if (path === DESCRIPTION && !changes) return json(200, openApi());
		const operator = `${request.headers[OPERATOR_HEADER] ?? ""} (${site.onSocketFile ? "unix" : (request.socket.remoteAddress ?? "gone")})`;
		const body = site.bodies.of(request);
		const lastEventId = request.headers["last-event-id"]?.toString();
		const found = await askApi(site.view, { method, path, query, operator, body, lastEventId });
		if (found === undefined) return inFormOf(path, 404, `not found; there are ${PATHS.join(", ")}`);
		const { status, value, text, following } = found;
		if (following !== undefined) return following;
		if (text !== undefined) return { status, type: "application/json", body: text };
		return { ...json(status, value), allow: methodsOf(path) };
	} catch (error) {
		return inFormOf(path, 500, (error as Error).message);
	}
}

/** What goes wrong is told in the API's own form there. */
function inFormOf(path: string, status: number, message: string): Answer {
	return path.startsWith(API) ? json(status, { error: message }) : { status, body: `${message}\n` };
}

function json(status: number, value: unknown): Answer {
	const text = JSON.stringify(value);
	// Of thousands of sessions, lines for people would cost more than finding them.
	const shown = text.length < SHOWN_MAX ? JSON.stringify(value, undefined, "\t") : text;
	return { status, type: "application/json", body: `${shown}\n` };
}

const FOREIGN_HOST =
	"the admin port does not answer to this Host: use its IP address or localhost, or name it under admin_hosts";
const BUSY = "too many are reading long answers: ask again in a second";

const watched = (most: number): string =>
	`${most} look at the dashboard already, which is half of limits.fd_reserve: close a page, or raise it`;
const FOLLOWED = `${FOLLOWERS_MAX} follow channels here already, which is as many as may: subscribe over a listener`;

/** Longer answers are for programs. */
const SHOWN_MAX = 65_536;

const API = "/api/";
const DESCRIPTION = "/api/openapi.json";
const FIGURES_PATH = "/api/figures";
const PATHS = [
	"/metrics",
	"/healthz",
	"/readyz",
	DESCRIPTION,
	...new Set(OPERATIONS.map(({ path }) => path)),
];

/** What changes channels answers shortly, and its bodies are counted; who follows them is. */
function isBoundedElsewhere(path: string, changes: boolean, query: URLSearchParams): boolean {
	const follows = query.get("follow") === "1";
	return path === FIGURES_PATH ? follows : path.startsWith(`${HUB}/`) && (changes || follows);
}

/** Whether one more long answer may be made. It counts until it has been taken. */
function mayAnswerLong(response: ServerResponse, site: Site): boolean {
	if (site.longAnswers >= LONG_ANSWERS_MAX) return false;
	site.longAnswers++;
	response.once("close", () => {
		site.longAnswers--;
	});
	return true;
}

interface Answer {
	readonly status: number;
	readonly type?: string;
	readonly body: string;
	/** Of 405; GET and HEAD where it is absent. */
	readonly allow?: readonly string[];
	/** A file of the dashboard. */
	readonly isPage?: boolean;
}

function route(method: string, path: string, { view, guarded }: Site): Answer {
	if (method !== "GET" && method !== "HEAD") return { status: 405, body: "only GET and HEAD\n" };
	switch (path) {
		case "/metrics":
			return {
				status: 200,
				type: "text/plain; version=0.0.4; charset=utf-8",
				body: renderMetrics(view) + guarded.metrics("admin"),
			};
		case "/healthz":
			// The process answers; whether it takes connections is /readyz.
			return { status: 200, body: "ok\n" };
		case "/readyz": {
			const state = view.state();
			return { status: state === "ready" ? 200 : 503, body: `${state}\n` };
		}
		case "/":
			return { status: 200, body: `sluice: ${PATHS.join(" ")}\n` };
		default:
			return { status: 404, body: `not found; there are ${PATHS.join(", ")}\n` };
	}
}
