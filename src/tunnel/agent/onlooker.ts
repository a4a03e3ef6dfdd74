/** Who looks on while requests pass. It is shown bytes that have been sent on already, changes nothing, and never throws. */
import type { Reason } from "../../parts/reasons.js";
import type { TunnelSettings } from "./settings.js";

/** Of one line. The bytes are lent: who keeps some of them copies them. */
export interface Onlooker {
	fromVisitor(bytes: Buffer): void;
	toVisitor(bytes: Buffer): void;
	/** The service sends no more. */
	serviceEnded(): void;
	/** The service cannot be reached, and this is what the visitor is told instead. */
	unreachable(why: string, answer: Buffer): void;
	/** Once, at the end of the line. */
	ended(reason: Reason): void;
}

/** Asked for each line of requests, when the first has come. */
export type LookOn = (tunnel: TunnelSettings) => Onlooker;
