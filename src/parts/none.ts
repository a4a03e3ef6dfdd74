/** No row, no descriptor, no chunk, no pipe, no peer, end of a list. */
export const NONE = -1;
