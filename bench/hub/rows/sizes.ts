/** How many there are, and what they are sent. */
const SUBSCRIBERS = 5_000;
const SUBSCRIBERS_QUICK = 200;

export const subscribers = (quick: boolean): number => (quick ? SUBSCRIBERS_QUICK : SUBSCRIBERS);

/** Of a message, as it is published. */
export const BYTES = 200;
