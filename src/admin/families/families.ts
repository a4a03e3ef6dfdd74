/** All families of the gateway's `/metrics`, by what they tell of. */
import type { Page } from "../../parts/exposition.js";
import { HUB_FAMILIES, TLS_FAMILIES, TUNNEL_FAMILIES, UPSTREAM_FAMILIES } from "./peers.js";
import { PROCESS_FAMILIES, RESOURCE_FAMILIES } from "./resources.js";
import { DATAGRAM_FAMILIES, REQUEST_FAMILIES, SESSION_FAMILIES } from "./sessions.js";

/** In the order of the page. */
export const FAMILIES = {
	...SESSION_FAMILIES,
	...DATAGRAM_FAMILIES,
	...UPSTREAM_FAMILIES,
	...REQUEST_FAMILIES,
	...TUNNEL_FAMILIES,
	...HUB_FAMILIES,
	...TLS_FAMILIES,
	...RESOURCE_FAMILIES,
	...PROCESS_FAMILIES,
};

export type MetricsPage = Page<typeof FAMILIES>;
