/**
 * The reactor's arena: one piece of memory that the kernel reads from and writes to, and where heads are parsed and written.
 *
 *     scratch                      scrap       subject   address   chunks …
 *     in ───────── out ─────────
 *
 * Scratch comes first, for `Kernel.discard` may write there. Nothing in scratch, scrap, subject or address outlives the step
 * that put it there.
 */

/** Scratch space: the largest peek (a whole hello behind a PROXY header), with room to spare. */
export const SCRATCH_BYTES = 64 * 1024;

/** Where reads go. */
export const IN_AT = 0;
/** Where what is to be sent is written, while what was read may still be needed. */
export const OUT_AT = 32 * 1024;

/** Where unwanted bytes are received, when they cannot be discarded otherwise; scratch may hold what is still to be sent. */
export const SCRAP_AT = SCRATCH_BYTES;
export const SCRAP_BYTES = 16 * 1024;

/** Where the subject of a client's certificate is written for a request's head. */
export const SUBJECT_AT = SCRAP_AT + SCRAP_BYTES;
export const SUBJECT_BYTES = 2048;

/** Where `accept` and `localAddress` put an address, and where a single byte is looked at. */
export const ADDRESS_AT = SUBJECT_AT + SUBJECT_BYTES;
const ADDRESS_BYTES = 64;

/** Where chunks lie, one behind the other. */
export const CHUNKS_AT = ADDRESS_AT + ADDRESS_BYTES;

/**
 * What is received at once, and what a chunk holds. Measured on bulk that is not spliced: 32 KiB is still in
 * the processor's near caches between receive and send; 64 KiB took half as much time again per byte.
 */
export const CHUNK_BYTES = 32 * 1024;

/** Bytes of arena for a reactor that may buffer so much. */
export function arenaBytes(bufferedBytes: number): number {
	return CHUNKS_AT + chunkCount(bufferedBytes) * CHUNK_BYTES;
}

/** Chunks of a reactor that may buffer so much. */
export function chunkCount(bufferedBytes: number): number {
	return Math.max(1, Math.floor(bufferedBytes / CHUNK_BYTES));
}
