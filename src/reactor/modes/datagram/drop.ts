/** A datagram is not passed on: that is counted, by its cause, and nothing is said to anybody. */
import { EAGAIN, ECONNREFUSED, EMSGSIZE, ENOBUFS, ENOMEM } from "../../../kernel/constants.js";
import { type DatagramDrop, dropIndex } from "../../records/datagram-drops.js";
import type { DatagramContext } from "./context.js";

export function drop(core: DatagramContext, cause: DatagramDrop, datagrams = 1): void {
	core.counters.dropped(dropIndex(cause), datagrams);
}

/** Why one could not be sent. */
export function sendDrop(errno: number): DatagramDrop {
	switch (errno) {
		case EAGAIN:
		case ENOBUFS:
		case ENOMEM:
			return "send_buffer";
		case EMSGSIZE:
			return "too_long";
		case ECONNREFUSED:
			return "unreachable";
		default:
			return "refused";
	}
}
