/** Visitors of an agent's own lines: to whom they are led, and what they are told when they cannot be. */
import { u8, u16 } from "../../../src/parts/at.js";
import { REASONS } from "../../../src/parts/reasons.js";
import type { ProxyHeader } from "../../../src/protocol/index.js";
import { CONNECT_REFUSED, CONNECT_TIMEOUT, UPSTREAM_DOWN } from "../../../src/reactor/records/reasons.js";
import { DIAL, LINGER, SNIFF } from "../../../src/reactor/table/states.js";
import type { SimulatedSocket } from "../descriptors.js";
import { ADDRESSES } from "../plans.js";
import { violated } from "../trace.js";
import type { World } from "../world.js";
import { DESTINATION_PORT, type GatewayEnd } from "./gateway-end.js";

/** Reasons that a request is told of. */
const ANSWERED: ReadonlySet<number> = new Set([CONNECT_REFUSED, CONNECT_TIMEOUT, UPSTREAM_DOWN]);

/** A visitor is relayed: to the upstream of the listener that his line was ordered for. */
export function checkVisited(world: World, client: SimulatedSocket, link: SimulatedSocket): void {
	const listener = client.ownLine?.order?.listener;
	const upstream = Math.floor(link.board / ADDRESSES);
	if (listener !== upstream || u16(world.reactor.core.table.listener, client.slot) !== listener)
		violated(`a visitor of listener ${listener} is led to upstream ${upstream}`);
}

/** He is told something that no upstream has said: only where requests come, and only that the service is not there. */
export function tellingVisitor(
	client: SimulatedSocket,
	{ isForRequests }: GatewayEnd,
	memory: Uint8Array,
	offset: number,
	length: number,
): void {
	// What did not fit before.
	if (client.told) return;
	if (!isForRequests) violated("a visitor is told something in the place of the service");
	const words = Buffer.from(memory.subarray(offset, offset + Math.min(length, 12))).toString("latin1");
	if (!/^HTTP\/1\.1 50[234]$/.test(words) && words.length === 12)
		violated(`a request is answered with ${words} in the place of the service`);
	client.told = true;
}

/** What an upstream hears of him in a PROXY header: also where he came to, as his gateway has said it (`gateway-end.ts`). */
export function checkPassedOn({ ownLine, named }: SimulatedSocket, header: ProxyHeader): void {
	if (ownLine?.isPassedOn !== true || named === undefined) return;
	const { family, destinationAddress, destinationPort } = header;
	const isSame = named.unmapped.every((byte, at) => destinationAddress[at] === byte);
	if (family !== named.family || destinationPort !== DESTINATION_PORT || !isSame)
		violated(`a PROXY header says that a visitor came to port ${destinationPort}, and not to where he came`);
}

/** His session ends, and its row is still as it was: that no service was reached he must not take for its end. */
export function checkParted(world: World, slot: number, client: SimulatedSocket, reason: number): void {
	const state = u8(world.reactor.core.table.state, slot);
	const wasTold = state === LINGER && client.told;
	if (state === SNIFF || state === DIAL) world.meet("visitors of own lines without a service");
	if (wasTold) world.meet("requests by own lines that are answered here");
	const { isForRequests = false } = client.ownLine ?? {};
	if (isForRequests && ANSWERED.has(reason) && !client.told && !client.dead && !client.isLost)
		violated(`a request ended as ${REASONS[reason]}, and was not answered`);
	if (!wasTold && (state === SNIFF || state === DIAL || state === LINGER) && !client.wasReset && !client.dead)
		violated("a visitor who has reached no service is told of an end");
}
