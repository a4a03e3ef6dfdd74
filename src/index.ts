/**
 * Sluice as a library: load a configuration and run a gateway inside your own process.
 *
 * ```ts
 * import { Gateway, loadConfigFile } from "sluice";
 * const gateway = await Gateway.start(loadConfigFile("sluice.yaml"));
 * // …
 * await gateway.drain();
 * ```
 *
 * Where the configuration has a `hub`, `gateway.hub` publishes to its channels, and follows them:
 *
 * ```ts
 * const { id } = gateway.hub?.publish("prices", { data: "42.07", key: "ACME" }); // throws HubRefusal, which says why
 * const stop = gateway.hub?.follow("prices", { heard: ({ id, data }) => console.log(id, data) });
 * ```
 *
 * The parsers are in `sluice/protocol`.
 */
export type { Discrepancy, LedgerReport } from "./admin/view.js";
export type { Config } from "./config/config.js";
export { ConfigError, ConfigFileError, formatProblems, type Problem } from "./config/errors.js";
export { loadConfigFile, loadConfigText } from "./config/load.js";
export { StartError } from "./gateway/errors.js";
export { type BoundListener, Gateway, type GatewayOptions } from "./gateway/gateway.js";
export {
	type ChannelView,
	type HistoryMessage,
	type HistoryOptions,
	type HubDesk,
	type HubFollower,
	type HubHistory,
	type HubPresence,
	type HubPublication,
	HubRefusal,
	type HubRefusalCode,
} from "./hub/desk.js";
export { REASONS, type Reason } from "./parts/reasons.js";
