/** What the relay needs: its two connections, and the wire. */
import type { EndContext } from "../../end/context.js";

export type RelayContext = EndContext;
