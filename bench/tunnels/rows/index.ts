import type { TunnelRow } from "../bench.js";
import { bulk } from "./bulk.js";
import { idle } from "./idle.js";
import { latency } from "./latency.js";
import { parked } from "./parked.js";
import { requests } from "./requests.js";
import { visitors } from "./visitors.js";

/** In the order of the report. */
export const TUNNEL_ROWS: readonly TunnelRow[] = [requests, visitors, bulk, latency, parked, idle];
