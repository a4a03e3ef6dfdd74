/** What a reactor's memory is: the slice of its state that this folder, and all above it, may use. */

import type { KernelControl } from "../../kernel/kernel.js";
import type { Chunks } from "../../parts/chunks.js";
import type { RecordsContext } from "../records/context.js";
import type { Budget } from "./budget.js";
import type { Inboxes } from "./inboxes.js";
import type { Pipes } from "./pipes.js";

export interface MemoryContext extends RecordsContext {
	/** Without the bytes of connections, and without news: those are the engine's. */
	readonly kernel: KernelControl;
	readonly chunks: Chunks;
	readonly pipes: Pipes;
	/** What was read ahead, in any mode. */
	readonly inboxes: Inboxes;
	readonly budget: Budget;
}
