/**
 * The arithmetic of rates by one number, without a clock: until when what was taken so far is paid for (the generic cell rate
 * algorithm, ITU-T I.371, annex A). It says the same as a token bucket, and besides it says to each who comes when his turn is:
 * whoever asks in vain has his place, so that many who share a rate get it in the order in which they came.
 *
 *     paidMs ──────────► nowMs            what is taken moves it on by amount / rate
 *        └── at most burstMs behind: what was not used in that time is lost
 */

/** Until when all is paid for once `amount` more is taken. Later than `nowMs`: whoever takes it waits until then. */
export function paidUntil(
	paidMs: number,
	amount: number,
	perSecond: number,
	burstMs: number,
	nowMs: number,
): number {
	return Math.max(paidMs, nowMs - burstMs) + (amount * 1_000) / perSecond;
}
