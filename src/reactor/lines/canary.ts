/**
 * Whether visitors would come through: a few bytes go to the agent by a line that nobody has taken, and it sends them back. The line is
 * out of the pool meanwhile, so that no visitor's bytes meet them.
 */
import { i32 } from "../../parts/at.js";
import { fillRandom } from "../../parts/random-pool.js";
import { CANARY, CANARY_BYTES, NONCE_BYTES } from "../../protocol/tunnel/index.js";
import { closeLink } from "../links/close-link.js";
import { hasBytes, retire, unlink } from "../links/pool.js";
import { OUT_AT } from "../memory/arena.js";
import { RECYCLED_UPSTREAM_CLOSED } from "../records/recycle-reasons.js";
import { type Link, NONE, type Place } from "../table/numbers.js";
import { PROVING } from "../table/states.js";
import { transmit } from "../wire/transport.js";
import type { LinesContext } from "./context.js";
import { TRIED } from "./prove.js";

/** Tries the way through a line of this address, if one is parked. */
export function sendCanary(core: LinesContext, address: number, deadMs: number): void {
	const { table, lines, links, kernel } = core;
	const link = longestUnused(core, address);
	if (link === NONE) return;
	const place = table.placeOf(link);
	kernel.memory[OUT_AT] = CANARY;
	// A zero byte, and 8 that nobody can guess.
	fillRandom(kernel.memory, OUT_AT + 1, CANARY_BYTES - 1);
	lines.nonce.set(kernel.memory.subarray(OUT_AT + 1, OUT_AT + CANARY_BYTES), place * NONCE_BYTES);
	links.tried[place] = 1;
	lines.step[place] = TRIED;
	lines.canaryMs[place] = core.nowMs;
	table.state[link] = PROVING;
	core.unproved.add(link);
	if (transmit(core, link, OUT_AT, CANARY_BYTES) === CANARY_BYTES) {
		core.wheel.arm(link, core.nowMs + deadMs);
		return;
	}
	// The agent is gone, or takes nothing.
	closeLink(core, link);
}

/**
 * The line that has waited longest of those that nobody has had, taken out of the pool; NONE: there is none. What a line that has carried
 * requests is sent goes to the local service. And the longest silent is the likeliest to be dead: each is tried in its turn.
 */
function longestUnused(core: LinesContext, address: number): Link {
	const { table, links, idleLists } = core;
	for (;;) {
		let oldest: Place = NONE;
		for (let place = i32(idleLists.heads, address); place !== NONE; place = i32(links.next, place))
			if (i32(links.uses, place) === 0) oldest = place;
		if (oldest === NONE) return NONE;
		const link = table.linkAt(oldest);
		unlink(core, link);
		if (!hasBytes(core, link)) return link;
		retire(core, link, RECYCLED_UPSTREAM_CLOSED);
	}
}
