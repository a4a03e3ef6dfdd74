/**
 * PROXY headers: a client's is peeked before it is routed (sniff.ts), taken off its stream when something reads behind
 * it, and said again to upstreams that expect one.
 */

import type { ProxyTlv } from "../../config/config.js";
import { ECONNRESET } from "../../kernel/constants.js";
import { copyAddress, copyUnmapped, portAt } from "../../kernel/sockaddr.js";
import { f64, i32, ref, u8, u16 } from "../../parts/at.js";
import { PROTOCOL_TLS, parseProxyHeader, writeProxyV1, writeProxyV2 } from "../../protocol/index.js";
import { commonNameOf, ProxyTlvs, TLV_ALPN, TLV_AUTHORITY } from "../../protocol/proxy-tlvs.js";
import type { UpstreamPlan } from "../../upstream/plan.js";
import { failed } from "../end/failure.js";
import { ADDRESS_AT, IN_AT, OUT_AT } from "../memory/arena.js";
import { MEMORY_PRESSURE, UPSTREAM_DOWN } from "../records/reasons.js";
import type { RoutingContext } from "../routing/context.js";
import { DIAL_ON, end, type Next, STAY, to } from "../table/next.js";
import type { Session } from "../table/numbers.js";
import { sendFirst } from "../wire/outbox.js";
import { WANTED } from "../wire/secures.js";
import { isSecured } from "../wire/tls.js";
import { receive } from "../wire/transport.js";

/** TLS or requests stand behind the header and are read before an upstream is dialled: it is taken off, and kept if an upstream may have to be told. */
export function takeProxyHeader(core: RoutingContext, client: Session): void {
	// The scratch space, where what stands behind it may lie by now, is left alone when it was taken before.
	if (u16(core.table.proxyHeaderBytes, client) > 0) readHeader(core, client, core.saysProxyHeaders);
}

/**
 * Has the client's PROXY header at IN_AT. It is taken off the stream when it is asked for first; `isKept`: it will be
 * asked for again. Returns its length, 0 without one, or a negative errno when the client is gone.
 */
function readHeader(core: RoutingContext, client: Session, isKept: boolean): number {
	const { table, kernel } = core;
	const before = core.proxyHeaders.get(client);
	if (before !== undefined) {
		kernel.memory.set(before, IN_AT);
		return before.length;
	}
	const length = u16(table.proxyHeaderBytes, client);
	if (length === 0) return 0;
	table.proxyHeaderBytes[client] = 0;
	// It was peeked whole before, so it is there whole now, unless the connection was reset.
	const count = receive(core, client, IN_AT, length);
	if (count !== length) return count < 0 ? count : -ECONNRESET;
	if (isKept) core.proxyHeaders.set(client, kernel.memory.slice(IN_AT, IN_AT + length));
	return length;
}

/**
 * Takes the client's PROXY header off its stream, and sends the upstream its own. STAY: that is done, or has been put where it
 * goes first.
 */
export function passProxyHeaderOn(core: RoutingContext, session: Session): Next {
	const { table, kernel, proxyHeader } = core;
	const link = table.linkOf(session);
	// Behind a failed TLS handshake another address is dialled, and told the same.
	const received = readHeader(core, session, u8(core.secures.phase, link) === WANTED);
	if (received < 0) return failed(core, session, -received);
	if (received > 0) parseProxyHeader(kernel.memory, IN_AT, IN_AT + received, proxyHeader);
	const balancer = core.upstreams.get(ref(table.upstream, session));
	// It went with a reload, and whether it expects a header with it: to be dialled once more, it is found to be gone, and that is told.
	if (balancer === undefined) return to(DIAL_ON, UPSTREAM_DOWN);
	const version = balancer.plan.proxyProtocol;
	if (version === "off") return STAY;
	const length = writeHeader(core, session, balancer.plan, received > 0);
	return sendFirst(core, link, OUT_AT, length) ? STAY : end(MEMORY_PRESSURE);
}

function writeHeader(
	core: RoutingContext,
	client: Session,
	{ proxyProtocol: version, proxyTlvs = [] }: UpstreamPlan,
	received: boolean,
): number {
	const { table, kernel, proxyHeader } = core;
	const family = u8(table.family, client) as 4 | 6; // written by accept and by the PROXY header, nothing else
	const source = table.source.subarray(client * 16, client * 16 + 16);
	const sourcePort = u16(table.sourcePort, client);
	const destination = DESTINATION;
	let destinationPort = 0;
	let destinationFamily: 0 | 4 | 6 = 0;
	if (received && !proxyHeader.isLocal && proxyHeader.family !== 0) {
		destinationFamily = copyUnmapped(proxyHeader.family, proxyHeader.destinationAddress, destination, 0);
		destinationPort = proxyHeader.destinationPort;
	} else if (kernel.localAddress(i32(table.fd, client), ADDRESS_AT) >= 0) {
		destinationFamily = copyAddress(kernel.memory, ADDRESS_AT, destination, 0);
		destinationPort = portAt(kernel.memory, ADDRESS_AT);
	}
	// Both addresses must be of one family. They differ only when a trusted sender's header says so.
	const named = destinationFamily === family ? family : 0;
	if (version === "v1")
		return writeProxyV1(kernel.memory, OUT_AT, named, source, sourcePort, destination, destinationPort);
	TLVS.begin(kernel.memory, received ? proxyHeader.tlvStart : 0, received ? proxyHeader.tlvEnd : 0);
	for (const wanted of proxyTlvs) addTlv(core, client, wanted);
	return writeProxyV2(
		kernel.memory,
		OUT_AT,
		named,
		source,
		sourcePort,
		destination,
		destinationPort,
		TLVS.bytes,
		0,
		TLVS.length,
	);
}

/** What is known of the client's TLS, whether it ends here or passes. */
function addTlv(core: RoutingContext, client: Session, wanted: ProxyTlv): void {
	const { table, secures, tls } = core;
	const endsHere = isSecured(core, client);
	if (wanted === "sni") {
		const names = endsHere ? secures.names : table.names;
		const isKnown = endsHere || u8(table.protocol, client) === PROTOCOL_TLS;
		const length = isKnown ? names.lengthOf(client) : 0;
		const start = names.startOf(client);
		if (length > 0) TLVS.add(TLV_AUTHORITY, names.bytesOf(client), start, start + length);
		return;
	}
	if (!endsHere) return;
	const handle = f64(secures.session, client);
	if (wanted === "tls") TLVS.addTls(tls.version(handle), commonNameOf(tls.peerSubject(handle)));
	else if (tls.alpn(handle) !== "") TLVS.add(TLV_ALPN, Buffer.from(tls.alpn(handle), "latin1"));
}

/** Those of the header at hand. */
const TLVS = new ProxyTlvs();

const DESTINATION = new Uint8Array(16);
