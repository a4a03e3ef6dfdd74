/** Clients whose words do not tell what they speak: their silence or their end decides, and a route that relays is taken. */

import { i32, u8 } from "../../src/parts/at.js";
import { REASONS } from "../../src/parts/reasons.js";
import { PROTOCOL_UNKNOWN } from "../../src/protocol/index.js";
import { CLIENT_CLOSED, HANDSHAKE_TIMEOUT } from "../../src/reactor/records/reasons.js";
import { PROXY_READ, PROXY_REQUIRED } from "../../src/reactor/table/marks.js";
import type { Session } from "../../src/reactor/table/numbers.js";
import { SNIFF } from "../../src/reactor/table/states.js";
import type { SimulatedSocket } from "./descriptors.js";
import { violated } from "./trace.js";
import type { World } from "./world.js";

/** A client's session ends, and its row is still as it was. */
export function checkDecided(world: World, slot: number, client: SimulatedSocket, reason: number): void {
	const { table } = world.reactor.core;
	const { speaks, incoming } = client;
	if (speaks < 0 || u8(table.state, slot) !== SNIFF || client.dead) return;
	// When a clock leaps, the silence of who has said nothing is over together with its handshake.
	const isUnheard = reason === HANDSHAKE_TIMEOUT && speaks !== PROTOCOL_UNKNOWN;
	if (reason !== CLIENT_CLOSED && !isUnheard) return;
	// A reload may ask for a PROXY header of who has come without one.
	if ((i32(table.flags, slot) & (PROXY_REQUIRED | PROXY_READ)) === PROXY_REQUIRED) return;
	if (client.known < incoming.scripted || !relays(world, slot, speaks)) return;
	violated(`client ${slot} ended as ${REASONS[reason]}, and a route would have relayed what it said`);
}

/** Whether the first route for this protocol, without a name, leads to an upstream of bytes. */
function relays(world: World, slot: number, protocol: number): boolean {
	const { core } = world.reactor;
	const { plan, router } = core.listenerOf(slot as Session);
	const { family } = core.table;
	const query = { ...core.query, protocol, nameLength: 0, family: u8(family, slot), sourceOffset: slot * 16 };
	const upstream = plan.routes[router.match(query)]?.upstream ?? -1;
	return upstream >= 0 && core.upstreams.get(upstream)?.plan.pool == null;
}
