/**
 * A connection's life is a straight road, and this file is its map: the only one that knows all steps and modes, and what follows
 * what. Steps and modes know nothing of each other: each returns where its session goes next.
 *
 *     accept ─► admit ─► sniff ─► route ─► dial ─► PROXY header ─► (secure) ─► relay
 *                         ▲ │                                        │
 *                         │ └► secure ─► inside: sniff, route, …     └► requests: read ─► route ─► dial or lend ─► exchange ─► read …
 *                         └──────┘
 *     an agent's line ─► a visitor comes ─► admit … (its accept)
 *     datagrams of a client ─► recognised ─► route ─► dial, or an agent's line ─► datagrams pass
 *     a subscriber of the hub ─► route ─► the main thread is asked ─► messages go to it
 *     from anywhere: refuse, answer ─► linger ─► close
 */

import { assert } from "../parts/assert.js";
import { i32, ref, u8 } from "../parts/at.js";
import { REASONS } from "../parts/reasons.js";
import type { AnswerStatus } from "../protocol/http/answers.js";
import { HTTP_CAUSES } from "../protocol/http/causes.js";
import { admit } from "./admission/admit.js";
import { close } from "./end/close.js";
import { flushing, flushTimedOut, lingering, lingerTimedOut } from "./end/linger.js";
import { proving, provingTimedOut } from "./lines/prove.js";
import { linkTimedOut, pooled } from "./links/pool.js";
import { answered } from "./modes/datagram/answer.js";
import { heardByEar } from "./modes/datagram/arrive.js";
import type { DatagramContext } from "./modes/datagram/context.js";
import { datagramsTimedOut } from "./modes/datagram/deadlines.js";
import { dialDatagrams } from "./modes/datagram/dial.js";
import { framesNews, readFrames } from "./modes/datagram/from-line.js";
import { serviceNews } from "./modes/datagram/service.js";
import { answerAndEnd, answerRequest, answerWith } from "./modes/http1/answer.js";
import type { Http1Context } from "./modes/http1/context.js";
import { cutRequest, giveOver } from "./modes/http1/finish.js";
import { exchangeNews, requestNews } from "./modes/http1/news.js";
import { beginRequests, readRequest } from "./modes/http1/read-request.js";
import { readResponse } from "./modes/http1/read-response.js";
import { sendRequest } from "./modes/http1/send-request.js";
import { exchangeTimedOut, requestTimedOut } from "./modes/http1/timeouts.js";
import {
	askedNews,
	askedTimedOut,
	askHub,
	beginSubscriber,
	refusalOf,
	verdictOf,
} from "./modes/hub/begin.js";
import type { HubContext } from "./modes/hub/context.js";
import { subscriberTimedOut } from "./modes/hub/deadlines.js";
import { leaveHub } from "./modes/hub/members.js";
import { subscriberNews, subscriberTurn } from "./modes/hub/read.js";
import { relayTimedOut } from "./modes/relay/deadlines.js";
import { beginRelay, relaying, relayQueued } from "./modes/relay/relay.js";
import type { OwnLinesContext } from "./own-lines/context.js";
import { ownLineNews, ownLineTimedOut } from "./own-lines/open.js";
import { scalarIndex } from "./records/counters.js";
import { INTERNAL, MEMORY_PRESSURE, REJECTED, UNAUTHORIZED } from "./records/reasons.js";
import { connecting, dialElsewhere, dialling, dialTimedOut, ready, redial } from "./steps/dial.js";
import { passProxyHeaderOn, takeProxyHeader } from "./steps/proxy-header.js";
import { refuseInItsWords } from "./steps/refuse.js";
import { route } from "./steps/route.js";
import {
	beginHandshake,
	handshake,
	handshakeTimedOut,
	secureClient,
	secureUpstream,
} from "./steps/secure.js";
import { begin, sniff, sniffInside, sniffing, sniffTimedOut } from "./steps/sniff.js";
import { FLOW, KIND } from "./table/fields.js";
import { EXCHANGES, HAD_REQUESTS } from "./table/marks.js";
import {
	ANSWER,
	ARRIVED,
	ASK_HUB,
	argumentOf,
	CAUSES_MAX,
	CONNECTED,
	causeOf,
	DIAL_ON,
	END,
	end,
	INSIDE,
	LAST_ANSWER,
	type Next,
	READ_ANSWER,
	READ_FRAMES,
	READ_ON,
	READ_REQUESTS,
	READY,
	REASONS_MAX,
	REDIAL,
	REFUSE,
	RELAY_ON,
	ROUTE,
	reasonOf,
	SECURE_CLIENT,
	SECURE_UPSTREAM,
	SEND_REQUEST,
	SNIFF_ON,
	STAY,
	SUBSCRIBED,
	statusOf,
	to,
	UNSUBSCRIBED,
	whereOf,
} from "./table/next.js";
import { type Link, NONE, type Session, type Slot } from "./table/numbers.js";
import {
	ASKED,
	CONNECTING,
	DATAGRAM,
	DIAL,
	EXCHANGE,
	FLUSH,
	FRAMES,
	FREE,
	HUB,
	LINGER,
	OWN_LINE,
	POOLED,
	PROVING,
	RELAY,
	REQUEST,
	SECURE,
	SERVICE,
	SNIFF,
} from "./table/states.js";
import { watch } from "./wire/interest.js";
import { resume } from "./wire/pace.js";
import { WANTED } from "./wire/secures.js";

/** What the road knows of a reactor: all that its steps and modes do. */
export type RoadContext = Http1Context & OwnLinesContext & DatagramContext & HubContext;

/**
 * Steps that follow each other without news in between, at most. The longest way goes over every address of an upstream that
 * fails at once, and from record to record of TLS; the turn's bytes end that long before.
 */
const HOPS_MAX = 10_000;

assert(
	REASONS.length <= REASONS_MAX && HTTP_CAUSES.length <= CAUSES_MAX,
	"every reason and cause fits into Next",
);

/** Sends a session on until it stays somewhere, or is over. */
export function go(core: RoadContext, session: Session, next: Next): void {
	assert(session !== NONE, "what goes on is a session");
	for (let hops = 0; next !== STAY; hops++) {
		assert(hops < HOPS_MAX, "a session comes to rest");
		next = follow(core, session, next);
	}
}

/** What follows. */
function follow(core: RoadContext, session: Session, next: Next): Next {
	switch (whereOf(next)) {
		case READ_ANSWER:
			return readResponse(core, session);
		case SEND_REQUEST:
			return sendRequest(core, session, argumentOf(next));
		case DIAL_ON:
			if (takesDatagrams(core, session)) return dialDatagrams(core, session, argumentOf(next));
			return dialElsewhere(core, session, argumentOf(next));
		case READ_ON:
			return readRequest(core, session);
		case RELAY_ON:
			return beginRelay(core, session, argumentOf(next));
		case CONNECTED:
			return connected(core, session, argumentOf(next));
		case READY:
			return ready(core, session, argumentOf(next));
		case ROUTE:
			return route(core, session, argumentOf(next));
		case ARRIVED:
			return arrived(core, session);
		case SNIFF_ON:
			return sniff(core, session);
		case READ_REQUESTS:
			takeProxyHeader(core, session);
			return beginRequests(core, session, argumentOf(next));
		case SECURE_CLIENT:
			takeProxyHeader(core, session);
			return secureClient(core, session);
		case INSIDE:
			return sniffInside(core, session);
		case SECURE_UPSTREAM:
			return secureUpstream(core, session);
		case REDIAL:
			return redial(core, session, argumentOf(next));
		case READ_FRAMES:
			return readFrames(core, session);
		case ASK_HUB:
			return forHub(core, session, argumentOf(next));
		case SUBSCRIBED:
			return subscribed(core, session);
		case UNSUBSCRIBED:
			return unsubscribed(core, session);
		case REFUSE:
			// Whoever sends datagrams may be anybody: nothing is said to him.
			if (isFlow(core, session)) return end(reasonOf(next));
			return refuseInItsWords(core, session, reasonOf(next));
		case ANSWER:
			return answerRequest(core, session, statusOf(next) as AnswerStatus, reasonOf(next), causeOf(next));
		case LAST_ANSWER:
			return answerAndEnd(core, session, statusOf(next) as AnswerStatus, reasonOf(next), causeOf(next));
		case END:
			over(core, session, reasonOf(next), causeOf(next));
			return STAY;
		default:
			throw new Error(`a session was sent to where there is nothing: ${next}`);
	}
}

/** Its client has no descriptor: it sends datagrams. */
function isFlow({ table }: RoadContext, session: Session): boolean {
	return (i32(table.flags, session) & KIND) === FLOW;
}

/** Its upstream takes datagrams, whoever the client is: at an agent it is a line, on which they come as frames. */
function takesDatagrams(core: RoadContext, session: Session): boolean {
	const upstream = core.upstreams.get(ref(core.table.upstream, session));
	return isFlow(core, session) || upstream?.plan.responses !== undefined;
}

/** `index`: of its route. */
function forHub(core: RoadContext, session: Session, index: number): Next {
	const route = core.listenerOf(session).plan.routes[index];
	return route === undefined ? end(INTERNAL) : askHub(core, session, route);
}

/** What the hub says to its request is the request's answer, and the last one of its connection. */
function subscribed(core: RoadContext, session: Session): Next {
	const status = verdictOf(core, session, "accept")?.status ?? 0;
	if (status > 0) giveOver(core, session, status);
	return beginSubscriber(core, session);
}

function unsubscribed(core: RoadContext, session: Session): Next {
	const refusal = refusalOf(core, session);
	if (refusal === undefined) return end(INTERNAL);
	const { bytes, status } = refusal;
	const reason = status === 401 || status === 403 ? UNAUTHORIZED : REJECTED;
	return answerWith(core, session, bytes, status, reason);
}

/** The one place where a session ends. */
function over(core: RoadContext, session: Session, reason: number, cause: number): void {
	const hadRequests = (i32(core.table.flags, session) & HAD_REQUESTS) !== 0;
	leaveHub(core, session);
	close(core, session, reason, hadRequests && cutRequest(core, session, reason, cause));
}

/** A connection has been accepted: may it stay, and does a route look at its bytes? */
function arrived(core: RoadContext, session: Session): Next {
	const listener = core.listenerOf(session);
	const turnedAway = admit(core, listener, session);
	if (turnedAway !== STAY) return turnedAway;
	if (watch(core, session) < 0) return end(MEMORY_PRESSURE);
	return begin(core, listener, session);
}

/** Its upstream connection is there. In the open, whatever follows, comes the PROXY header; requests bring theirs in a field. */
function connected(core: RoadContext, session: Session, events: number): Next {
	const { table, secures } = core;
	if ((i32(table.flags, session) & EXCHANGES) === 0) {
		const next = passProxyHeaderOn(core, session);
		if (next !== STAY) return next;
	}
	return u8(secures.phase, table.linkOf(session)) === WANTED ? SECURE_UPSTREAM : to(READY, events);
}

/** News of a connection. */
export function heard(core: RoadContext, slot: Slot, events: number): void {
	const { table } = core;
	const state = u8(table.state, slot);
	// Its session, while it has one: by the end of the step it may be another's.
	const session = table.sessionOf(slot);
	const next =
		state === RELAY ? relaying(core, slot, events) : heardElsewhere(core, slot, session, state, events);
	if (next !== STAY) go(core, session, next);
}

function heardElsewhere(
	core: RoadContext,
	slot: Slot,
	session: Session,
	state: number,
	events: number,
): Next {
	switch (state) {
		case EXCHANGE:
			return exchangeNews(core, slot, events);
		case REQUEST:
			return requestNews(core, session, events);
		case CONNECTING:
			return connecting(core, slot as Link, events);
		case SNIFF:
			return sniffing(core, session, events);
		case SECURE:
			return handshake(core, slot, events);
		case DIAL:
			return isFlow(core, session) ? heardByEar(core, session) : dialling(core, session, events);
		case DATAGRAM:
			return core.table.isClient(slot) ? heardByEar(core, slot) : answered(core, slot as Link);
		case FRAMES:
			return framesNews(core, slot, events);
		case SERVICE:
			return serviceNews(core, slot as Link);
		case HUB:
			return subscriberNews(core, session, events);
		case ASKED:
			return askedNews(core, session, events);
		case LINGER:
			return lingering(core, session);
		case FLUSH:
			return flushing(core, session, events);
		case POOLED:
			pooled(core, slot as Link);
			return STAY;
		case PROVING:
			proving(core, slot as Link, events);
			return STAY;
		case OWN_LINE:
			ownLineNews(core, slot as Link, events);
			return STAY;
		case FREE:
			core.counters.add(STALE_EVENTS, 1);
			return STAY;
		default:
			throw new Error(`row ${slot} is in no known state: ${state}`);
	}
}

/** A connection that waited in the queue has its turn. */
export function hadTurn(core: RoadContext, slot: Slot): void {
	const { table } = core;
	const session = table.sessionOf(slot);
	const next = goOn(core, slot, session, u8(table.state, slot));
	if (next !== STAY) go(core, session, next);
}

function goOn(core: RoadContext, slot: Slot, session: Session, state: number): Next {
	switch (state) {
		case RELAY:
			return relayQueued(core, slot);
		case EXCHANGE:
			return exchangeNews(core, slot, 0);
		case REQUEST:
			return readRequest(core, session);
		case HUB:
			return subscriberTurn(core, session);
		case LINGER:
			return lingering(core, session);
		case SNIFF:
			return sniff(core, session);
		case SECURE:
			return beginHandshake(core, slot);
		case FRAMES:
			return readFrames(core, slot);
		case OWN_LINE:
			ownLineNews(core, slot as Link, 0);
			return STAY;
		default:
			return STAY;
	}
}

/** A deadline passed. A session's lies on its client's row; on its upstream's, when its rate lets it go on. Pooled connections have their own. */
export function timedOut(core: RoadContext, slot: Slot): void {
	const { table } = core;
	if (!table.isClient(slot)) {
		const state = u8(table.state, slot);
		if (state === POOLED) linkTimedOut(core, slot as Link);
		else if (state === PROVING) provingTimedOut(core, slot as Link);
		else if (state === OWN_LINE) ownLineTimedOut(core, slot as Link);
		else resume(core, slot as Link);
		return;
	}
	const session = table.sessionOf(slot);
	assert(session !== NONE, "a deadline is a session's");
	const next = overdue(core, session, u8(table.state, session));
	if (next !== STAY) go(core, session, next);
}

function overdue(core: RoadContext, session: Session, state: number): Next {
	switch (state) {
		case SNIFF:
			return sniffTimedOut(core, session);
		case SECURE:
			return handshakeTimedOut(core);
		case DIAL:
			return dialTimedOut(core, session);
		case RELAY:
			return relayTimedOut(core, session);
		case DATAGRAM:
		case FRAMES:
			return datagramsTimedOut(core, session);
		case HUB:
			return subscriberTimedOut(core, session);
		case ASKED:
			return askedTimedOut();
		case LINGER:
			return lingerTimedOut(core, session);
		case FLUSH:
			return flushTimedOut(core, session);
		case REQUEST:
			return requestTimedOut(core, session);
		case EXCHANGE:
			return exchangeTimedOut(core, session);
		default:
			throw new Error(`a deadline fired for row ${session}, which has no step that sets one`);
	}
}

const STALE_EVENTS = scalarIndex("staleEvents");
