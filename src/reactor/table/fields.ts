/** What `flags` holds beside its marks (`marks.ts`): numbers of more than one bit. */

/** Reads of it in a row that filled the buffer, 0 to 3: how bulk is recognised. */
export const FULL_READS = 3 << 26;
export const ONE_FULL_READ = 1 << 26;

/** What kind of endpoint a connection is. */
export const KIND = 3 << 28;
/** It has a descriptor of its own, which is closed with it. Nothing writes that: it is what a new row says. */
export const SOCKET = 0;
/** One peer of a socket that has many: the descriptor is not its own. */
export const FLOW = 1 << 28;
/** A line that waits for somebody who needs one. */
export const PARKED = 2 << 28;
