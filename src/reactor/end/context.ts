/** What a session's end touches: all that a session can hold. */
import type { LinksContext } from "../links/context.js";

export type EndContext = LinksContext;
