/** What a line of an agent is at. */
export const LINE_STATES = ["opening", "parked", "visitor", "requests"] as const;
export type LineState = (typeof LINE_STATES)[number];
