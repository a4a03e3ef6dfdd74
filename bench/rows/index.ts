import type { Row } from "../bench.js";
import { addedLatency } from "./added-latency.js";
import { besideBulk } from "./beside-bulk.js";
import { bulk } from "./bulk.js";
import { mysql, postgres, smtp } from "./dialogue.js";
import { httpRequest64, httpRequest512 } from "./http-request.js";
import { idleAtStart, idleHttp, idleSession, idleTls, idleWebSocket } from "./idle-session.js";
import { longestTurn } from "./longest-turn.js";
import { relayedRequest64, relayedRequest512 } from "./relayed-request.js";
import { shortSessions } from "./short-sessions.js";
import { sniSession } from "./sni-session.js";
import { startToReady } from "./start-to-ready.js";
import { tlsNew, tlsRequest, tlsResumed } from "./tls.js";

/** In the order of the report. */
export const ROWS: readonly Row[] = [
	relayedRequest64,
	relayedRequest512,
	httpRequest64,
	httpRequest512,
	sniSession,
	smtp,
	mysql,
	postgres,
	bulk,
	besideBulk,
	idleAtStart,
	idleSession,
	idleHttp,
	idleWebSocket,
	idleTls,
	tlsRequest,
	tlsNew,
	tlsResumed,
	addedLatency,
	shortSessions,
	startToReady,
	longestTurn,
];
