import type { HubRow } from "../bench.js";
import { deaf } from "./deaf.js";
import { deliveries } from "./deliveries.js";
import { idle, idleTls, idleUncollected } from "./idle.js";

/** In the order of the report. */
export const HUB_ROWS: readonly HubRow[] = [deliveries, deaf, idle, idleUncollected, idleTls];
