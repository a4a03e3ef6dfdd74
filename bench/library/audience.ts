/** What server and subscribers of the broadcast must agree on. */

/** One subscriber in so many does not read. */
export const DEAF = 20;
export const BYTES_MAX = 256 * 1024;
export const TEXT_BYTES = 32 * 1024;
/** To all subscribers together, so that two cores have time for it. */
export const PER_SECOND = 8_000;
