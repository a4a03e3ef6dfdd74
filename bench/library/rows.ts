import { broadcast } from "./broadcast.js";
import { http, websocket } from "./cpu.js";
import { frames } from "./frames.js";
import { idleHeap, idleWebSockets } from "./idle.js";
import type { LibraryRow } from "./row.js";

/** In the order of the report. */
export const LIBRARY_ROWS: readonly LibraryRow[] = [
	http,
	websocket,
	idleHeap,
	idleWebSockets,
	broadcast,
	frames,
];
