/**
 * Which names the admin port answers to. A page of any site can make a browser ask an address of the inner network under
 * a name of that site's own (DNS rebinding), and would be allowed to read the answer. It cannot do so under an address,
 * nor under a name that is not its own.
 */
import { isIP } from "node:net";

/** `hosts`: what a request says, in its Host field and elsewhere. Without any it was no browser that asked. */
export function areAllowedHosts(hosts: readonly string[], names: readonly string[]): boolean {
	return hosts.every((host) => isAllowed(host, names));
}

function isAllowed(host: string, names: readonly string[]): boolean {
	const [, bracketed, plain = ""] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host) ?? [];
	if (bracketed !== undefined) return isIP(bracketed) === 6;
	const name = plain.toLowerCase().replace(/\.$/, "");
	// RFC 6761, section 6.3: these names are nobody's.
	if (isIP(name) === 4 || name === "localhost" || name.endsWith(".localhost")) return true;
	return names.includes(name);
}
