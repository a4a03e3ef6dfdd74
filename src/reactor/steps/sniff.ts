/**
 * What is this connection? Its bytes stay in the kernel, so that an unfinished hello costs a row and nothing else, and every byte is
 * still there for whoever is dialled. Where `routing/first-bytes.ts` takes them, they are ahead of the session.
 */

import { EAGAIN, ENOBUFS } from "../../kernel/constants.js";
import { copyUnmapped } from "../../kernel/sockaddr.js";
import { f64, i32, u8, u16 } from "../../parts/at.js";
import {
	ALERT_PROTOCOL_VERSION,
	alertForHello,
	beginsSsl2Record,
	COMPLETE,
	NEED_MORE,
	PEEK_LIMIT_BYTES,
	PROTOCOL_HTTP,
	PROTOCOL_OTHER,
	PROTOCOL_TLS,
	PROTOCOL_UNKNOWN,
	PROXY_HEADER_LIMIT_BYTES,
	parseProxyHeader,
	recognize,
	recognizeSsl2Hello,
} from "../../protocol/index.js";
import { admitSource } from "../admission/admit.js";
import { gatherHead } from "../admission/head-room.js";
import type { ReactorListener } from "../admission/listener.js";
import { failed } from "../end/failure.js";
import { tell } from "../end/linger.js";
import { ADDRESS_AT, IN_AT } from "../memory/arena.js";
import type { RoutePlan } from "../plan/plan.js";
import {
	BAD_REQUEST,
	CLIENT_CLOSED,
	HANDSHAKE_TIMEOUT,
	MEMORY_PRESSURE,
	PROXY_HEADER,
	TLS_FAILED,
	UNRECOGNIZED,
} from "../records/reasons.js";
import type { RoutingContext } from "../routing/context.js";
import { mayTake, takeFirst } from "../routing/first-bytes.js";
import { isMisdirected } from "../routing/misdirected.js";
import { matchNameless } from "../routing/query.js";
import {
	AHEAD,
	BY_LINE,
	ENDING,
	LOW_WATER,
	OURS,
	PROXY_READ,
	PROXY_REQUIRED,
	QUEUED,
	SECURED,
	UNDECIDED,
	URGENT,
} from "../table/marks.js";
import {
	end,
	FIRST_HEAD,
	lastAnswer,
	type Next,
	READ_REQUESTS,
	ROUTE,
	refuse,
	SECURE_CLIENT,
	SNIFF_ON,
	STAY,
	to,
} from "../table/next.js";
import type { Session } from "../table/numbers.js";
import { SNIFF } from "../table/states.js";
import { handshakeDeadline } from "../wire/liveness.js";
import { noteNews, notReadable } from "../wire/news.js";
import { widenWindow } from "../wire/socket-options.js";
import { isSecured } from "../wire/tls.js";
import { peek, takeError } from "../wire/transport.js";

/** The most that is ever looked at: a PROXY header and a whole hello. Fits the scratch space. */
const PEEK_BYTES = PROXY_HEADER_LIMIT_BYTES + PEEK_LIMIT_BYTES;

/** In the place of a protocol: what has begun as TLS, HTTP or a PROXY header and stays unfinished is taken for nothing else. */
const HALF_SAID = -1;

/** A new connection: routed at once where no route looks at its bytes, else given its handshake deadline. */
export function begin(core: RoutingContext, listener: ReactorListener, session: Session): Next {
	const proxyRequired = (i32(core.table.flags, session) & PROXY_REQUIRED) !== 0;
	if (!listener.router.peeks && !proxyRequired) {
		noteOurs(core, listener, session);
		// Nothing was asked, so the protocol stays unknown; `other` is what an unconditional route takes.
		return to(ROUTE, PROTOCOL_OTHER);
	}
	const maySilence = listener.router.takesSilence && !proxyRequired;
	core.wheel.arm(session, maySilence ? silenceEndsAt(core, session) : handshakeDeadline(core, session));
	return STAY;
}

/** When a client that says nothing from now on may take the route for such. */
function silenceEndsAt(core: RoutingContext, session: Session): number {
	return Math.min(core.nowMs + core.policyOf(session).silenceMs, handshakeDeadline(core, session));
}

/** News of a client that is being sniffed. */
export function sniffing(core: RoutingContext, session: Session, events: number): Next {
	noteNews(core, session, events);
	// To route and dial is expensive: a crowd of first bytes is spread over turns, so that relayed bytes do not wait for all of it.
	if (core.budget.turnBytes > 0) return sniff(core, session);
	core.queue.add(session);
	return STAY;
}

/** It was sent on to be sniffed once more: behind its handshake, for what it says inside. */
export function sniffInside(core: RoutingContext, session: Session): Next {
	core.table.state[session] = SNIFF;
	armFirstByte(core, core.listenerOf(session), session);
	// Its first bytes may have come with the end of the handshake, and are not announced again.
	return sniff(core, session);
}

/** Looks at what has come, if anything has. */
export function sniff(core: RoutingContext, session: Session): Next {
	const listener = core.listenerOf(session);
	const takes = mayTake(core, listener, session);
	const count = takes ? takeFirst(core, session) : peek(core, session, IN_AT, PEEK_BYTES);
	if (count === -EAGAIN) {
		notReadable(core, session);
		return STAY;
	}
	if (count < 0) return failed(core, session, -count);
	if (count === 0) {
		const owesHeader = (i32(core.table.flags, session) & PROXY_REQUIRED) !== 0;
		return ended(core, listener, session, owesHeader ? HALF_SAID : PROTOCOL_UNKNOWN);
	}
	const next = look(core, listener, session, count);
	if (takes && next === STAY) core.unfinished.note(session);
	return next;
}

function look(core: RoutingContext, listener: ReactorListener, session: Session, count: number): Next {
	const { kernel, table, recognition } = core;
	const proxy = i32(table.flags, session) & (PROXY_REQUIRED | PROXY_READ);
	// Its address may be another's from then on.
	if ((proxy & PROXY_READ) === 0) noteOurs(core, listener, session);
	if (proxy === PROXY_REQUIRED) {
		const next = passProxyHeader(core, session, count);
		if (next !== STAY) return next;
		// Not all of it is there.
		if ((i32(table.flags, session) & PROXY_READ) === 0) return STAY;
	}
	const start = u16(table.proxyHeaderBytes, session);
	if (!listener.router.peeks) return to(ROUTE, PROTOCOL_OTHER);
	if (start === count) return waitForFirstByte(core, listener, session);
	const verdict = recognize(kernel.memory, start, count, recognition);
	core.recognized.mark(session);
	const isInside = isSecured(core, session);
	// Inside TLS, what tells nothing leaves it at that.
	if (!isInside || recognition.protocol !== PROTOCOL_UNKNOWN) table.protocol[session] = recognition.protocol;
	if (!isInside && verdict === COMPLETE && recognition.protocol === PROTOCOL_TLS) {
		const { name, nameLength } = recognition;
		const entry = listener.certificates.find(name, nameLength);
		if (entry >= 0) {
			table.names.keep(session, recognition.name, recognition.nameLength);
			if ((i32(table.flags, session) & AHEAD) !== 0) {
				core.tlsFailures.set(session, TERMINATED_SINCE);
				return end(TLS_FAILED);
			}
			core.secures.entry[session] = entry;
			return SECURE_CLIENT;
		}
	}
	if (
		!isInside &&
		verdict === COMPLETE &&
		recognition.protocol === PROTOCOL_OTHER &&
		listener.plan.tls.length > 0
	) {
		const isSsl2 = seeSsl2(core, listener, session, start, count);
		if (isSsl2 === MAY_BE) {
			table.flags[session] = i32(table.flags, session) | UNDECIDED;
			return waitForMore(core, listener, session, count, count + 1);
		}
		if (isSsl2 === YES) {
			table.protocol[session] = PROTOCOL_TLS;
			return refuseHello(core, session, ALERT_PROTOCOL_VERSION);
		}
	}
	if (verdict === NEED_MORE) {
		const isUndecided = recognition.protocol === PROTOCOL_UNKNOWN;
		const flags = i32(table.flags, session);
		table.flags[session] = isUndecided ? flags | UNDECIDED : flags & ~UNDECIDED;
		return waitForMore(core, listener, session, count, start + recognition.needBytes);
	}
	if (listener.plan.readsRequests && recognition.protocol === PROTOCOL_HTTP) {
		// Malformed or not: the mode of requests knows what to answer.
		core.headAtHand.found(session, verdict, count - start);
		return to(READ_REQUESTS, FIRST_HEAD);
	}
	// TLS within TLS is nothing that names inside could route.
	if (isInside && recognition.protocol === PROTOCOL_TLS) return to(ROUTE, PROTOCOL_OTHER);
	if (verdict === COMPLETE) {
		const { protocol, name, nameLength } = recognition;
		if (protocol === PROTOCOL_HTTP && isMisdirected(core, listener, session, name, nameLength))
			return lastAnswer(421, BAD_REQUEST);
		// What was asked for in the open stays the session's name when nothing inside has one.
		if (!isInside || nameLength > 0) table.names.keep(session, recognition.name, recognition.nameLength);
		return to(ROUTE, protocol);
	}
	if (recognition.protocol === PROTOCOL_TLS)
		return refuseHello(core, session, alertForHello(recognition.cause));
	return refuse(BAD_REQUEST);
}

/** Beside the name, for the log: the TLS library would not find what was taken before. */
const TERMINATED_SINCE =
	"its name is terminated here since a reload that came between two parts of its hello";

/** Tells a client whose hello cannot be gone on with why, by an alert. */
function refuseHello(core: RoutingContext, session: Session, alert: Uint8Array): Next {
	return tell(core, session, alert, UNRECOGNIZED);
}

const NO = 0;
const MAY_BE = 1;
const YES = 2;

/**
 * Where TLS is terminated, a hello of SSL 2 is told that its version is not spoken; and so is any other record of
 * SSL 2 that no route relays.
 */
function seeSsl2(
	core: RoutingContext,
	listener: ReactorListener,
	session: Session,
	start: number,
	count: number,
): number {
	const { memory } = core.kernel;
	const verdict = recognizeSsl2Hello(memory, start, count);
	if (verdict === NEED_MORE) return MAY_BE;
	if (!beginsSsl2Record(u8(memory, start))) return NO;
	const route = namelessRoute(core, listener, session, PROTOCOL_OTHER);
	return verdict !== COMPLETE && route !== undefined && isRelayed(core, route) ? NO : YES;
}

/**
 * Is it a connection of our own to an upstream? Asked when it has said something, because it may be accepted before
 * the reactor that dialled it has written it down. Where no route looks at bytes it may be too early: then it goes
 * round once more.
 */
function noteOurs(core: RoutingContext, listener: ReactorListener, session: Session): void {
	const { table, kernel, loops } = core;
	// It came by a line of an agent's: who says so is no connection of this process.
	if ((i32(table.flags, session) & BY_LINE) !== 0) return;
	const port = u16(table.sourcePort, session);
	if (!loops.maybeOurs(port, listener.plan.port)) return;
	if (kernel.localAddress(i32(table.fd, session), ADDRESS_AT) < 0) return;
	if (loops.isOurs(port, kernel.memory, ADDRESS_AT, table.source, session * 16))
		table.flags[session] = i32(table.flags, session) | OURS;
}

/**
 * Looks for the PROXY header. When it is complete, its address is the client's from now on, and PROXY_READ says so. The header is
 * taken off the stream when something reads behind it.
 */
function passProxyHeader(core: RoutingContext, session: Session, count: number): Next {
	const { kernel, table, proxyHeader } = core;
	const verdict = parseProxyHeader(kernel.memory, 0, count, proxyHeader);
	if (verdict === NEED_MORE)
		return waitForMore(core, core.listenerOf(session), session, count, proxyHeader.needBytes);
	if (verdict !== COMPLETE) return end(PROXY_HEADER);
	table.flags[session] = i32(table.flags, session) | PROXY_READ;
	table.proxyHeaderBytes[session] = proxyHeader.headerLength;
	if (!proxyHeader.isLocal && proxyHeader.family !== 0) {
		const { family, sourceAddress } = proxyHeader;
		table.family[session] = copyUnmapped(family, sourceAddress, table.source, session * 16);
		table.sourcePort[session] = proxyHeader.sourcePort;
	}
	// Limits apply to the client named in the header, not to the balancer. A balancer's own check of us counts as its own.
	return admitSource(core, session);
}

/** The PROXY header came, and nothing of the client's own yet: the client is silent, though its balancer was not. */
function waitForFirstByte(core: RoutingContext, listener: ReactorListener, session: Session): Next {
	if ((i32(core.table.flags, session) & ENDING) !== 0)
		return ended(core, listener, session, PROTOCOL_UNKNOWN);
	armFirstByte(core, listener, session);
	return STAY;
}

/** A client's own first byte is waited for from now on: behind a PROXY header, or inside TLS. */
function armFirstByte(core: RoutingContext, listener: ReactorListener, session: Session): void {
	const endsAtMs = listener.router.takesSilence
		? silenceEndsAt(core, session)
		: handshakeDeadline(core, session);
	core.wheel.arm(session, endsAtMs);
}

function waitForMore(
	core: RoutingContext,
	listener: ReactorListener,
	session: Session,
	count: number,
	needed: number,
): Next {
	const { engine, table } = core;
	const ahead = core.inboxes.length(session);
	if (isSecured(core, session)) {
		const now = gatherHead(core, session, count, f64(table.acceptedMs, session));
		if (now < 0) return now === -ENOBUFS ? end(MEMORY_PRESSURE) : failed(core, session, -now);
		if (now > count) {
			if (core.budget.turnBytes > 0) return SNIFF_ON;
			core.queue.add(session);
			return STAY;
		}
	} else {
		// A window that was configured to be small shuts over what is peeked.
		const { receiveBufferBytes } = core.policyOf(session);
		if (receiveBufferBytes > 0 && 2 * (count - ahead) >= receiveBufferBytes) widenWindow(core, session);
	}
	const flags = i32(table.flags, session);
	const isUndecided = (flags & UNDECIDED) !== 0;
	// It will never be complete.
	if ((flags & ENDING) !== 0) return ended(core, listener, session, isUndecided ? PROTOCOL_OTHER : HALF_SAID);
	// It has spoken, so it is no longer silent; but what it said may be all that it says before the server speaks.
	core.wheel.arm(session, isUndecided ? silenceEndsAt(core, session) : handshakeDeadline(core, session));
	// Where the length of the hello is known, the kernel need not wake us for each dribbled byte of it. Urgent data
	// counts towards the mark but hides what lies behind it from a peek: raising the mark would wake us for ever.
	if ((flags & (URGENT | SECURED)) === 0 && (needed > count + 1 || (flags & LOW_WATER) !== 0)) {
		engine.awaitBytes(session, Math.max(1, needed - ahead));
		table.flags[session] = flags | LOW_WATER;
	}
	return STAY;
}

/**
 * The client ended before it could be routed: with an end, which decides what it spoke, or with a reset behind what
 * it had sent.
 */
function ended(core: RoutingContext, listener: ReactorListener, session: Session, protocol: number): Next {
	const error = takeError(core, session);
	if (error !== 0) return failed(core, session, error);
	const route = takeUndecided(core, listener, session, protocol, false);
	return route === STAY ? end(CLIENT_CLOSED) : route;
}

/** The deadline of this step passed: a client that sent nothing, or nothing clear, may take a route for that; others are closed. */
export function sniffTimedOut(core: RoutingContext, session: Session): Next {
	const listener = core.listenerOf(session);
	const endsAtMs = handshakeDeadline(core, session);
	if ((i32(core.table.flags, session) & QUEUED) !== 0 && core.nowMs < endsAtMs) {
		// It has spoken, and waits for us.
		core.wheel.arm(session, endsAtMs);
		return STAY;
	}
	const isOver = core.nowMs >= endsAtMs;
	const isUndecided = (i32(core.table.flags, session) & UNDECIDED) !== 0;
	const protocol = isUndecided ? PROTOCOL_OTHER : PROTOCOL_UNKNOWN;
	// A client that has sent part of a hello has until the handshake deadline, so what fires before is silence.
	if (isUndecided || !isOver) {
		const route = takeUndecided(core, listener, session, protocol, !isUndecided);
		if (route !== STAY) return route;
	}
	if (isOver) return refuse(HANDSHAKE_TIMEOUT);
	core.wheel.arm(session, endsAtMs);
	return STAY;
}

/**
 * Sends a client that has said nothing (PROTOCOL_UNKNOWN), or nothing that tells what it speaks (PROTOCOL_OTHER), on to its
 * route, when there is one that relays such: who only paused is not turned away for that. `mayRefuse`: or when a route refuses
 * it. STAY: there is none.
 */
function takeUndecided(
	core: RoutingContext,
	listener: ReactorListener,
	session: Session,
	protocol: number,
	mayRefuse: boolean,
): Next {
	if (protocol === HALF_SAID) return STAY;
	const route = namelessRoute(core, listener, session, protocol);
	if (route === undefined || !(mayRefuse || isRelayed(core, route))) return STAY;
	// Silence is no protocol: inside TLS it stays that one.
	if (protocol !== PROTOCOL_UNKNOWN) core.table.protocol[session] = protocol;
	core.recognized.clear();
	return to(ROUTE, protocol);
}

/** The route of a client that speaks this protocol, and gives no name. */
function namelessRoute(
	core: RoutingContext,
	listener: ReactorListener,
	session: Session,
	protocol: number,
): RoutePlan | undefined {
	return listener.plan.routes[matchNameless(core, listener, session, protocol)];
}

/** It leads to an upstream of bytes. */
function isRelayed(core: RoutingContext, { upstream }: RoutePlan): boolean {
	return upstream >= 0 && core.upstreams.get(upstream)?.plan.pool == null;
}
