/** Until reactors accept agents and lines: a configuration of tunnels is understood, and cannot be run. */
import type { Config } from "../config/config.js";
import { StartError } from "./errors.js";

/**
 * Called at `check`, at the start and at a reload.
 *
 * @throws StartError when the configuration has tunnels
 */
export function tunnelsNotServed({ tunnels }: Config): void {
	if (tunnels !== null)
		throw new StartError(
			'this version reads "tunnels" and cannot run them yet: remove the section and the routes with "to: tunnels"',
		);
}
