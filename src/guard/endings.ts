/** How a connection is ended, so that its client gets what it is owed and no more. */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Reason } from "../parts/reasons.js";
import { resetSocket } from "../parts/reset-socket.js";
import { type Connection, hasEnded, nowInMs, waitingBytes } from "./connection.js";
import type { Schedule } from "./schedule.js";

/** What has been said last (a 408) has so long to go out. */
const LAST_WORDS_MS = 1_000;
/** After these nothing is cut off that anybody waits for, unless bytes do. */
const ENDINGS: ReadonlySet<Reason> = new Set([
	...(["idle_timeout", "handshake_timeout", "lifetime", "drained", "limit_connections"] as const),
]);

function answer(status: string): string {
	return `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
}

export const TOO_MANY_REQUESTS = answer("429 Too Many Requests");
/** What a client is told whose request took too long. */
const ANSWERS: Readonly<Partial<Record<Reason, string>>> = {
	handshake_timeout: answer("408 Request Timeout"),
	request_timeout: answer("408 Request Timeout"),
	response_timeout: answer("503 Service Unavailable"),
};

/** With an end where nothing is lost by it. */
export function cut(connection: Connection, reason: Reason): void {
	if (ENDINGS.has(reason) && waitingBytes(connection.socket) === 0) {
		connection.reason ??= reason;
		connection.socket.destroy();
	} else reset(connection, reason);
}

/** Its client sees a reset: an end would leave what waits for it in the kernel for minutes. */
export function reset(connection: Connection, reason: Reason): void {
	connection.reason ??= reason;
	resetSocket(connection.socket);
}

/** For a drain: what has nothing under way goes now, a request with its answer, all else at the cut. */
export function dismiss(connection: Connection, schedule: Schedule): void {
	const { phase, response, requests } = connection;
	if (phase === "request" && requests > 0 && response !== undefined) response.shouldKeepAlive = false;
	else if (phase !== "open") endSoon(connection, schedule, "drained");
}

/** Ends it behind what has been written. */
export function endSoon(connection: Connection, schedule: Schedule, reason: Reason): void {
	connection.reason ??= reason;
	connection.top.destroySoon();
	schedule.lookAt(connection, nowInMs() + LAST_WORDS_MS);
}

/** Writes words to a client that no answer of the handler's can reach any more, and ends it behind them. */
export function sayLast(connection: Connection, schedule: Schedule, words: string, reason: Reason): void {
	connection.top.write(words);
	endSoon(connection, schedule, reason);
}

/** What an HTTP/1 client is told for this reason; `undefined`: nothing, or an answer has begun that the words would fall into. */
export function lastWords({ phase, response, socket }: Connection, reason: Reason): string | undefined {
	const mayAnswer = phase === "request" ? hasNotBegun(response) : socket.bytesRead > 0;
	return mayAnswer ? ANSWERS[reason] : undefined;
}

function hasNotBegun(response: ServerResponse | undefined): boolean {
	return response !== undefined && !response.headersSent;
}

/** Of a connection that nobody here ended: what its socket says. */
export function reasonOf({ top, socket, endedFirst }: Connection): Reason {
	const { errored } = top as Socket & { readonly errored?: NodeJS.ErrnoException | null };
	const code = (errored ?? (socket as { readonly errored?: NodeJS.ErrnoException | null }).errored)?.code;
	if (code === "ETIMEDOUT") return "keepalive_lost";
	if (code === "ECONNRESET" || code === "EPIPE") return "client_reset";
	if (code?.startsWith("ERR_SSL") === true) return "tls_failed";
	if (endedFirst || !hasEnded(top)) return "upstream_closed";
	return "client_closed";
}
