/** Names of tunnels: what an agent asks for, whether it may, and which host visitors ask for then. */
import type { TunnelAgentConfig } from "../../config/config.js";
import { hasPort, isEndToEnd, nameWithTransport, type TunnelKind } from "../../protocol/tunnel/index.js";

/** A name in the one spelling that leases know. */
export interface TunnelName {
	/** `app`, or a whole host name where it is not one label under the domain; with `/udp` behind it where datagrams pass. */
	readonly name: string;
	/** What visitors ask for; `null` for kinds that have a port. */
	readonly host: string | null;
}

/** One label, in lower case (RFC 1035, 2.3.4; `_` as host names of this project have it). */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const HOST_MAX = 253;

/** The name, or why the agent cannot have it: a sentence for people. */
export function nameFor(
	agent: TunnelAgentConfig,
	domain: string | null,
	kind: TunnelKind,
	written: string,
): TunnelName | string {
	const folded = written.toLowerCase().replace(/\.$/, "");
	const labels = folded.split(".");
	if (folded.length > HOST_MAX || !labels.every((label) => LABEL.test(label)))
		return `"${shown(written)}" is no name: up to 63 letters, digits and "-", or a whole host name`;
	const name = underDomain(folded, domain);
	const isLabel = !name.includes(".");
	if (hasPort(kind) && !isLabel)
		return `a ${kind} tunnel is reached by its port, and its name is one label: "${shown(written)}" is a host name`;
	const host = isLabel ? (domain === null ? null : `${name}.${domain}`) : name;
	const isAllowed =
		(isLabel && agent.names.some((pattern) => fitsName(pattern, name))) ||
		(host !== null && agent.domains.some((pattern) => fitsHost(pattern, host)));
	if (!isAllowed) return `"${shown(written)}" is not among the names of "${agent.id}"`;
	const whole = nameWithTransport({ kind, name });
	if (hasPort(kind)) return { name: whole, host: null };
	if (isEndToEnd(kind) && agent.basicAuth !== null)
		return `visitors of "${agent.id}" are asked for a password (basic_auth), which those of a ${kind} tunnel cannot be: open it as http`;
	if (host === null) return `this gateway has no domain, so "${name}" has no address: open a whole host name`;
	return { name: whole, host };
}

/** `app.example.com` is `app`, where that is the domain; so that one host has one name. */
function underDomain(name: string, domain: string | null): string {
	if (domain === null || !name.endsWith(`.${domain}`)) return name;
	const rest = name.slice(0, -domain.length - 1);
	return rest.includes(".") ? name : rest;
}

/** `dev-*` is all that begins so; a star alone is any. */
function fitsName(pattern: string, name: string): boolean {
	return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** `*.example.org` is one label and the rest. */
function fitsHost(pattern: string, host: string): boolean {
	return pattern.startsWith("*.") ? host.slice(host.indexOf(".")) === pattern.slice(1) : host === pattern;
}

/** Part of a message that goes into logs: somebody else wrote it. */
function shown(written: string): string {
	return written.replace(/[^\x21-\x7e]/g, "?").slice(0, 64);
}
