/** What is there now, put together for metrics and the API. */
import type { House } from "./house.js";
import type { TunnelsView, TunnelView } from "./interfaces.js";

/** `loggingIn`: control connections that have not logged in yet. */
export function tunnelsView(house: House, loggingIn: number): TunnelsView {
	const sessions = [...house.sessions];
	const offers = new Map(
		sessions.flatMap((session) => session.offers()).map((offer) => [offer.tunnel?.number, offer]),
	);
	const tunnels = house.desk.tunnels().map(({ tunnel, isClosed, lines }): TunnelView => {
		const offer = offers.get(tunnel.number);
		const { isOpen = false, localDown: why, addresses = [] } = offer ?? {};
		const state = isClosed ? "closing" : !isOpen ? "opening" : why === undefined ? "up" : "down";
		return { ...tunnel, state, lines, addresses, localDown: why ?? null };
	});
	return {
		agents: sessions.map((session) => session.view()),
		tunnels,
		loggingIn,
		totals: {
			...{ logins: house.logins, reconnects: house.reconnects, refused: house.refusals },
			...{ visitors: house.desk.visitors(), recycled: house.desk.recycled() },
		},
	};
}
