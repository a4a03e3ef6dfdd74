/** What holds for listeners on UDP, with its defaults filled in. */
import type { DatagramsConfig, Timeouts } from "./config.js";
import * as defaults from "./defaults.js";
import { type Holding, type ListenerTimeoutsFile, listenerTimeouts } from "./resolve-timeouts.js";

export function resolveDatagrams(
	unknownVersions: DatagramsConfig["unknownVersions"] = defaults.datagrams.unknownVersions,
): DatagramsConfig {
	return { unknownVersions };
}

/**
 * A listener's timeouts, over the general ones, and how they are held. How long a session may be idle is said of connections there, and
 * not of datagrams, which have no other end.
 */
export function datagramTimeouts(
	general: Timeouts,
	file: ListenerTimeoutsFile | undefined,
	hold: Holding,
): [Timeouts, Holding] {
	const { idleMs, quicIdleMs } = defaults.datagrams;
	const timeouts = listenerTimeouts({ ...general, idleMs }, file);
	if (file?.idle !== undefined) return [timeouts, hold];
	return [timeouts, (each) => ({ ...hold(each), quicIdleMs })];
}
