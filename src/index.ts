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
 * The parsers are in `sluice/protocol`.
 */
export type { Discrepancy, LedgerReport } from "./admin/view.js";
export type { Config } from "./config/config.js";
export { ConfigError, ConfigFileError, formatProblems, type Problem } from "./config/errors.js";
export { loadConfigFile, loadConfigText } from "./config/load.js";
export { StartError } from "./gateway/errors.js";
export { type BoundListener, Gateway, type GatewayOptions } from "./gateway/gateway.js";
export { REASONS, type Reason } from "./parts/reasons.js";
