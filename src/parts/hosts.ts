/**
 * What a browser says about who asks, for pages and APIs on an inner network. A page of any site can make a browser ask an address
 * there under a name of that site's own (DNS rebinding), and would be allowed to read the answer. It cannot do so under an address,
 * nor under a name that is not its own; and what it asks under those names says in Origin where it comes from.
 */
import { isIP } from "node:net";

/**
 * Whether all are an address, a name that always means this machine, or one of `names`. `hosts`: what a request says, in its Host
 * field and elsewhere. Without any it was no browser that asked.
 */
export function areAllowedHosts(hosts: readonly string[], names: readonly string[]): boolean {
	return hosts.every((host) => {
		const name = nameIn(host);
		return name !== undefined && (isIP(name) !== 0 || isLocalName(name) || names.includes(name));
	});
}

/** Whether all are this machine, for what is served to nobody else. */
export function areLoopbackHosts(hosts: readonly string[]): boolean {
	return hosts.every((host) => {
		const name = nameIn(host);
		return name !== undefined && (isLocalName(name) || isLoopbackAddress(name));
	});
}

/** `origin`: undefined without the field, which browsers send with all that changes something. */
export function isOwnOrigin(origin: string | undefined, host: string | undefined): boolean {
	return origin === undefined || origin === `http://${host}` || origin === `https://${host}`;
}

export function isLoopbackAddress(address: string): boolean {
	return address === "::1" || (isIP(address) === 4 && address.startsWith("127."));
}

/** `[::1]:80` → `::1`, `App.Local.:80` → `app.local`; `undefined`: it is no host. */
function nameIn(host: string): string | undefined {
	const [whole, bracketed, plain = ""] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host) ?? [];
	if (whole === undefined) return undefined;
	if (bracketed !== undefined) return isIP(bracketed) === 6 ? bracketed : undefined;
	return plain.toLowerCase().replace(/\.$/, "");
}

/** RFC 6761, section 6.3: these names are nobody's. */
function isLocalName(name: string): boolean {
	return name === "localhost" || name.endsWith(".localhost");
}
