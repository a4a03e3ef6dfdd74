/**
 * Third step: what is this connection, and where does it go? Bytes are peeked, never taken, so an
 * unfinished hello costs a row and nothing else, and whoever is dialled finds every byte still there.
 */
import { EAGAIN, ENOBUFS, SO_RCVLOWAT, SOL_SOCKET } from "../../kernel/constants.js";
import { copyUnmapped } from "../../kernel/sockaddr.js";
import { at } from "../../parts/at.js";
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
import type { Core, ReactorListener } from "../core.js";
import { close, closeFailed } from "../end/close.js";
import { beginExchanges } from "../modes/http1/news.js";
import type { RoutePlan } from "../plan/plan.js";
import {
	BAD_REQUEST,
	CLIENT_CLOSED,
	HANDSHAKE_TIMEOUT,
	INTERNAL,
	LOOP,
	MEMORY_PRESSURE,
	NO_CERTIFICATE,
	NO_ROUTE,
	PROXY_HEADER,
	REJECTED,
} from "../records/reasons.js";
import {
	ENDING,
	LOW_WATER,
	NAME_BYTES,
	OURS,
	PROXY_READ,
	PROXY_REQUIRED,
	QUEUED,
	SECURED,
	UNDECIDED,
	URGENT,
} from "../table/table.js";
import { lowerWater, widenWindow } from "../wire/socket-options.js";
import { gather, isSecured, peek, takeError } from "../wire/transport.js";
import { dial } from "./dial.js";
import { answerAndClose, refuse, refuseHello } from "./refuse.js";
import { describe, isMisdirected, secureClient } from "./secure.js";

/** The most that is ever looked at: a PROXY header and a whole hello. Fits the scratch space. */
const PEEK_BYTES = PROXY_HEADER_LIMIT_BYTES + PEEK_LIMIT_BYTES;

/** In the place of a protocol: what has begun as TLS, HTTP or a PROXY header and stays unfinished is nobody else's. */
const HALF_SAID = -1;

/** A new connection: routed at once where no route looks at its bytes, else given its handshake deadline. */
export function begin(core: Core, listener: ReactorListener, slot: number): void {
	const proxyRequired = (at(core.table.flags, slot) & PROXY_REQUIRED) !== 0;
	if (!listener.router.peeks && !proxyRequired) {
		noteOurs(core, listener, slot);
		// Nothing was asked, so the protocol stays unknown; `other` is what an unconditional route takes.
		takeRoute(core, listener, slot, PROTOCOL_OTHER);
		return;
	}
	const maySilence = listener.router.takesSilence && !proxyRequired;
	core.wheel.arm(slot, maySilence ? silenceEndsAt(core, slot) : handshakeEndsAt(core, slot));
}

/** The handshake deadline counts from accept, and nothing renews it. */
export function handshakeEndsAt(core: Core, slot: number): number {
	return at(core.table.acceptedMs, slot) + core.policyOf(slot).handshakeMs;
}

/** When a client that says nothing from now on may take the route for such. */
function silenceEndsAt(core: Core, slot: number): number {
	return Math.min(core.nowMs + core.policyOf(slot).silenceMs, handshakeEndsAt(core, slot));
}

/** Bytes came, or the client ended. */
export function sniff(core: Core, slot: number): void {
	const listener = core.listenerOf(slot);
	const count = peek(core, slot, 0, PEEK_BYTES);
	if (count === -EAGAIN) return;
	if (count < 0) {
		closeFailed(core, slot, -count);
		return;
	}
	if (count === 0) {
		const owesHeader = (at(core.table.flags, slot) & PROXY_REQUIRED) !== 0;
		ended(core, listener, slot, owesHeader ? HALF_SAID : PROTOCOL_UNKNOWN);
		return;
	}
	look(core, listener, slot, count);
}

function look(core: Core, listener: ReactorListener, slot: number, count: number): void {
	const { kernel, table, recognition } = core;
	const proxy = at(table.flags, slot) & (PROXY_REQUIRED | PROXY_READ);
	// Its address may be another's from then on.
	if ((proxy & PROXY_READ) === 0) noteOurs(core, listener, slot);
	if (proxy === PROXY_REQUIRED && !passProxyHeader(core, slot, count)) return;
	const start = at(table.proxyHeaderBytes, slot);
	if (!listener.router.peeks) {
		takeRoute(core, listener, slot, PROTOCOL_OTHER);
		return;
	}
	if (start === count) {
		waitForFirstByte(core, listener, slot);
		return;
	}
	const verdict = recognize(kernel.memory, start, count, recognition);
	const isInside = isSecured(core, slot);
	// Inside TLS, what tells nothing leaves it at that.
	if (!isInside || recognition.protocol !== PROTOCOL_UNKNOWN) table.protocol[slot] = recognition.protocol;
	if (!isInside && verdict === COMPLETE && recognition.protocol === PROTOCOL_TLS) {
		const { name, nameLength } = recognition;
		const entry = listener.certificates.find(name, nameLength);
		if (entry >= 0) {
			keepName(core, slot);
			secureClient(core, slot, entry, name, nameLength);
			return;
		}
	}
	if (!isInside && verdict === COMPLETE && recognition.protocol === PROTOCOL_OTHER)
		if (listener.plan.tls.length > 0 && seeSsl2(core, listener, slot, start, count)) return;
	if (verdict === NEED_MORE) {
		const isUndecided = recognition.protocol === PROTOCOL_UNKNOWN;
		const flags = at(table.flags, slot);
		table.flags[slot] = isUndecided ? flags | UNDECIDED : flags & ~UNDECIDED;
		waitForMore(core, listener, slot, count, start + recognition.needBytes);
	} else if (listener.plan.readsRequests && recognition.protocol === PROTOCOL_HTTP) {
		// Malformed or not: who reads requests knows what to answer.
		beginExchanges(core, slot, at(table.acceptedMs, slot), verdict, count - start);
	} else if (isInside && recognition.protocol === PROTOCOL_TLS) {
		// TLS within TLS is nothing that names inside could route.
		takeRoute(core, listener, slot, PROTOCOL_OTHER);
	} else if (verdict === COMPLETE) {
		const { protocol, name, nameLength } = recognition;
		if (protocol === PROTOCOL_HTTP && isMisdirected(core, listener, slot, name, nameLength)) {
			answerAndClose(core, slot, 421, BAD_REQUEST);
			return;
		}
		// What was asked for in the open stays the session's name when nothing inside has one.
		if (!isInside || nameLength > 0) keepName(core, slot);
		takeRoute(core, listener, slot, protocol);
	} else if (recognition.protocol === PROTOCOL_TLS) refuseHello(core, slot, alertForHello(recognition.cause));
	else refuse(core, slot, BAD_REQUEST);
}

/**
 * Where TLS is terminated, a hello of SSL 2 is told that its version is not spoken; and so is any other record of
 * SSL 2 that no route relays. True: it is, or it may yet become one.
 */
function seeSsl2(core: Core, listener: ReactorListener, slot: number, start: number, count: number): boolean {
	const { memory } = core.kernel;
	const verdict = recognizeSsl2Hello(memory, start, count);
	if (verdict === NEED_MORE) {
		core.table.flags[slot] = at(core.table.flags, slot) | UNDECIDED;
		waitForMore(core, listener, slot, count, count + 1);
		return true;
	}
	if (!beginsSsl2Record(at(memory, start))) return false;
	const route = namelessRoute(core, listener, slot, PROTOCOL_OTHER);
	if (verdict !== COMPLETE && route !== undefined && isRelayed(core, route)) return false;
	core.table.protocol[slot] = PROTOCOL_TLS;
	refuseHello(core, slot, ALERT_PROTOCOL_VERSION);
	return true;
}

/**
 * Is it a connection of our own to an upstream? Asked when it has said something, because it may be accepted before
 * the reactor that dialled it has written it down. Where no route looks at bytes it may be too early: then it goes
 * round once more.
 */
function noteOurs(core: Core, listener: ReactorListener, slot: number): void {
	const { table, kernel, loops, addressAt } = core;
	const port = at(table.sourcePort, slot);
	if (!loops.maybeOurs(port, listener.plan.port)) return;
	if (kernel.localAddress(at(table.fd, slot), addressAt) < 0) return;
	if (loops.isOurs(port, kernel.memory, addressAt, table.source, slot * 16))
		table.flags[slot] = at(table.flags, slot) | OURS;
}

/** True when the PROXY header is complete: its address is the client's from now on. It is consumed when relaying begins. */
function passProxyHeader(core: Core, slot: number, count: number): boolean {
	const { kernel, table, proxyHeader } = core;
	const verdict = parseProxyHeader(kernel.memory, 0, count, proxyHeader);
	if (verdict === NEED_MORE) {
		waitForMore(core, core.listenerOf(slot), slot, count, proxyHeader.needBytes);
		return false;
	}
	if (verdict !== COMPLETE) {
		close(core, slot, PROXY_HEADER);
		return false;
	}
	table.flags[slot] = at(table.flags, slot) | PROXY_READ;
	table.proxyHeaderBytes[slot] = proxyHeader.headerLength;
	if (!proxyHeader.isLocal && proxyHeader.family !== 0) {
		table.family[slot] = copyUnmapped(proxyHeader.family, proxyHeader.sourceAddress, table.source, slot * 16);
		table.sourcePort[slot] = proxyHeader.sourcePort;
	}
	// The sender is a balancer; limits count whom it speaks for. A balancer's own check of us counts as its own.
	return admitSource(core, slot);
}

/** The PROXY header came, and nothing of the client's own yet: that client is silent, whoever stands before it. */
function waitForFirstByte(core: Core, listener: ReactorListener, slot: number): void {
	if ((at(core.table.flags, slot) & ENDING) !== 0) ended(core, listener, slot, PROTOCOL_UNKNOWN);
	else armFirstByte(core, listener, slot);
}

/** A client's own first byte is waited for from now on: behind a PROXY header, or inside TLS. */
export function armFirstByte(core: Core, listener: ReactorListener, slot: number): void {
	const endsAtMs = listener.router.takesSilence ? silenceEndsAt(core, slot) : handshakeEndsAt(core, slot);
	core.wheel.arm(slot, endsAtMs);
}

function waitForMore(
	core: Core,
	listener: ReactorListener,
	slot: number,
	count: number,
	needed: number,
): void {
	const { kernel, table } = core;
	if (isSecured(core, slot)) {
		const now = gather(core, slot, count);
		if (now < 0) {
			if (now === -ENOBUFS) close(core, slot, MEMORY_PRESSURE);
			else closeFailed(core, slot, -now);
			return;
		}
		if (now > count) {
			if (core.turnBytes > 0) sniff(core, slot);
			else core.enqueue(slot);
			return;
		}
	} else {
		// A window that was configured to be small shuts over what is peeked.
		const { receiveBufferBytes } = core.policyOf(slot);
		if (receiveBufferBytes > 0 && 2 * count >= receiveBufferBytes) widenWindow(core, slot);
	}
	const flags = at(table.flags, slot);
	const isUndecided = (flags & UNDECIDED) !== 0;
	if ((flags & ENDING) !== 0) {
		// It will never be complete.
		ended(core, listener, slot, isUndecided ? PROTOCOL_OTHER : HALF_SAID);
		return;
	}
	// It has spoken, so it is no longer silent; but what it said may be all that it says before the server speaks.
	core.wheel.arm(slot, isUndecided ? silenceEndsAt(core, slot) : handshakeEndsAt(core, slot));
	// Where the length of the hello is known, the kernel need not wake us for each dribbled byte of it. Urgent data
	// counts towards the mark but hides what lies behind it from a peek: raising the mark would wake us for ever.
	if ((flags & (URGENT | SECURED)) !== 0) return;
	if (needed > count + 1 || (flags & LOW_WATER) !== 0) {
		kernel.setOption(at(table.fd, slot), SOL_SOCKET, SO_RCVLOWAT, Math.max(1, needed));
		table.flags[slot] = flags | LOW_WATER;
	}
}

/**
 * The client ended before it could be routed: with an end, which decides what it spoke, or with a reset behind what
 * it had sent.
 */
function ended(core: Core, listener: ReactorListener, slot: number, protocol: number): void {
	const error = takeError(core, slot);
	if (error !== 0) closeFailed(core, slot, error);
	else if (!takeUndecided(core, listener, slot, protocol, false)) close(core, slot, CLIENT_CLOSED);
}

/** The deadline of this step passed: who said nothing, or nothing clear, may take the route for such; others are closed. */
export function sniffTimedOut(core: Core, slot: number): void {
	const listener = core.listenerOf(slot);
	const endsAtMs = handshakeEndsAt(core, slot);
	if ((at(core.table.flags, slot) & QUEUED) !== 0 && core.nowMs < endsAtMs) {
		// It has spoken, and waits for us.
		core.wheel.arm(slot, endsAtMs);
		return;
	}
	const isOver = core.nowMs >= endsAtMs;
	const isUndecided = (at(core.table.flags, slot) & UNDECIDED) !== 0;
	const protocol = isUndecided ? PROTOCOL_OTHER : PROTOCOL_UNKNOWN;
	// A client that has sent part of a hello has until the handshake deadline, so what fires before is silence.
	const mayRoute = isUndecided || !isOver;
	if (mayRoute && takeUndecided(core, listener, slot, protocol, !isUndecided)) return;
	if (isOver) refuse(core, slot, HANDSHAKE_TIMEOUT);
	else core.wheel.arm(slot, endsAtMs);
}

/**
 * Routes a client that has said nothing (PROTOCOL_UNKNOWN), or nothing that tells what it speaks (PROTOCOL_OTHER), when
 * a route relays such: who only paused is not turned away for that. `mayRefuse`: or when a route refuses it.
 */
function takeUndecided(
	core: Core,
	listener: ReactorListener,
	slot: number,
	protocol: number,
	mayRefuse: boolean,
): boolean {
	if (protocol === HALF_SAID) return false;
	const route = namelessRoute(core, listener, slot, protocol);
	if (route === undefined || !(mayRefuse || isRelayed(core, route))) return false;
	// Silence is no protocol: inside TLS it stays that one.
	if (protocol !== PROTOCOL_UNKNOWN) core.table.protocol[slot] = protocol;
	takeRoute(core, listener, slot, protocol);
	return true;
}

/** The route of a client that speaks this protocol, and names nobody. */
function namelessRoute(
	core: Core,
	listener: ReactorListener,
	slot: number,
	protocol: number,
): RoutePlan | undefined {
	core.query.protocol = protocol;
	return listener.plan.routes[match(core, listener, slot, 0)];
}

/** It leads to an upstream of bytes. */
function isRelayed(core: Core, { upstream }: RoutePlan): boolean {
	return upstream >= 0 && core.upstreams.get(upstream)?.plan.pool == null;
}

/** Routes a connection whose protocol (and name, if it has one) is known. */
export function takeRoute(core: Core, listener: ReactorListener, slot: number, protocol: number): void {
	const { table } = core;
	table.recognizedMs[slot] = core.nowMs;
	core.query.protocol = protocol;
	const index = match(core, listener, slot, listener.router.peeks ? core.recognition.nameLength : 0);
	const route = listener.plan.routes[index];
	if (route === undefined) {
		refuse(core, slot, NO_ROUTE);
		return;
	}
	table.route[slot] = route.slot;
	core.counters.routed(route.slot);
	if (route.upstream < 0) {
		refuse(core, slot, REJECTED);
		return;
	}
	core.counters.handshakeTook(listener.plan.slot, core.nowMs - at(table.acceptedMs, slot));
	if (lowerWater(core, slot) < 0) {
		close(core, slot, INTERNAL);
		return;
	}
	table.upstream[slot] = route.upstream;
	if ((at(table.flags, slot) & OURS) !== 0) {
		refuse(core, slot, LOOP);
		return;
	}
	if (core.upstreams.get(route.upstream)?.plan.pool != null) {
		refuseUnreadable(core, slot, protocol);
		return;
	}
	dial(core, slot);
}

/** Its upstream takes requests, and this is none. */
function refuseUnreadable(core: Core, slot: number, protocol: number): void {
	if (protocol !== PROTOCOL_TLS) {
		refuse(core, slot, BAD_REQUEST);
		return;
	}
	core.tlsFailures.set(slot, NOT_TERMINATED);
	refuse(core, slot, NO_CERTIFICATE);
}

/** Beside the name, for the log. */
const NOT_TERMINATED =
	"its route leads to an upstream of requests, and no certificate of the listener is for this name";

function match(core: Core, listener: ReactorListener, slot: number, nameLength: number): number {
	const { query, table } = core;
	query.nameLength = query.protocol === PROTOCOL_UNKNOWN ? 0 : nameLength;
	query.name = core.recognition.name;
	query.family = at(table.family, slot);
	query.sourceOffset = slot * 16;
	query.pathEnd = query.pathStart;
	describe(core, slot, query);
	query.isWebSocket = false;
	return listener.router.match(query);
}

/** Copies the recognised name into the row, for the log. */
function keepName(core: Core, slot: number): void {
	const { table, recognition } = core;
	const { name, nameLength } = recognition;
	table.nameLength[slot] = nameLength;
	if (nameLength > NAME_BYTES) core.longNames.set(slot, name.slice(0, nameLength));
	else for (let i = 0; i < nameLength; i++) table.name[slot * NAME_BYTES + i] = at(name, i);
}
