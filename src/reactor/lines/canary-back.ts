/** What a canary sent comes back, or does not (`canary.ts`). */
import { f64, u8, u32 } from "../../parts/at.js";
import { CANARY, CANARY_BYTES, NONCE_BYTES } from "../../protocol/tunnel/index.js";
import { canaryOver, closeLink } from "../links/close-link.js";
import { hasBytes } from "../links/pool.js";
import { IN_AT } from "../memory/arena.js";
import type { Link } from "../table/numbers.js";
import { discard } from "../wire/transport.js";
import type { LinesContext } from "./context.js";
import { parkMoved } from "./park.js";

/** All of it is there, and has been looked at. */
export function canaryBack(core: LinesContext, link: Link): void {
	const { table, lines, links, kernel } = core;
	const place = table.placeOf(link);
	let isSame = u8(kernel.memory, IN_AT) === CANARY;
	for (let i = 0; i < CANARY_BYTES - 1; i++)
		isSame &&= u8(kernel.memory, IN_AT + 1 + i) === u8(lines.nonce, place * NONCE_BYTES + i);
	if (!isSame) {
		closeLink(core, link);
		return;
	}
	discard(core, link, CANARY_BYTES);
	const tunnel = u32(links.tunnel, place);
	canaryOver(core, link, core.nowMs - f64(lines.canaryMs, place));
	// What has come behind it is nothing that a parked line may say, and no news of it would come any more.
	parkMoved(core, link, links.address[place] ?? 0, tunnel, !hasBytes(core, link));
}
