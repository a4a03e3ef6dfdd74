/** Second step: may this connection stay at all? Asked before a byte of it is looked at. */
import { contains } from "../route/router.js";
import { at } from "./at.js";
import { close } from "./close.js";
import type { Core, ReactorListener } from "./core.js";
import { PROXY_HEADER } from "./reasons.js";

/** False when the connection was refused, and closed. */
export function admit(core: Core, listener: ReactorListener, slot: number): boolean {
	const { proxyRequired, trusted } = listener.plan;
	if (!proxyRequired) return true;
	const { table } = core;
	const family = at(table.family, slot);
	for (const block of trusted) if (contains(block, family, table.source, slot * 16)) return true;
	close(core, slot, PROXY_HEADER);
	return false;
}
