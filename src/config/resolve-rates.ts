/** How many bytes may pass in a second, from the general to the special: for one session and one address the last that says something wins. */
import type { ByteRates } from "./config.js";

/** As the file says it: of all that it stands for together, of one client address, of one session. */
export interface RatesFile {
	readonly bytes_per_second?: number | "off" | undefined;
	readonly bytes_per_second_per_ip?: number | "off" | undefined;
	readonly bytes_per_second_per_session?: number | "off" | undefined;
}

export const NO_RATES: ByteRates = { all: null, perIp: null, perSession: null };

/** `outer`: those of what it belongs to, whose bytes all together are counted there. */
export function resolveRates(file: RatesFile = {}, outer: ByteRates = NO_RATES): ByteRates {
	const own = (value: number | "off" | undefined, outside: number | null): number | null =>
		value === undefined ? outside : value === "off" ? null : value;
	return {
		all: own(file.bytes_per_second, null),
		perIp: own(file.bytes_per_second_per_ip, outer.perIp),
		perSession: own(file.bytes_per_second_per_session, outer.perSession),
	};
}
