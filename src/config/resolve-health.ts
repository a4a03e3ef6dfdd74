/** Checks with their defaults filled in. */
import type { z } from "zod";
import type { HealthConfig, HttpCheckConfig } from "./config.js";
import * as defaults from "./defaults.js";
import type { upstreamHealth as schema } from "./schema-health.js";

type HealthSection = z.output<typeof schema>;
/** As a file says it. */
export type HealthFile = HealthSection | "on" | "off" | undefined;

/** `host`: what a request says as Host when the check names no other. */
export function resolveHealth(health: HealthFile, host: string): HealthConfig | null {
	if (health === undefined || health === "off") return null;
	if (health === "on") return defaults.health;
	const intervalMs = health.interval ?? defaults.health.intervalMs;
	return {
		intervalMs,
		// Who checks every second means the timeout to fit.
		timeoutMs: health.timeout ?? Math.min(defaults.health.timeoutMs, intervalMs),
		fall: health.fall ?? defaults.health.fall,
		rise: health.rise ?? defaults.health.rise,
		http: resolveHttpCheck(health, host),
		...(health.send === undefined ? {} : { datagram: health.send }),
	};
}

function resolveHttpCheck({ path, host, status }: HealthSection, usualHost: string): HttpCheckConfig | null {
	if (path === undefined) return null;
	return {
		path,
		host: host ?? usualHost,
		statuses: status === undefined ? defaults.healthStatuses : [status].flat(),
	};
}
