/** Where in the kernel's arena subscribers and publishers have what they send and receive. */
export const SAY_AT = 0;
export const SAY_BYTES = 64 * 1024;
export const HEAR_AT = SAY_AT + SAY_BYTES;
export const HEAR_BYTES = 64 * 1024;
/** What an arena must have. */
export const SUBSCRIBERS_ARENA_BYTES = HEAR_AT + HEAR_BYTES;
