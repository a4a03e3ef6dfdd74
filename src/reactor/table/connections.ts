/** What is known of every connection, a client's or an upstream's. */
import { CONNECTION, Columns } from "../../parts/columns.js";

export class Connections extends Columns {
	/** When the wheel fires for this row, a multiple of its tick; 0 = not armed. */
	readonly deadlineMs = this.f64(CONNECTION);
	/** When this connection stopped taking what we have for it; 0 while it takes everything. */
	readonly blockedAtMs = this.f64(CONNECTION);
	/** Since when bytes are under way to it of which none has been acknowledged; 0 while none are, or some were. */
	readonly unheardSinceMs = this.f64(CONNECTION);
	/** Bytes handed to the kernel for this connection. */
	readonly sent = this.f64(CONNECTION);
	readonly fd = this.i32(CONNECTION);
	/** Counts the slot's owners. An event that carries another generation is news for an earlier one. */
	readonly generation = this.i32(CONNECTION);
	/** The connection at the other end of its session: an upstream's for a client's, and back. */
	readonly peer = this.i32(CONNECTION);
	/** The session that it belongs to; NONE: it is nobody's. */
	readonly session = this.i32(CONNECTION);
	/** The wheel's bucket list; while the row is free, `next` is the free list. */
	readonly next = this.i32(CONNECTION);
	readonly previous = this.i32(CONNECTION);
	/** Its neighbours in the queue of rows that wait for another turn (`turn-queue.ts`). */
	readonly queueNext = this.i32(CONNECTION);
	readonly queuePrevious = this.i32(CONNECTION);
	/** Bytes that its peer had acknowledged when that was asked last; the low 32 bits, for comparing. */
	readonly acknowledged = this.i32(CONNECTION);
	/** Bytes waiting to be sent to this connection: a chunk and where they lie in it. */
	readonly chunk = this.i32(CONNECTION);
	readonly chunkStart = this.i32(CONNECTION);
	readonly chunkEnd = this.i32(CONNECTION);
	/** Bytes waiting to be spliced to this connection: a pipe and how many are in it. */
	readonly pipe = this.i32(CONNECTION);
	readonly pipeBytes = this.i32(CONNECTION);
	readonly state = this.u8(CONNECTION);
	readonly flags = this.i32(CONNECTION);
	/** Reads in a row that filled the buffer: how bulk is recognised. */
	readonly fullReads = this.u8(CONNECTION);
}
