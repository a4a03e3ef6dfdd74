/** Names as they stand in the file: hosts that routes match, hosts that upstreams live on, upstreams. */

import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import { InvalidValue } from "./errors.js";

/** DNS: RFC 1035, section 2.3.4. */
const LABEL_MAX = 63;
const NAME_MAX = 253;

/** As `protocol/host-name.ts` reads them from the wire: a name that it would refuse could never match. */
const ODD = /[^a-z0-9_-]/;

/**
 * What `sni` matches: `git.example.com` or `*.example.com`, in lower case and without a trailing dot.
 *
 * @throws InvalidValue
 */
export function parseServerName(text: string): string {
	if (isIP(text.replace(/^\[|\]$/g, "")) !== 0) {
		throw new InvalidValue(
			`"${text}" is an IP address: clients send no SNI for one (RFC 6066, section 3 forbids it); match with "source" or "protocol: tls"`,
		);
	}
	return parsePattern(text, "protocol: tls");
}

/**
 * A name that a certificate is shown for: `www.example.com`, `*.example.com` (one label, as in certificates), or `*`
 * for whatever no other entry names.
 *
 * @throws InvalidValue
 */
export function parseCertificateName(text: string): string {
	if (text === "*") return text;
	if (isIP(text.replace(/^\[|\]$/g, "")) !== 0)
		throw new InvalidValue(
			`"${text}" is an IP address: clients send no SNI for one (RFC 6066, section 3 forbids it); write "*"`,
		);
	return parsePattern(text, 'names: ["*"]');
}

/**
 * What an upstream's certificate must be for: a host name or an IP address.
 *
 * @throws InvalidValue
 */
export function parsePeerName(text: string): string {
	return isIP(text) === 0 ? foldName(text, text) : text;
}

/**
 * What `host` matches: as `sni`, and also IP literals, which stand in Host headers. IPv6 may be written in
 * brackets, as there; the result has none.
 *
 * @throws InvalidValue
 */
export function parseHostPattern(text: string): string {
	const unbracketed = text.replace(/^\[(.*)\]$/, "$1");
	const version = isIP(unbracketed);
	if (version === 6) return new URL(`http://[${unbracketed.replace(/%.*$/, "")}]`).hostname.slice(1, -1);
	if (version === 4) return text;
	const [, name] = /^(.*):\d+$/.exec(text) ?? [];
	if (name !== undefined) {
		throw new InvalidValue(`"host" matches whatever the port: write ${name} instead of "${text}"`);
	}
	return parsePattern(text, "protocol: http");
}

/** `anyName`: the condition that means what a lone `*` was probably meant to mean. */
function parsePattern(text: string, anyName: string): string {
	if (text === "*") throw new InvalidValue(`to match any name, write "${anyName}" instead of "*"`);
	if (/^\.[^.*]/.test(text))
		throw new InvalidValue(
			`"${text}": write *${text} for all names below it, or ${text.slice(1)} for itself`,
		);
	const wildcard = text.startsWith("*.");
	const rest = wildcard ? text.slice(2) : text;
	if (rest.includes("*")) {
		throw new InvalidValue(
			`"${text}": a wildcard stands once, as the whole first label, such as "*.example.com"`,
		);
	}
	const name = foldName(rest, text);
	return wildcard ? `*.${name}` : name;
}

/**
 * The host of an upstream, in lower case. A trailing dot stays: it tells the resolver to add no search domain.
 *
 * @throws InvalidValue
 */
export function parseHostName(text: string): string {
	const name = foldName(text, text);
	return text.endsWith(".") ? `${name}.` : name;
}

/** Lower case, trailing dot removed, every label checked. */
function foldName(name: string, written: string): string {
	const folded = name.toLowerCase().replace(/\.$/, "");
	const fail = (reason: string): never => {
		throw new InvalidValue(`"${written}" is not a host name: ${reason}`);
	};
	if (folded === "") return fail("it is empty");
	if (/,|\.\S*\s+\S*\./.test(folded)) return fail("one name stands here, without spaces and commas");
	const [, alone] = /^(?:[a-z][a-z+]*:\/\/)?([^/:@]+)(?::\d*)?(?:\/.*)?$/.exec(folded) ?? [];
	if (alone?.includes(".") && alone !== folded) return fail(`write ${alone} alone`);
	if (/[^\0-\x7f]/.test(folded)) {
		const ascii = domainToASCII(folded);
		return fail(ascii === "" ? "it has letters outside ASCII" : `clients send it in ASCII; write ${ascii}`);
	}
	if (folded.length > NAME_MAX) return fail(`it is longer than ${NAME_MAX} characters`);
	const labels = folded.split(".");
	for (const label of labels) {
		if (label === "") return fail("two dots in a row, or one at the start");
		if (label.length > LABEL_MAX) return fail(`"${label}" is longer than ${LABEL_MAX} characters`);
		const [odd] = ODD.exec(label) ?? [];
		if (odd !== undefined) return fail(`${odd === " " ? "a space" : `"${odd}"`} cannot stand in one`);
	}
	// No top-level domain is a number, so this is a mistyped IPv4 address (WHATWG URL, "ends in a number").
	if (/^\d+$/.test(labels.at(-1) ?? "")) return fail("it ends in a number, and is no IPv4 address");
	return folded;
}

/** RFC 6455, 11.3.4: a token (RFC 9110, 5.6.2). */
export const SUBPROTOCOL_PATTERN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * What `subprotocol` matches, in lower case: names that differ in nothing else should not lead to different servers.
 *
 * @throws InvalidValue
 */
export function parseSubprotocol(text: string): string {
	if (SUBPROTOCOL_PATTERN.test(text)) return text.toLowerCase();
	throw new InvalidValue(`expected one subprotocol such as mqtt, without spaces and commas, found "${text}"`);
}

/** Names of upstreams stand in logs, metric labels and admin URLs, and need no quoting in any of them. */
export const UPSTREAM_NAME_PATTERN = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** `to: reject` closes; so no upstream may be called that. */
export const REJECT = "reject";

/** `to: tunnels` leads to the agent that holds the name; so no upstream may be called that either. */
export const TUNNELS = "tunnels";

/** `to: hub` leads to the channels of the section `hub`; so no upstream may be called that either. */
export const HUB = "hub";
