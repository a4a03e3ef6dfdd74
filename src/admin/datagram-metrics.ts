/** What `/metrics` shows of datagrams: what passed, what was dropped and why, and hellos that are not whole. */

import { FROM_CLIENT, TO_CLIENT } from "../reactor/records/counters.js";
import { DATAGRAM_DROPS } from "../reactor/records/datagram-drops.js";
import type { MetricsPage } from "./families/families.js";
import { scalar, sum } from "./sums.js";
import type { AdminView } from "./view.js";

export function datagrams(page: MetricsPage, view: AdminView): void {
	page.family("sluice_datagrams_total");
	for (const { slot, name } of view.listeners()) {
		const count = (direction: number) => sum(view, (counters) => counters.datagrams(slot, direction));
		const [from, to] = [count(FROM_CLIENT), count(TO_CLIENT)];
		// Of listeners for connections there is nothing to say.
		if (from + to === 0 && !name.endsWith("/udp")) continue;
		page.sample("sluice_datagrams_total", { listener: name, direction: "from_client" }, from);
		page.sample("sluice_datagrams_total", { listener: name, direction: "to_client" }, to);
	}
	page.family("sluice_datagrams_dropped_total");
	for (const [index, cause] of DATAGRAM_DROPS.entries())
		page.sample(
			"sluice_datagrams_dropped_total",
			{ cause },
			sum(view, (counters) => counters.datagramsDropped(index)),
		);
	scalar(page, view, "sluice_datagrams_overrun_total", "datagramsOverrun");
	scalar(page, view, "sluice_clients_moved_total", "clientsMoved");
	scalar(page, view, "sluice_datagram_flows", "datagramFlows");
	scalar(page, view, "sluice_connection_ids", "connectionIds");
	scalar(page, view, "sluice_half_hellos", "halfHellos");
	scalar(page, view, "sluice_half_hellos_displaced_total", "halfHellosDisplaced");
	scalar(page, view, "sluice_half_hellos_expired_total", "halfHellosExpired");
}
