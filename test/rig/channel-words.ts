/** What channel-server.ts and its clients have agreed on. */

/** They come as they are, or after they have said something. */
export const COMES = "/comes";
export const SAYS = "/says";
/** What is said then, and answered. */
export const SAID = "let me hear";
export const CONFIRMED = '{"heard":true}';

/** Bodies. Everybody is pinged, and the answer waits for all. */
export const PING_ALL = "ping all";
/** The first of those who are there is sent away. */
export const SEND_AWAY = "send away";
/** The connection of the first one is cut. */
export const CUT = "cut";
/** Behind this comes a message: the first half of its frame now, and the other one before the next answer. */
export const HALF = "half:";
/** It is refused. */
export const REFUSED = "refused";
