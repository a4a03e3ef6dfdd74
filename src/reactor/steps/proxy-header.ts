/**
 * PROXY headers: a client's is peeked before it is routed (sniff.ts), taken off its stream when something reads behind
 * it, and said again to upstreams that expect one.
 */
import { ECONNRESET } from "../../kernel/constants.js";
import { copyAddress, copyUnmapped, portAt } from "../../kernel/sockaddr.js";
import { at } from "../../parts/at.js";
import { parseProxyHeader, writeProxyV1, writeProxyV2 } from "../../protocol/index.js";
import type { Core } from "../core.js";
import { close, closeFailed } from "../end/close.js";
import { sendFirst } from "../modes/relay/relay.js";
import { MEMORY_PRESSURE, UPSTREAM_DOWN } from "../records/reasons.js";
import { WANTED } from "../wire/secures.js";

/** Where a received PROXY header is parsed again, and where the one for the upstream is written. */
const HEADER_IN_AT = 0;
const HEADER_OUT_AT = 32 * 1024;

/** TLS or requests stand behind it, and are read before anybody is dialled: it is kept for whoever has to be told. */
export function takeProxyHeader(core: Core, client: number): void {
	// The scratch space, where what stands behind it may lie by now, is left alone when it was taken before.
	if (at(core.table.proxyHeaderBytes, client) > 0) readHeader(core, client, core.saysProxyHeaders);
}

/**
 * Has the client's PROXY header at HEADER_IN_AT. It is taken off the stream when it is asked for first; `isKept`: it will be
 * asked for again. Returns its length, 0 without one, or a negative errno when the client is gone.
 */
function readHeader(core: Core, client: number, isKept: boolean): number {
	const { table, kernel } = core;
	const before = core.proxyHeaders.get(client);
	if (before !== undefined) {
		kernel.memory.set(before, HEADER_IN_AT);
		return before.length;
	}
	const length = at(table.proxyHeaderBytes, client);
	if (length === 0) return 0;
	table.proxyHeaderBytes[client] = 0;
	// It was peeked whole before, so it is there whole now, unless the connection was reset.
	const count = kernel.receive(at(table.fd, client), HEADER_IN_AT, length);
	if (count !== length) return count < 0 ? count : -ECONNRESET;
	if (isKept) core.proxyHeaders.set(client, kernel.memory.slice(HEADER_IN_AT, HEADER_IN_AT + length));
	return length;
}

/** Takes the client's PROXY header off the stream, and sends the upstream its own. False: the session is closed. */
export function exchangeProxyHeaders(core: Core, client: number, link: number): boolean {
	const { table, kernel, proxyHeader } = core;
	// Behind a failed TLS handshake another address is dialled, and told the same.
	const received = readHeader(core, client, at(core.secures.phase, link) === WANTED);
	if (received < 0) {
		closeFailed(core, client, -received);
		return false;
	}
	if (received > 0) parseProxyHeader(kernel.memory, HEADER_IN_AT, HEADER_IN_AT + received, proxyHeader);
	const balancer = core.upstreams.get(at(table.upstream, client));
	if (balancer === undefined) {
		// It went with a reload, and whether it expects a header with it.
		close(core, client, UPSTREAM_DOWN);
		return false;
	}
	const version = balancer.plan.proxyProtocol;
	if (version === "off") return true;
	const length = writeHeader(core, client, version, received > 0);
	if (!sendFirst(core, link, HEADER_OUT_AT, length)) {
		close(core, client, MEMORY_PRESSURE);
		return false;
	}
	return true;
}

function writeHeader(core: Core, client: number, version: "v1" | "v2", received: boolean): number {
	const { table, kernel, proxyHeader } = core;
	const family = at(table.family, client) as 4 | 6; // written by accept and by the PROXY header, nothing else
	const source = table.source.subarray(client * 16, client * 16 + 16);
	const sourcePort = at(table.sourcePort, client);
	const destination = DESTINATION;
	let destinationPort = 0;
	let destinationFamily: 0 | 4 | 6 = 0;
	if (received && !proxyHeader.isLocal && proxyHeader.family !== 0) {
		destinationFamily = copyUnmapped(proxyHeader.family, proxyHeader.destinationAddress, destination, 0);
		destinationPort = proxyHeader.destinationPort;
	} else if (kernel.localAddress(at(table.fd, client), core.addressAt) >= 0) {
		destinationFamily = copyAddress(kernel.memory, core.addressAt, destination, 0);
		destinationPort = portAt(kernel.memory, core.addressAt);
	}
	// Both addresses must be of one family. They differ only when a trusted sender's header says so.
	const named = destinationFamily === family ? family : 0;
	if (version === "v1")
		return writeProxyV1(
			kernel.memory,
			HEADER_OUT_AT,
			named,
			source,
			sourcePort,
			destination,
			destinationPort,
		);
	return writeProxyV2(
		kernel.memory,
		HEADER_OUT_AT,
		named,
		source,
		sourcePort,
		destination,
		destinationPort,
		received ? kernel.memory : undefined,
		received ? proxyHeader.tlvStart : 0,
		received ? proxyHeader.tlvEnd : 0,
	);
}

const DESTINATION = new Uint8Array(16);
