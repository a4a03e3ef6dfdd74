/** How an agent's line ends that no visitor has. */
import { closeLink } from "../links/close-link.js";
import type { LineOrder } from "../plan/plan.js";
import type { Link } from "../table/numbers.js";
import type { OwnLinesContext } from "./context.js";
import type { OwnLine } from "./own-line.js";

/** It was parked, or is not wanted any more. */
export function closeOwnLine(core: OwnLinesContext, link: Link, { order }: OwnLine): void {
	core.ownLines.delete(link);
	core.ownLineNews.push({ kind: "closed", number: order.number });
	closeLink(core, link);
}

/** It could not be opened. */
export function failOpening(core: OwnLinesContext, link: Link, { order }: OwnLine, why: string): void {
	core.ownLines.delete(link);
	failed(core, order, why);
	closeLink(core, link);
}

/** There is not even a row of it. */
export function failed(core: OwnLinesContext, { number }: LineOrder, why: string): void {
	core.ownLineNews.push({ kind: "failed", number, why });
}

/** The gateway shows another certificate than to the control connection: it is to be made sure of once more. */
export function distrusted(core: OwnLinesContext, link: Link, { order }: OwnLine): void {
	core.ownLines.delete(link);
	const why = "the gateway shows another certificate than to the control connection";
	core.ownLineNews.push({ kind: "failed", number: order.number, why, hasOtherCertificate: true });
	closeLink(core, link);
}
