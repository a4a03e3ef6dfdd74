/**
 * A client of QUIC that has moved to another address under an ID that nobody has seen (RFC 9000, section 9), or whose session this
 * gateway does not have because another had it: its server is found by what it has written into its connection IDs itself.
 */

import { PROTOCOL_QUIC } from "../../../protocol/protocols.js";
import { hasServersId, namesServer } from "../../../protocol/quic/server-id.js";
import { contains } from "../../../route/router.js";
import type { AddressPlan } from "../../../upstream/plan.js";
import type { ReactorListener } from "../../admission/listener.js";
import type { DatagramTraffic } from "../../datagrams/traffic.js";
import { NONE } from "../../table/numbers.js";
import type { DatagramContext } from "./context.js";

/** True: the datagram at hand names a server to which a route leads that its sender may take; `recognition` says which. */
export function findServer(
	core: DatagramContext,
	{ io, arrival, packet, recognition }: DatagramTraffic,
	{ plan, serverRoutes }: ReactorListener,
): boolean {
	const { start, end, peer } = arrival;
	if (serverRoutes.length === 0 || !hasServersId(io.memory, start, end, packet)) return false;
	for (const index of serverRoutes) {
		const route = plan.routes[index];
		if (route === undefined) continue;
		const { source } = route.conditions;
		if (source !== null && !contains(source, peer.family, peer.bytes, peer.offset)) continue;
		const addresses = core.upstreams.get(route.upstream)?.plan.addresses ?? [];
		const found = addresses.findIndex(
			({ serverId }) => serverId !== undefined && namesServer(io.memory, packet, serverId),
		);
		if (found < 0) continue;
		recognition.begin();
		recognition.protocol = PROTOCOL_QUIC;
		recognition.serverRoute = index;
		recognition.serverAddress = found;
		return true;
	}
	return false;
}

/** What was named is a server of these addresses. Undefined: the packet has named none. */
export function namedAddress(
	{ datagrams }: DatagramContext,
	addresses: readonly AddressPlan[],
): AddressPlan | undefined {
	const place = datagrams === null ? NONE : datagrams.recognition.serverAddress;
	return place === NONE ? undefined : addresses[place];
}
