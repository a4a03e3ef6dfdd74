/**
 * The step in which TLS begins. A client's: its hello has been peeked, and the name in it is one that is terminated
 * here; behind the handshake its route is looked for, or its first bytes are sniffed once more, decrypted. An
 * upstream's: it is connected, and what it is to be told goes through TLS.
 */
import { ENOMEM } from "../../kernel/constants.js";
import { FAILED, type TlsContext, TRUNCATED, WANT_READ, WANT_WRITE } from "../../kernel/openssl/tls.js";
import { at } from "../../parts/at.js";
import { NEED_MORE, PROTOCOL_HTTP, PROTOCOL_TLS } from "../../protocol/index.js";
import type { RouteQuery } from "../../route/router.js";
import { type Core, type ReactorListener, TURN_BYTES } from "../core.js";
import { close } from "../end/close.js";
import { beginExchanges } from "../modes/http1/news.js";
import type { Entry } from "../plan/certificates.js";
import { scalarIndex } from "../records/counters.js";
import { HANDSHAKE_TIMEOUT, INTERNAL, MEMORY_PRESSURE, TLS_FAILED } from "../records/reasons.js";
import { QUEUED, READABLE, SECURE, SECURED, SNIFF } from "../table/table.js";
import { watchOut } from "../wire/outbox.js";
import { OPEN } from "../wire/secures.js";
import { lowerWater } from "../wire/socket-options.js";
import { isSecured, noteFailure } from "../wire/transport.js";
import { connectedSecurely, dialElsewhere, redial } from "./dial.js";
import { takeProxyHeader } from "./proxy-header.js";
import { lingerThenClose } from "./refuse.js";
import { armFirstByte, handshakeEndsAt, sniff, takeRoute } from "./sniff.js";

/**
 * What the first step of a handshake counts against what a turn may move: a signature and a key exchange take as long as
 * copying so much does. The rest of a burst of hellos waits for the next turn, behind whoever has just come.
 */
const HANDSHAKE_COST_BYTES = 256 * 1024;

/** What each further step counts, which mostly derives keys and writes tickets. */
const STEP_COST_BYTES = 32 * 1024;

/** A client whose hello asks for a name that is terminated here. The hello is still in the kernel. */
export function secureClient(
	core: Core,
	client: number,
	entryId: number,
	name: Uint8Array,
	length: number,
): void {
	const { secures, certificates } = core;
	if (lowerWater(core, client) < 0) {
		close(core, client, INTERNAL);
		return;
	}
	const entry = certificates.entry(entryId);
	if (!open(core, client, () => certificates.contextOf(entry))) return;
	// What is kept of it goes with the session.
	takeProxyHeader(core, client);
	secures.entry[client] = entryId;
	secures.alpn[client] = 0;
	secures.keepName(client, name, length);
	core.wheel.arm(client, handshakeEndsAt(core, client));
	beginInTurn(core, client);
}

/** An upstream that is spoken to through TLS is connected. The client's deadline is the handshake's. */
export function secureUpstream(core: Core, link: number, context: () => TlsContext | undefined): void {
	if (open(core, link, context)) beginInTurn(core, link);
}

/** False: the session is closed. */
function open(core: Core, slot: number, contextOf: () => TlsContext | undefined): boolean {
	const { table, tls, secures, counters } = core;
	let context: TlsContext | undefined;
	try {
		context = contextOf();
	} catch (error) {
		// It was good when the plan was made.
		core.remark("error", `TLS: ${(error as Error).message}`);
		close(core, slot, INTERNAL);
		return false;
	}
	if (context === undefined) {
		// Its address went with a reload, and how to speak to it with that.
		dialElsewhere(core, slot);
		return false;
	}
	const session = tls.open(context, at(table.fd, slot));
	if (session < 0) {
		close(core, slot, session === -ENOMEM ? MEMORY_PRESSURE : INTERNAL);
		return false;
	}
	table.state[slot] = SECURE;
	table.flags[slot] = at(table.flags, slot) | SECURED | READABLE;
	secures.begin(slot, session);
	counters.set(TLS_SESSIONS, tls.live);
	return true;
}

/** A handshake begins: now, or when others have had their turn. */
function beginInTurn(core: Core, slot: number): void {
	if (core.turnBytes > 0) beginHandshake(core, slot);
	else core.enqueue(slot);
}

/** Its first step, which is the dear one; or one that had to wait. */
export function beginHandshake(core: Core, slot: number): void {
	core.turnBytes -= HANDSHAKE_COST_BYTES;
	goOn(core, slot);
}

/**
 * News of a connection whose handshake is under way. What was begun is finished before more is begun, or else, when
 * there is too much of it, the time of all of them runs out. But not at any price: a peer can make this step the dear
 * one (TLS 1.2, another key share, a chain to verify), so the turn goes no further into debt than by its own share.
 */
export function handshake(core: Core, slot: number): void {
	// It has not had its first step, or waits for this one.
	if ((at(core.table.flags, slot) & QUEUED) !== 0) return;
	if (core.turnBytes <= -TURN_BYTES) {
		core.enqueue(slot);
		return;
	}
	core.turnBytes -= STEP_COST_BYTES;
	goOn(core, slot);
}

function goOn(core: Core, slot: number): void {
	const { tls, secures } = core;
	const result = tls.handshake(at(secures.session, slot));
	if (result === 0) established(core, slot);
	else if (result === WANT_WRITE) watchOut(core, slot);
	else if (result !== WANT_READ) failed(core, slot, result);
}

function established(core: Core, slot: number): void {
	const { tls, secures, table, counters } = core;
	const session = at(secures.session, slot);
	const isClient = slot < table.sessions;
	secures.phase[slot] = OPEN;
	const resumed = tls.resumed(session);
	if (!isClient) {
		counters.add(resumed ? UPSTREAM_RESUMED : UPSTREAM_FULL, 1);
		connectedSecurely(core, slot);
		return;
	}
	counters.add(resumed ? RESUMED : FULL, 1);
	const { alpn } = core.certificates.entry(at(secures.entry, slot)).plan.server;
	if (alpn.length > 0) secures.alpn[slot] = 1 + alpn.indexOf(tls.alpn(session));
	routeSecured(core, core.listenerOf(slot), slot);
}

/** What is known outside may say where it goes; otherwise what it says inside does. */
function routeSecured(core: Core, listener: ReactorListener, client: number): void {
	const { table, query } = core;
	query.protocol = PROTOCOL_TLS;
	query.nameLength = 0;
	query.family = at(table.family, client);
	query.sourceOffset = client * 16;
	query.pathEnd = query.pathStart;
	describe(core, client, query);
	if (!listener.router.looksInside(query)) {
		const upstream = listener.plan.routes[listener.router.match(query)]?.upstream ?? -1;
		if (listener.plan.readsRequests && upstream >= 0 && core.upstreams.get(upstream)?.plan.pool != null) {
			table.protocol[client] = PROTOCOL_HTTP;
			beginExchanges(core, client, 0, NEED_MORE, 0);
		} else takeRoute(core, listener, client, PROTOCOL_TLS);
		return;
	}
	table.state[client] = SNIFF;
	armFirstByte(core, listener, client);
	// Its first bytes may have come with the end of the handshake, and are not announced again.
	sniff(core, client);
}

/** What routes may ask about a connection's TLS. */
export function describe(core: Core, client: number, query: RouteQuery): void {
	const { secures } = core;
	query.secured = isSecured(core, client);
	if (!query.secured) return;
	query.serverName = secures.nameBytes(client);
	query.serverNameStart = secures.nameOffset(client);
	query.serverNameLength = at(secures.nameLength, client);
	const entry = core.certificates.entry(at(secures.entry, client));
	query.alpn = entry.protocols[at(secures.alpn, client) - 1] ?? NO_PROTOCOL;
}

const NO_PROTOCOL = new Uint8Array(0);

/**
 * A request for a name that is terminated here, in the open; or for one whose clients must show a certificate, on a
 * connection that began under another name: it was not asked for one, or for one of others. `host` in lower case.
 */
export function isMisdirected(
	core: Core,
	listener: ReactorListener,
	client: number,
	host: Uint8Array,
	length: number,
): boolean {
	if (listener.plan.tls.length === 0) return false;
	const wanted = listener.certificates.findForHost(host, length);
	if (wanted < 0) return false;
	if (!isSecured(core, client)) return true;
	const asked = clientCaOf(core.certificates.entry(wanted));
	if (asked === undefined) return false;
	const own = core.certificates.entry(at(core.secures.entry, client));
	const shown = clientCaOf(own);
	if (shown === undefined) return true;
	return asked !== shown && !isEarlier(own, core.certificates.entry(wanted));
}

/** What stood in the place of an entry before a reload: its connections go on with what they showed then. */
function isEarlier(own: Entry, entry: Entry): boolean {
	return own.plan.names.join() === entry.plan.names.join();
}

function clientCaOf(entry: Entry): string | undefined {
	return entry.plan.server.clientCa?.text;
}

function failed(core: Core, slot: number, result: number): void {
	const { table, counters } = core;
	const isClient = slot < table.sessions;
	counters.add(isClient ? FAILURES : UPSTREAM_FAILURES, 1);
	if (result === FAILED && !isClient)
		core.certificates.handshakeFailed(
			at(core.secures.address, slot - table.sessions),
			at(core.secures.session, slot),
		);
	if (result === FAILED) noteFailure(core, slot, core.tls.lastReason());
	else noteFailure(core, slot, result === TRUNCATED ? "ended in the handshake" : "reset in the handshake");
	if (!isClient) redial(core, slot, TLS_FAILED);
	// The library has told it why, by an alert.
	else if (result === FAILED) lingerThenClose(core, slot, TLS_FAILED);
	else close(core, slot, TLS_FAILED);
}

/** The deadline of a client's handshake passed. */
export function handshakeTimedOut(core: Core, client: number): void {
	core.counters.add(FAILURES, 1);
	close(core, client, HANDSHAKE_TIMEOUT);
}

const TLS_SESSIONS = scalarIndex("tlsSessions");
const FULL = scalarIndex("tlsFull");
const RESUMED = scalarIndex("tlsResumed");
const FAILURES = scalarIndex("tlsFailed");
const UPSTREAM_FULL = scalarIndex("tlsUpstreamFull");
const UPSTREAM_RESUMED = scalarIndex("tlsUpstreamResumed");
const UPSTREAM_FAILURES = scalarIndex("tlsUpstreamFailed");
