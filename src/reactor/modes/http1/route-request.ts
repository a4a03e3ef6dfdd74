/** A request whose head is whole: may it pass, and where does it go? */

import { cell, i32, setRef, u8 } from "../../../parts/at.js";
import { forget } from "../../../parts/forget.js";
import { basicCredentials } from "../../../protocol/http/basic-auth.js";
import { BAD_PATH, NO_CAUSE } from "../../../protocol/http/causes.js";
import type { FixedAnswer } from "../../../protocol/http/fixed-answer.js";
import { FRAMING_LENGTH, FRAMING_NONE } from "../../../protocol/http/framing.js";
import { mayDiffer } from "../../../protocol/http/path.js";
import type { RequestHead } from "../../../protocol/http/request.js";
import {
	checkWebSocketRequest,
	WEBSOCKET_MALFORMED,
	WEBSOCKET_VALID,
	WEBSOCKET_VERSION,
} from "../../../protocol/http/upgrade.js";
import { PROTOCOL_HTTP } from "../../../protocol/index.js";
import { admitRequest } from "../../admission/admit.js";
import { closeOwned } from "../../links/owned.js";
import type { BasicAuth } from "../../plan/basic-auth.js";
import type { RoutePlan } from "../../plan/plan.js";
import type { RouteRules } from "../../plan/route-rules.js";
import { scalarIndex } from "../../records/counters.js";
import { routeRequests } from "../../records/rates.js";
import {
	BAD_REQUEST,
	CLIENT_CLOSED,
	LIMIT_BODY,
	LIMIT_CONNECTIONS,
	LIMIT_RATE,
	LOOP,
	NO_ROUTE,
	NO_TUNNEL,
	REJECTED,
	UNAUTHORIZED,
	UPSTREAM_DOWN,
} from "../../records/reasons.js";
import { holdTo } from "../../routing/hold.js";
import { isMisdirected } from "../../routing/misdirected.js";
import { describe } from "../../routing/query.js";
import { EXCHANGES, OURS, READABLE, REPEATABLE } from "../../table/marks.js";
import { ASK_HUB, answer, DIAL_ON, lastAnswer, type Next, to } from "../../table/next.js";
import { NONE, type Session } from "../../table/numbers.js";
import { FIXED, KEEPS_CLIENT, SPEAKS_1_1, WEBSOCKET } from "./columns.js";
import type { Http1Context } from "./context.js";
import { isSafeMethod } from "./finish.js";
import { noteRequest } from "./log.js";

/** The head at hand is whole: where does it go? */
export function routeRequest(core: Http1Context, client: Session): Next {
	const { table, exchanges, query } = core;
	const requestHead = core.headAtHand.of(client);
	const listener = core.listenerOf(client);
	const limits = listener.plan.http;
	const { authority } = requestHead;
	rememberRequest(core, client, limits.requestsPerConnection);
	// What the connection's request before this one had.
	forget(core.tlsFailures, client);
	setRef(table.route, client, NONE);
	setRef(table.upstream, client, NONE);
	noteRequest(core, client, listener);
	if (!admitRequest(core, client, listener.plan)) return answer(429, LIMIT_RATE);

	const webSocket = checkWebSocketRequest(core.kernel.memory, requestHead);
	query.protocol = PROTOCOL_HTTP;
	query.isWebSocket = webSocket === WEBSOCKET_VALID;
	query.name = authority.host;
	query.nameLength = authority.hostLength;
	const isAmbiguous = tellPath(core, client);
	query.family = u8(table.family, client);
	query.sourceOffset = client * 16;
	describe(core, client, query);
	if (isMisdirected(core, listener, client, authority.host, authority.hostLength))
		return lastAnswer(421, BAD_REQUEST);
	const index = listener.router.match(query);
	const route = listener.plan.routes[index];
	if (route === undefined) return answer(404, NO_ROUTE);
	if (isAmbiguous && route.upstream >= 0) {
		// What the server takes it for may have another route, one that rejects it for instance.
		core.counters.badRequest(BAD_PATH);
		return lastAnswer(400, BAD_REQUEST, BAD_PATH);
	}
	setRef(table.route, client, route.slot);
	if (!holdTo(core, client, cell(listener.routePolicies, index))) return answer(503, LIMIT_CONNECTIONS);
	if (core.rates.take(routeRequests(route.slot), route.requestsPerSecond, core.nowMs) > 0)
		return answer(429, LIMIT_RATE);
	core.counters.routed(route.slot);
	const rules = listener.rules[index] as RouteRules; // one for each route
	if (rules.auth !== null && !isAdmitted(core, client, rules.auth)) return answer(401, UNAUTHORIZED);
	if (rules.answer !== null) return answerFixed(core, client, rules, rules.answer, route);
	if (route.upstream < 0) return answer(403, REJECTED);
	if (requestHead.maxForwards === 0) return answer(200, CLIENT_CLOSED);
	setRef(table.upstream, client, route.upstream);
	if ((i32(table.flags, client) & OURS) !== 0) return answer(508, LOOP);
	table.tried[client] = 0;
	table.attempts[client] = 0;
	table.dialled[client] = 0;
	const upstream = core.upstreams.get(route.upstream)?.plan;
	if (upstream?.hub === true) return forHub(core, client, index, webSocket);
	if (upstream?.pool === null) {
		// An upstream of bytes: from this request on the session is relayed, and what was peeked goes with it.
		table.flags[client] = (i32(table.flags, client) & ~EXCHANGES) | READABLE;
		closeOwned(core, client);
		return to(DIAL_ON, UPSTREAM_DOWN);
	}
	exchanges.rules[client] = rules;
	const { bodyBytes } = rules;
	if (requestHead.contentLength > bodyBytes) return lastAnswer(413, LIMIT_BODY);
	if (webSocket === WEBSOCKET_VERSION) return lastAnswer(426, BAD_REQUEST);
	if (webSocket === WEBSOCKET_MALFORMED) return lastAnswer(400, BAD_REQUEST);
	if (webSocket === WEBSOCKET_VALID) exchanges.set(client, WEBSOCKET);
	core.links.lasts[client] = webSocket === WEBSOCKET_VALID ? 1 : 0;
	const framing = framingOf(requestHead);
	exchanges.request.begin(client, framing, requestHead.contentLength, 0, bodyBytes);
	if (framing === FRAMING_NONE && isSafeMethod(requestHead.method))
		table.flags[client] = i32(table.flags, client) | REPEATABLE;
	return to(DIAL_ON, UPSTREAM_DOWN);
}

/** `index`: of its route. The hub answers what has no content, and opens WebSockets of the one version that there is. */
function forHub(core: Http1Context, client: Session, index: number, webSocket: number): Next {
	if (framingOf(core.headAtHand.of(client)) !== FRAMING_NONE) return lastAnswer(400, BAD_REQUEST);
	if (webSocket === WEBSOCKET_VERSION) return lastAnswer(426, BAD_REQUEST);
	if (webSocket === WEBSOCKET_MALFORMED) return lastAnswer(400, BAD_REQUEST);
	closeOwned(core, client);
	return to(ASK_HUB, index);
}

/** Its route asks for a name and a password: has it said good ones? */
function isAdmitted(core: Http1Context, client: Session, auth: BasicAuth): boolean {
	const credentials = basicCredentials(core.kernel.memory, core.headAtHand.of(client));
	// So begins who comes with a browser, which asks its user then.
	if (credentials === undefined) return false;
	if (auth.admits(credentials)) return true;
	core.counters.add(WRONG_PASSWORDS, 1);
	return false;
}

/** Its route says what it is answered with. Of 400 and above that is a refusal. */
function answerFixed(
	core: Http1Context,
	client: Session,
	rules: RouteRules,
	{ status }: FixedAnswer,
	{ noTunnel }: RoutePlan,
): Next {
	core.exchanges.rules[client] = rules;
	core.exchanges.set(client, FIXED);
	if (noTunnel === true) return answer(status, NO_TUNNEL);
	return answer(status, status < 400 ? CLIENT_CLOSED : REJECTED);
}

/**
 * Reads the path of the head at hand into `core.pathForm` where its form counts and may be another than was written. Returns why it
 * is refused, or NO_CAUSE.
 */
export function readPath(core: Http1Context, client: Session): number {
	const { router, plan } = core.listenerOf(client);
	const { paths } = plan.http;
	if (paths === "as_is" || (paths === "match" && !router.looksAtPaths) || !hasForm(core, client))
		return NO_CAUSE;
	const { pathForm } = core;
	const requestHead = core.headAtHand.of(client);
	pathForm.read(core.kernel.memory, requestHead.pathStart, requestHead.pathEnd);
	const { hasNul, isMalformed, isNormal, isDoubtful } = pathForm;
	// A request that goes on as it was written may be for a server that takes a lone `%` for itself.
	const isRefused =
		hasNul || (isMalformed && paths !== "match") || (paths === "strict" && (!isNormal || isDoubtful));
	return isRefused ? BAD_PATH : NO_CAUSE;
}

/** Whether the path at hand is one that may differ from its normal form. */
export function hasForm(core: Http1Context, client: Session): boolean {
	const { pathStart, pathEnd } = core.headAtHand.of(client);
	// `OPTIONS *` has none, and an absolute target may have a query alone.
	return pathStart < pathEnd && mayDiffer(core.kernel.memory, pathStart, pathEnd);
}

/**
 * What routes are matched against: the normal form, which was read just now, where it counts. True: the server is going
 * to read the path as it was written, and may take a `..` in it for another path than is matched.
 */
function tellPath(core: Http1Context, client: Session): boolean {
	const { query, pathForm, kernel } = core;
	const requestHead = core.headAtHand.of(client);
	const { router, plan } = core.listenerOf(client);
	if (router.looksAtPaths && plan.http.paths !== "as_is" && hasForm(core, client)) {
		query.path = pathForm.matched;
		query.pathStart = 0;
		query.pathEnd = pathForm.matchedLength;
		return pathForm.isAmbiguous && plan.http.paths === "match";
	}
	query.path = kernel.memory;
	query.pathStart = requestHead.pathStart;
	query.pathEnd = requestHead.pathEnd;
	return false;
}

/** What must be known of a request when its head is no longer at hand. */
function rememberRequest(core: Http1Context, client: Session, requestsPerConnection: number): void {
	const { exchanges } = core;
	const requestHead = core.headAtHand.of(client);
	exchanges.startedMs[client] = core.nowMs;
	exchanges.method[client] = requestHead.method;
	exchanges.requests[client] = i32(exchanges.requests, client) + 1;
	exchanges.headBytes[client] = framingOf(requestHead) === FRAMING_NONE ? requestHead.headLength : 0;
	if (requestHead.versionMinor === 1) exchanges.set(client, SPEAKS_1_1);
	const isLast = core.draining || i32(exchanges.requests, client) >= requestsPerConnection;
	if (requestHead.keepAlive && !isLast) exchanges.set(client, KEEPS_CLIENT);
	const { host, hostLength } = requestHead.authority;
	core.table.names.keep(client, host, hostLength);
}

/** A body of no bytes is none. */
function framingOf({ framing, contentLength }: RequestHead): number {
	return framing === FRAMING_LENGTH && contentLength === 0 ? FRAMING_NONE : framing;
}

const WRONG_PASSWORDS = scalarIndex("wrongPasswords");
