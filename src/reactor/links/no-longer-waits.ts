/** A session has waited for a line of an agent's address, and does not any more. */
import { ref } from "../../parts/at.js";
import type { Session } from "../table/numbers.js";
import type { LinksContext } from "./context.js";

export function noLongerWaits(core: LinksContext, session: Session, address: number): void {
	const { waitingForLines, upstreams, table } = core;
	if (!waitingForLines.remove(address, session)) return;
	const addresses = upstreams.get(ref(table.upstream, session))?.plan.addresses ?? [];
	const tunnel = addresses.find(({ board }) => board === address)?.tunnel;
	if (tunnel !== undefined) core.lineNews.add({ kind: "waiting", tunnel, ...waitingForLines.told(address) });
}
