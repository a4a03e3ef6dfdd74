import type { Row } from "../bench.js";
import { addedLatency } from "./added-latency.js";
import { besideBulk } from "./beside-bulk.js";
import { bulk } from "./bulk.js";
import { httpRequest64, httpRequest512 } from "./http-request.js";
import { idleHttp, idleSession, idleTls, idleWebSocket } from "./idle-session.js";
import { longestTurn } from "./longest-turn.js";
import { relayedRequest64, relayedRequest512 } from "./relayed-request.js";
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
	bulk,
	besideBulk,
	idleSession,
	idleHttp,
	idleWebSocket,
	idleTls,
	tlsRequest,
	tlsNew,
	tlsResumed,
	addedLatency,
	startToReady,
	longestTurn,
];
