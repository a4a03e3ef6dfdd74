/** Who may come in, and who has to go for them. */

import type { EndContext } from "../end/context.js";
import type { LinesContext } from "../lines/context.js";
import type { Session } from "../table/numbers.js";
import type { ReactorListener } from "./listener.js";
import type { Room } from "./room.js";

export interface AdmissionContext extends EndContext, LinesContext {
	/** By listener slot. */
	readonly listeners: Map<number, ReactorListener>;
	/** Listeners that a reload or a drain removed: connections that they accepted still find their routes here. */
	readonly retired: Map<number, ReactorListener>;
	readonly room: Room;
	readonly connectionsMax: number;
	readonly resetsWhenFull: boolean;
	readonly shedsWhenFull: boolean;
	readonly sourceLimits: { readonly connections: number; readonly perSecond: number };
	readonly acceptsPerSecond: number;
	readonly descriptorCeiling: number;

	/** The listener that accepted a connection. */
	listenerOf(session: Session): ReactorListener;
	/** A slot has another listener from now on. */
	listenersChanged(): void;
}
