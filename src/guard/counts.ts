/** What a guard counts, and how it tells it. */
import { Page } from "../parts/exposition.js";
import { counter, gauge } from "../parts/families.js";
import { REASONS, type Reason } from "../parts/reasons.js";

/** Families of a guard's metrics. `server` is what it was told to be called. */
export const GUARD_FAMILIES = {
	sluice_guard_connections: gauge("Connections that are open.", ["server"]),
	sluice_guard_accepted_total: counter("Connections accepted.", ["server"]),
	sluice_guard_shed_total: counter("Connections turned away by a limit.", ["server"]),
	sluice_guard_addresses: gauge("Client addresses that are counted.", ["server"]),
	sluice_guard_closed_total: counter("Connections closed, by reason.", ["server", "reason"], {
		see: "reference/reasons.md",
	}),
};

/** What a guard has counted. */
export interface Counts {
	/** Connections that the kernel gave to this server. */
	readonly accepted: number;
	/** Connections at this moment. */
	readonly open: number;
	/** Turned away before the server saw them: connections, each of them in `closed` as well, and requests behind a proxy, answered with 429. */
	readonly shed: number;
	/** By reason; only those that have occurred. */
	readonly closed: Readonly<Partial<Record<Reason, number>>>;
}

export class Tally {
	accepted = 0;
	open = 0;
	shed = 0;
	readonly #closed = new Map<Reason, number>();

	close(reason: Reason): void {
		this.#closed.set(reason, (this.#closed.get(reason) ?? 0) + 1);
	}

	counts(): Counts {
		const { accepted, open, shed } = this;
		return { accepted, open, shed, closed: Object.fromEntries(this.#closed) };
	}

	/** As Prometheus text. `addresses`: client addresses that are counted. */
	page(server: string, addresses: number): string {
		const page = new Page(GUARD_FAMILIES);
		page.family("sluice_guard_connections");
		page.sample("sluice_guard_connections", { server }, this.open);
		page.family("sluice_guard_accepted_total");
		page.sample("sluice_guard_accepted_total", { server }, this.accepted);
		page.family("sluice_guard_shed_total");
		page.sample("sluice_guard_shed_total", { server }, this.shed);
		page.family("sluice_guard_addresses");
		page.sample("sluice_guard_addresses", { server }, addresses);
		page.family("sluice_guard_closed_total");
		for (const reason of REASONS)
			page.sample("sluice_guard_closed_total", { server, reason }, this.#closed.get(reason) ?? 0);
		return page.toString();
	}
}
