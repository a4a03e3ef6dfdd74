/** What crosses the wire between generator and echo server, and where it lies in the memory of either. */
import { DATAGRAM_PLACE_BYTES, EMPTY_PLACE } from "../../../src/kernel/datagrams.js";

/** Names in the Initials, each routed to a port of its own: see SNI_NAMES of ../../load/wire.ts. */
export { SNI_NAMES as NAMES } from "../../load/wire.js";

/** The answer to an Initial: its first byte is the index of the name whose port it was sent to. */
export const NAMED_BYTES = 16;

/**
 * At the head of each datagram stand the number of its flow, so that an answer which went astray is noticed, and in the last byte when that was
 * opened: a port that was another flow's may be sent what that one has given up.
 */
export const FLOW_BYTES = 4;

/** What is sent is written here. */
export const SCRATCH_AT = EMPTY_PLACE * DATAGRAM_PLACE_BYTES;
export const SCRATCH_BYTES = DATAGRAM_PLACE_BYTES;

/** How many datagrams a message is. */
export function datagramsIn(length: number, segment: number): number {
	return segment > 0 && segment < length ? Math.ceil(length / segment) : 1;
}
