/**
 * What a parser says about the bytes that have arrived so far.
 *
 * Three answers are enough for every wire format here, because a parser never waits and never keeps state
 * between calls: it is called again, from the same start, when more bytes are there.
 */

/** The whole item is there, and the result object describes it. */
export const COMPLETE = 0;

/** Everything so far could still become a valid item; the result's `needBytes` says how much is missing. */
export const NEED_MORE = 1;

/** No continuation can make this valid; the result's `cause` says why. */
export const MALFORMED = 2;

export type Verdict = 0 | 1 | 2;
