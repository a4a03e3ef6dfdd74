/** How log and metrics call a route. */

import { formatCidr } from "./address.js";
import type { Cidr } from "./config.js";

/** In the order in which a label names them. */
export const CONDITIONS = ["sni", "host", "path", "subprotocol", "alpn", "protocol", "source"] as const;

type Value<Key> = Key extends "source" ? Cidr : string;

export type Conditions = {
	readonly [Key in (typeof CONDITIONS)[number]]?: Value<Key> | readonly Value<Key>[] | null | undefined;
};

/** `sni=git.example.com,source=10.0.0.0/8|fd00::/8`; `*` without conditions. Equal conditions give equal labels. */
export function routeLabel(conditions: Conditions): string {
	const parts: string[] = [];
	for (const key of CONDITIONS) {
		const value = conditions[key];
		if (value === undefined || value === null) continue;
		const values = [value].flat().map((each) => (typeof each === "string" ? each : formatCidr(each as Cidr)));
		parts.push(`${key}=${values.join("|")}`);
	}
	return parts.length === 0 ? "*" : parts.join(",");
}
