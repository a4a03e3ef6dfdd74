/**
 * Which names the admin port answers to. A page of any site can make a browser ask an address of the inner network under
 * a name of that site's own (DNS rebinding), and would be allowed to read the answer. It cannot do so under an address,
 * nor under a name that is not its own.
 */
import { isIP } from "node:net";

/** `host`: the Host field. Without one it was no browser that asked. */
export function isAllowedHost(host: string | undefined, names: readonly string[]): boolean {
	if (host === undefined) return true;
	const [, bracketed, plain = ""] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host) ?? [];
	if (bracketed !== undefined) return isIP(bracketed) === 6;
	const name = plain.toLowerCase().replace(/\.$/, "");
	// RFC 6761, section 6.3: these names are nobody's.
	if (isIP(name) === 4 || name === "localhost" || name.endsWith(".localhost")) return true;
	return names.includes(name);
}
