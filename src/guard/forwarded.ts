/** Who a request is from, behind proxies that write X-Forwarded-For. */

import type { IncomingMessage } from "node:http";
import { type BlockList, isIP } from "node:net";

/** Fields longer than this are no list of proxies; its end is what counts. */
const FIELD_MAX = 2_048;

export function isIn(list: BlockList, address: string): boolean {
	const version = isIP(address);
	return version !== 0 && list.check(address, version === 4 ? "ipv4" : "ipv6");
}

/**
 * The last address that no trusted proxy has: each proxy adds whom it has heard from, so what stands before the first stranger,
 * seen from the end, anybody may have written. `undefined`: the field names nobody.
 */
export function clientOf(request: IncomingMessage, trusted: BlockList, header: string): string | undefined {
	const field = request.headers[header];
	const text = (Array.isArray(field) ? field.join(",") : (field ?? "")).slice(-FIELD_MAX);
	let client: string | undefined;
	for (const part of text.split(",").reverse()) {
		const address = bare(part.trim());
		if (isIP(address) === 0) return client;
		client = address;
		if (!isIn(trusted, address)) return client;
	}
	return client;
}

/** Some proxies write `192.0.2.1:4711` and `[2001:db8::1]:4711`. */
function bare(text: string): string {
	const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(text) ?? [];
	if (bracketed !== undefined) return bracketed;
	return /^\d+\.\d+\.\d+\.\d+:\d+$/.test(text) ? text.slice(0, text.indexOf(":")) : text;
}
