/** `/etc/hosts` (hosts(5)): an address and its names, a line each. */
import { isIP } from "node:net";
import type { Address } from "./addresses.js";

/** Names in lower case. A name that stands in several lines has all their addresses. */
export type Hosts = ReadonlyMap<string, readonly Address[]>;

export function parseHosts(text: string): Hosts {
	const hosts = new Map<string, Address[]>();
	for (const line of text.split("\n")) {
		const [address = "", ...names] = (line.split("#", 1)[0] ?? "").trim().split(/\s+/);
		const family = isIP(address);
		// A scope (`fe80::1%eth0`) is none that a connect could be told: such a line says nothing here.
		if ((family !== 4 && family !== 6) || address.includes("%")) continue;
		for (const name of names) {
			const folded = name.toLowerCase().replace(/\.$/, "");
			const known = hosts.get(folded);
			if (known === undefined) hosts.set(folded, [{ address, family }]);
			else known.push({ address, family });
		}
	}
	return hosts;
}
