/** How log and metrics call a route. */

import { formatCidr } from "./address.js";
import type { Cidr } from "./config.js";

/** In the order in which a label names them. */
export const CONDITIONS = ["sni", "host", "path", "subprotocol", "alpn", "protocol", "source"] as const;

export type Conditions = {
	readonly [K in (typeof CONDITIONS)[number]]?: (K extends "source" ? Cidr : string) | null | undefined;
};

/** `sni=git.example.com,source=10.0.0.0/8`; `*` without conditions. Equal conditions give equal labels. */
export function routeLabel(conditions: Conditions): string {
	const parts: string[] = [];
	for (const key of CONDITIONS) {
		const value = conditions[key];
		if (value === undefined || value === null) continue;
		parts.push(`${key}=${typeof value === "string" ? value : formatCidr(value)}`);
	}
	return parts.length === 0 ? "*" : parts.join(",");
}
