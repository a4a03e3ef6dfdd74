/** Which settings of a new configuration wait for a restart: what they size or open is there from the start on. */
import type { Config, HubConfig } from "../config/config.js";
import { lastingPart } from "./admin-port.js";

/** As they are written in the file. `started`: what the process was started with; `hub`: what its hub was, which a reload may have brought. */
export function restartKeys(config: Config, started: Config, hub: HubConfig | undefined): string[] {
	const lasting = (of: Config) => ({ ...of, admin: lastingPart(of.admin) });
	const differing = (["reactors", "admin", "log", "watch"] as const).filter(
		(key) => JSON.stringify(lasting(config)[key]) !== JSON.stringify(lasting(started)[key]),
	);
	const buffers = config.limits.bufferedBytes !== started.limits.bufferedBytes;
	return [
		...(buffers ? ["limits.buffered_bytes"] : []),
		...differing,
		...(config.hub === null || hub === undefined ? [] : hubKeys(config.hub, hub)),
	];
}

/** Its log, which all threads share, is made when a configuration has a hub first. One that a reload takes away leaves nothing to wait for. */
function hubKeys(hub: HubConfig, started: HubConfig): string[] {
	return [
		...(hub.memoryBytes === started.memoryBytes ? [] : ["hub.memory"]),
		...(hub.limits.channels === started.limits.channels ? [] : ["hub.limits.channels"]),
	];
}
