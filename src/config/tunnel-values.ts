/** Values of the section `tunnels`: names that agents may open, ranges of ports, public keys. */
import type { PortRange } from "./config.js";
import { InvalidValue } from "./errors.js";
import { parsePeerName } from "./names.js";

/** As `protocol/tunnel/login.ts` has it, which this layer does not know; a test holds the two to each other. */
export const AGENT_ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** One label of a host name (RFC 1035, 2.3.1), which it becomes under `tunnels.domain`; a star at the end stands for the rest of it. */
const NAME = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?|(?:[a-z0-9_][a-z0-9_-]{0,61})?\*)$/;

/**
 * A name that an agent may open: `app`, `dev-*` for all that begin so, `*` for any. In lower case.
 *
 * @throws InvalidValue
 */
export function parseTunnelName(text: string): string {
	const name = text.toLowerCase();
	if (NAME.test(name)) return name;
	if (/^\*./.test(name) || /\*.*\*/.test(name) || /\*[^*]/.test(name))
		throw new InvalidValue(`"${text}": a star stands once, at the end, such as "dev-*"`);
	if (name.includes("."))
		throw new InvalidValue(
			`"${text}": a name is one label, such as app, which is reached under "domain"; names elsewhere stand under "domains" of the agent`,
		);
	throw new InvalidValue(
		`expected a name such as app or dev-*: up to 63 letters, digits and "-", found "${text}"`,
	);
}

/**
 * A host name outside the domain: `shop.example.org`, or `*.example.org` for one label. In lower case, without a trailing dot.
 *
 * @throws InvalidValue
 */
export function parseTunnelDomain(text: string): string {
	const wildcard = text.startsWith("*.");
	const rest = wildcard ? text.slice(2) : text;
	if (rest.includes("*"))
		throw new InvalidValue(
			`"${text}": a wildcard stands once, as the whole first label, such as "*.example.org"`,
		);
	const name = parsePeerName(rest);
	if (!name.includes("."))
		throw new InvalidValue(`"${text}" is no full host name: write shop.example.org, or put it under "names"`);
	return wildcard ? `*.${name}` : name;
}

/** For the JSON Schema. */
export const PORTS_PATTERN = "^[0-9]+(-[0-9]+)?$";
const PORT_MAX = 65_535;

/**
 * Ports: `20000-20099`, or one.
 *
 * @throws InvalidValue
 */
export function parsePorts(text: string): PortRange {
	const [, first = "", last = first] = /^ *(\d{1,5})(?: *- *(\d{1,5}))? *$/.exec(text) ?? [];
	const [from, to] = [Number(first), Number(last)];
	if (first === "" || from < 1 || to > PORT_MAX)
		throw new InvalidValue(`expected ports from 1 to ${PORT_MAX}, such as 20000-20099, found "${text}"`);
	if (to < from) throw new InvalidValue(`"${text}" ends before it begins: write ${to}-${from}`);
	return { from, to };
}

const KEY_BYTES = 32;

/**
 * A public key of Ed25519: 32 bytes in base64, of either alphabet. The result is base64url without padding.
 *
 * @throws InvalidValue
 */
export function parsePublicKey(text: string): string {
	if (/BEGIN|PRIVATE/.test(text))
		throw new InvalidValue(
			"expected the line that sluice token new has printed, found PEM: only the public key's 32 bytes stand here, in base64",
		);
	const bytes = Buffer.from(text, "base64");
	// Buffer passes over what is no base64, and this file may be the only one that notices.
	if (bytes.length !== KEY_BYTES || !/^[A-Za-z0-9+/_-]{43}=?$/.test(text))
		throw new InvalidValue(
			"expected a public key as sluice token new prints it: 32 bytes in base64, 43 characters",
		);
	return bytes.toString("base64url");
}
