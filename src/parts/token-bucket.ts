/** The arithmetic of a token bucket: how many tokens there are now, when there were so many then. */

/** At most `burst`. Infinity of tokens is a full bucket, whatever its size. */
export function refilled(
	tokens: number,
	countedMs: number,
	perSecond: number,
	burst: number,
	nowMs: number,
): number {
	return Math.min(burst, tokens + ((nowMs - countedMs) * perSecond) / 1_000);
}

/** Milliseconds until there are `wanted` tokens; 0: they are there. */
export function untilMs(tokens: number, perSecond: number, wanted: number): number {
	return tokens >= wanted ? 0 : ((wanted - tokens) * 1_000) / perSecond;
}
