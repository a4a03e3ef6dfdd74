/** What lines need: rows of upstreams' connections, and how a session that waited goes on. */
import type { Recognition } from "../../protocol/index.js";
import type { LinksContext } from "../links/context.js";
import type { Next } from "../table/next.js";
import type { Session } from "../table/numbers.js";
import type { LineColumns } from "./columns.js";

export interface LinesContext extends LinksContext {
	/** How many reactors there are. */
	readonly reactors: number;
	readonly lines: LineColumns;
	/** What first bytes were recognised as. */
	readonly recognition: Recognition;
	/** What a listener for agents shows, a number as in `Secures.entry`; 0: it speaks in the open; NONE: it is there no more. */
	agentsCertificate(listener: number): number;
	/** Sends a session down the road. */
	go(session: Session, next: Next): void;
}
