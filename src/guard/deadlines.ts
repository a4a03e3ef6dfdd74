/** Which deadline a connection has, and which one has passed. */
import type { ServerResponse } from "node:http";
import type { Reason } from "../parts/reasons.js";
import { type Connection, flushedBytes, waitingBytes } from "./connection.js";
import type { Resolved } from "./options.js";

/** A body's rate is measured over so long, as the gateway measures it. */
const BODY_WINDOW_MS = 10_000;
/** So many looks in the shorter of `stall` and `idle`: a silence is known so exactly, and a connection closed so much later at most. */
const LOOKS = 8;
/** The same while bytes wait for the client. */
const LOOKS_WAITING = 16;

/** Why a connection must end now, or when it is to be looked at again (Infinity: it has no deadline). */
export function judge(connection: Connection, limits: Resolved, nowMs: number): Reason | number {
	notice(connection, nowMs);
	const { socket, lifetimeEndsMs } = connection;
	const isWaiting = waitingBytes(socket) > 0;
	if (!isWaiting) connection.takenMs = nowMs;
	else if (connection.takenMs + limits.stallMs <= nowMs) return "stall_timeout";
	// Node tells of no byte that moves: how often it is looked is how exactly a stall and a silence are known.
	let nextMs = nowMs + Math.min(limits.stallMs, limits.idleMs) / (isWaiting ? LOOKS_WAITING : LOOKS);
	if (isWaiting) nextMs = Math.min(nextMs, connection.takenMs + limits.stallMs);
	if (isOver(connection, nowMs)) {
		if (connection.phase !== "request" || lifetimeEndsMs + limits.stallMs <= nowMs) return "lifetime";
		nextMs = Math.min(nextMs, lifetimeEndsMs + limits.stallMs);
	} else if (lifetimeEndsMs > 0) nextMs = Math.min(nextMs, lifetimeEndsMs);
	const verdict = judgePhase(connection, limits, nowMs);
	return typeof verdict === "string" ? verdict : Math.min(nextMs, verdict);
}

/** When to look at a request that has just come: a stall begins when bytes are seen to wait. */
export function lookAfterHead(limits: Resolved, nowMs: number): number {
	return nowMs + Math.min(limits.stallMs / LOOKS_WAITING, limits.requestMs);
}

/** Its lifetime has passed. */
export function isOver({ lifetimeEndsMs }: Connection, nowMs: number): boolean {
	return lifetimeEndsMs > 0 && lifetimeEndsMs <= nowMs;
}

/** Sees what has moved since the last look. */
function notice(connection: Connection, nowMs: number): void {
	const { socket } = connection;
	const read = socket.bytesRead;
	const flushed = flushedBytes(socket);
	if (read !== connection.read || flushed !== connection.flushed) connection.movedMs = nowMs;
	if (flushed !== connection.flushed) connection.takenMs = nowMs;
	if (connection.phase === "waiting" && connection.headMs === 0 && read !== connection.read)
		connection.headMs = nowMs;
	connection.read = read;
	connection.flushed = flushed;
}

function judgePhase(connection: Connection, limits: Resolved, nowMs: number): Reason | number {
	switch (connection.phase) {
		case "handshake":
			return passed(connection.sinceMs + limits.handshakeMs, nowMs, "handshake_timeout");
		case "waiting": {
			const { headMs, sinceMs } = connection;
			if (headMs > 0) return passed(headMs + limits.requestHeadMs, nowMs, "request_timeout");
			const next = passed(sinceMs + limits.keepAliveMs, nowMs, "idle_timeout");
			// Looked at in time to see that a head has begun.
			return typeof next === "string" ? next : Math.min(next, nowMs + limits.requestHeadMs);
		}
		case "request": {
			const next = passed(connection.sinceMs + limits.requestMs, nowMs, whoIsSlow(connection));
			const body = judgeBody(connection, limits, nowMs);
			return typeof next === "string" || (typeof body === "number" && next < body) ? next : body;
		}
		case "open":
			return passed(connection.movedMs + limits.idleMs, nowMs, "idle_timeout");
	}
}

/** Of a request that takes too long: its client, which takes nothing or gives nothing, or the handler. */
function whoIsSlow({ socket, request }: Connection): Reason {
	if (waitingBytes(socket) > 0) return "stall_timeout";
	return request?.complete === false ? "request_timeout" : "response_timeout";
}

/** A body that comes too slowly, while it is the client that is waited for. */
function judgeBody(connection: Connection, limits: Resolved, nowMs: number): Reason | number {
	const { request, response, bodyMs } = connection;
	if (limits.bodyBytesPerSecond === 0 || request === undefined || request.complete)
		return Number.POSITIVE_INFINITY;
	// What has come and lies here waits for the server, not for the client, as does a client that may not send yet.
	if (request.readableLength > 0 || isToldToWait(response)) startBodyWindow(connection, nowMs);
	else if (bodyMs + BODY_WINDOW_MS <= nowMs) {
		const came = connection.read - connection.bodyFrom;
		if (came < (limits.bodyBytesPerSecond * BODY_WINDOW_MS) / 1_000) return "request_timeout";
		startBodyWindow(connection, nowMs);
	}
	return connection.bodyMs + BODY_WINDOW_MS;
}

/** It asked whether it may send its body (`Expect: 100-continue`), and has no answer. Node keeps both in private fields. */
function isToldToWait(response: ServerResponse | undefined): boolean {
	const asked = response as (ServerResponse & { _expect_continue?: boolean; _sent100?: boolean }) | undefined;
	return asked?._expect_continue === true && asked._sent100 !== true && !asked.headersSent;
}

export function startBodyWindow(connection: Connection, nowMs: number): void {
	connection.bodyMs = nowMs;
	connection.bodyFrom = connection.socket.bytesRead;
}

function passed(atMs: number, nowMs: number, reason: Reason): Reason | number {
	return atMs <= nowMs ? reason : atMs;
}
