/** How messages are sent to subscribers (`docs/hub-wire.md`): in the log each stands once for each of these. */
export const WEBSOCKET = 0;
export const EVENT_STREAM = 1;
export const FRAMED = 2;
/** How many there are. */
export const PROTOCOLS = 3;
