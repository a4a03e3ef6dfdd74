/** What is known of a line that this process, an agent, has opened to its gateway: until a visitor has it. */
import type { LineGateway, LineOrder } from "../plan/plan.js";

// Steps.
export const CONNECTS = 0;
export const SECURES = 1;
/** Its ticket has been shown; the gateway's nonce comes. */
export const SHOWN = 2;
/** Its proof has been sent; the gateway's word comes. */
export const PROVED = 3;
export const PARKED = 4;

export interface OwnLine {
	readonly order: LineOrder;
	/** Whose sessions its visitors are. */
	readonly listener: number;
	readonly gateway: LineGateway;
	step: number;
}
