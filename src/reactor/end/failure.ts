/** A system call on one of a session's descriptors failed: the errno tells who ended it. */

import {
	ECONNABORTED,
	ECONNREFUSED,
	ECONNRESET,
	EHOSTDOWN,
	EHOSTUNREACH,
	ENETDOWN,
	ENETUNREACH,
	ENOBUFS,
	ENONET,
	EPIPE,
	EPROTO,
	ETIMEDOUT,
} from "../../kernel/constants.js";
import { u8 } from "../../parts/at.js";
import {
	CLIENT_CLOSED,
	CLIENT_RESET,
	INTERNAL,
	KEEPALIVE_LOST,
	MEMORY_PRESSURE,
	TLS_FAILED,
	UPSTREAM_RESET,
} from "../records/reasons.js";
import { end, type Next } from "../table/next.js";
import type { Slot } from "../table/numbers.js";
import { SNIFF } from "../table/states.js";
import { isSecured } from "../wire/tls.js";
import type { EndContext } from "./context.js";

/** `slot`: the connection, a client's or an upstream's. `isBetween`: nothing was under way on it. */
export function failed(core: EndContext, slot: Slot, errno: number, isBetween = false): Next {
	switch (errno) {
		case ECONNABORTED:
			// Without TLS the kernel says this itself: an operator has destroyed the socket (`ss -K`).
			return isSecured(core, slot) ? cut(core, slot, isBetween) : wasReset(core, slot);
		case ECONNRESET:
		case EPIPE:
			return wasReset(core, slot);
		case ENOBUFS:
			return end(MEMORY_PRESSURE);
		case EPROTO:
			return end(TLS_FAILED);
		case ECONNREFUSED:
		case EHOSTDOWN:
		case ENETDOWN:
		case ENONET:
		case ETIMEDOUT:
		case EHOSTUNREACH:
		case ENETUNREACH:
			return end(KEEPALIVE_LOST);
		default:
			core.remark("error", `a session failed with errno ${errno}`);
			return end(INTERNAL);
	}
}

function wasReset({ table }: EndContext, slot: Slot): Next {
	return end(table.isClient(slot) ? CLIENT_RESET : UPSTREAM_RESET);
}

/**
 * The stream ended without TLS's close_notify. Many clients end so when nothing is under way: that is a normal end. While a
 * message is under way it is not known whether it was complete, because anybody on the path can forge such an end.
 */
function cut({ table, tlsFailures }: EndContext, slot: Slot, isBetween: boolean): Next {
	const isClient = table.isClient(slot);
	if (isClient && (isBetween || u8(table.state, slot) === SNIFF)) return end(CLIENT_CLOSED);
	tlsFailures.set(
		table.sessionOf(slot),
		`the ${isClient ? "client" : "upstream"} ended without close_notify`,
	);
	return end(TLS_FAILED);
}
