/** How routes are asked: what is known of a session is put into the query that all sessions share. */

import { i32, u8 } from "../../parts/at.js";
import { ClientHello, PROTOCOL_DTLS, PROTOCOL_QUIC, PROTOCOL_UNKNOWN } from "../../protocol/index.js";
import type { RouteQuery } from "../../route/router.js";
import type { ReactorListener } from "../admission/listener.js";
import { NONE, type Session } from "../table/numbers.js";
import { isSecured } from "../wire/tls.js";
import type { RoutingContext } from "./context.js";

/** The route of a client that was sniffed, as its place in the plan; below 0: none. `protocol`: what it is taken for. */
export function matchSniffed(
	core: RoutingContext,
	listener: ReactorListener,
	session: Session,
	protocol: number,
): number {
	if (protocol === PROTOCOL_QUIC || protocol === PROTOCOL_DTLS)
		return matchHello(core, listener, session, protocol);
	const isNamed = protocol !== PROTOCOL_UNKNOWN && listener.router.peeks && core.recognized.is(session);
	return match(core, listener, session, protocol, isNamed ? core.recognition.nameLength : 0);
}

/** The same for a client whose hello was put together from datagrams. */
function matchHello(
	core: RoutingContext,
	listener: ReactorListener,
	session: Session,
	protocol: number,
): number {
	const { query, datagrams } = core;
	const named = datagrams?.recognition.serverRoute ?? NONE;
	// Its first packets had a name, and took a route to the same upstream.
	if (named !== NONE) return named;
	const hello = datagrams?.recognition.hasHello === true ? datagrams.recognition.hello : NO_HELLO;
	askSniffed(core, session, protocol, hello.nameLength);
	query.name = hello.name;
	query.hello = hello;
	const found = listener.router.match(query);
	query.hello = core.recognition.hello;
	return found;
}

/** Of a version of QUIC that cannot be opened. */
const NO_HELLO = new ClientHello();

/** The same for a client that gives no name. */
export function matchNameless(
	core: RoutingContext,
	listener: ReactorListener,
	session: Session,
	protocol: number,
): number {
	return match(core, listener, session, protocol, 0);
}

function match(
	core: RoutingContext,
	listener: ReactorListener,
	session: Session,
	protocol: number,
	nameLength: number,
): number {
	askSniffed(core, session, protocol, nameLength);
	return listener.router.match(core.query);
}

/** Puts into the query what is known of a client that was sniffed. */
export function askSniffed(
	core: RoutingContext,
	session: Session,
	protocol: number,
	nameLength: number,
): void {
	const { query, table } = core;
	query.protocol = protocol;
	query.nameLength = nameLength;
	query.name = core.recognition.name;
	query.family = u8(table.family, session);
	query.sourceOffset = session * 16;
	query.pathEnd = query.pathStart;
	query.isWebSocket = false;
	describe(core, session, query);
}

/** What routes may ask about a connection's TLS. */
export function describe(core: RoutingContext, session: Session, query: RouteQuery): void {
	const { secures } = core;
	query.secured = isSecured(core, session);
	if (!query.secured) return;
	const { names } = secures;
	query.serverName = names.bytesOf(session);
	query.serverNameStart = names.startOf(session);
	query.serverNameLength = names.lengthOf(session);
	const number = i32(secures.entry, session);
	// A line is secured by us, as its client.
	const protocols = number === 0 ? [] : core.certificates.entry(number).protocols;
	query.alpn = protocols[u8(secures.alpn, session) - 1] ?? NO_PROTOCOL;
}

const NO_PROTOCOL = new Uint8Array(0);
