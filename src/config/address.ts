/** Addresses as they stand in the file: what a listener binds, where an upstream is, blocks of addresses. */

import { isIPv4, isIPv6 } from "node:net";
import type { Cidr, Endpoint } from "./config.js";
import { InvalidValue } from "./errors.js";
import { parseHostName } from "./names.js";

export interface BindAddress {
	/** `*` is IPv4 and IPv6 at once; otherwise an IP literal in its canonical spelling, without brackets. */
	readonly host: string;
	/** 0: the kernel picks a free one. */
	readonly port: number;
}

/** What comes there: connections, or datagrams. */
export type Transport = "tcp" | "udp";

export interface ListenAddress extends BindAddress {
	readonly transport: Transport;
}

/**
 * What a listener binds: as `parseBind` reads it for connections, and with `/udp` behind it for datagrams.
 *
 * @throws InvalidValue
 */
export function parseListen(text: string): ListenAddress {
	const [, scheme, behind] = /^(udp|quic|dtls|h3):\/\/(.*)$/i.exec(text) ?? [];
	const [, place = behind, written = scheme] = /^(.*)\/(udp|quic|dtls|h3|http3)$/i.exec(text) ?? [];
	if (place === undefined || written === undefined) return { ...parseBind(text), transport: "tcp" };
	if (written === "udp" && scheme === undefined) return { ...parseBind(place), transport: "udp" };
	const why = /^udp$/i.test(written) ? "" : "what clients speak is seen in their datagrams: ";
	throw new InvalidValue(`${why}write ${place}/udp`);
}

/**
 * What is bound for connections: `0.0.0.0:443`, `[::1]:443`, `*:443`, or `:443` for `*:443`.
 *
 * @throws InvalidValue
 */
export function parseBind(text: string): BindAddress {
	if (/^(unix:|\/)/.test(text))
		throw new InvalidValue(
			"a listener binds an IP address, such as 127.0.0.1:8080: only upstreams are Unix sockets",
		);
	if (text.includes(",")) throw new InvalidValue("one address stands here: write a listener for each");
	const { host, port } = splitHostPort(text, "0.0.0.0:443");
	if (host === "" || host === "*") return { host: "*", port: parsePort(port, 0) };
	const address = parseIp(host);
	if (address === null) {
		throw new InvalidValue(
			`a listener binds an IP address, not "${host}": write 127.0.0.1:${port}, [::1]:${port} or "*:${port}"`,
		);
	}
	return { host: address.text, port: parsePort(port, 0) };
}

/** Where the admin port is. A relative socket path stays relative here. */
export type AdminAddress =
	| ({ readonly kind: "ip" } & BindAddress)
	| { readonly kind: "unix"; readonly path: string };

/**
 * Where the admin pages are: `127.0.0.1:9090`, `[::1]:9090`, `localhost:9090` or `unix:/run/sluice/admin.sock`. "Every
 * address" must be spelled out, because it shows the pages to the whole network.
 *
 * @throws InvalidValue
 */
export function parseAdmin(text: string): AdminAddress {
	if (/^(off|none|no|false|disabled?|never)$/i.test(text))
		throw new InvalidValue(`expected an address such as 127.0.0.1:9090, or off, found "${text}": write off`);
	if (/^(on|yes|true|enabled?)$/i.test(text))
		throw new InvalidValue(
			`expected an address such as 127.0.0.1:9090, or off, found "${text}": write 127.0.0.1:9090`,
		);
	if (text.startsWith("unix:")) return { kind: "unix", path: socketPath(text, "/run/sluice/admin.sock") };
	const { host, port } = splitHostPort(text, "127.0.0.1:9090");
	// Of the two that the name may mean, the one that every machine has: what is bound should not depend on a hosts file.
	if (host.toLowerCase() === "localhost") return { kind: "ip", host: "127.0.0.1", port: parsePort(port, 0) };
	const address = parseIp(host);
	if (address === null) {
		throw new InvalidValue(
			host === "" || host === "*"
				? `"${text}" would show the admin pages to the whole network: write 127.0.0.1:${port}, or 0.0.0.0:${port} if that is meant`
				: `the admin pages bind an IP address, not "${host}": write 127.0.0.1:${port}`,
		);
	}
	return { kind: "ip", host: address.text, port: parsePort(port, 0) };
}

/**
 * Where an upstream is: `10.0.0.5:443`, `[fd00::5]:443`, `app.internal:443` or `unix:/run/app.sock`. A
 * relative socket path stays relative here.
 *
 * @throws InvalidValue
 */
export function parseEndpoint(text: string): Endpoint {
	if (text.startsWith("unix:")) return { kind: "unix", path: socketPath(text, "/run/app.sock") };
	if (/^https?(\+unix)?:/i.test(text))
		throw new InvalidValue(
			`expected host:port such as 10.0.0.5:443, found the URL "${text}": requests go to http: [${text}]`,
		);
	const [, place] = /^(.*)\/(?:udp|quic)$/i.exec(text) ?? [];
	if (place !== undefined)
		throw new InvalidValue(`datagrams go to an upstream with "udp": write { udp: ${place} }`);
	const { host, port } = splitHostPort(text, "10.0.0.5:443");
	const address = parseIp(host);
	if (address !== null) {
		return { kind: "ip", address: address.text, family: address.family, port: parsePort(port, 1) };
	}
	if (host === "" || host === "*") {
		throw new InvalidValue(`an upstream needs a host: write 127.0.0.1:${port}`);
	}
	return { kind: "name", host: parseHostName(host), port: parsePort(port, 1) };
}

/** What stands behind `unix:`. */
function socketPath(text: string, example: string): string {
	const path = text.slice("unix:".length);
	if (path === "" || path.includes("\0"))
		throw new InvalidValue(`expected a socket path such as "unix:${example}"`);
	return path;
}

/** Where requests go, and whether through TLS. */
export interface HttpEndpoint {
	readonly endpoint: Endpoint;
	readonly throughTls: boolean;
}

/**
 * Where an upstream of requests is: `http://10.0.0.7:3000`, `https://api.internal` (port 443), or a socket:
 * `http+unix:/run/app.sock`, `https+unix:…`. The upstream gets the path that the client asked for, so the URL has
 * none.
 *
 * @throws InvalidValue
 */
export function parseHttpUrl(text: string): HttpEndpoint {
	const throughTls = /^https/i.test(text);
	const socket = /^https?\+(unix:.*)$/i.exec(text);
	if (socket !== null) return { endpoint: parseEndpoint(socketOf(text, socket[1] ?? "")), throughTls };
	const [, scheme = "", authority = "", rest = ""] = /^(https?):\/\/([^/?#]*)(.*)$/i.exec(text) ?? [];
	if (authority === "")
		throw new InvalidValue(`expected a URL such as http://10.0.0.7:3000, found "${text}"${urlMeant(text)}`);
	if (authority.toLowerCase() === "unix:")
		throw new InvalidValue(`write ${scheme}+unix:${rest} for a socket`);
	if (text.includes(",")) throw new InvalidValue("one URL stands here: write several as a list, [a, b]");
	if (/\s/.test(text)) throw new InvalidValue(`no spaces in a URL: write ${text.replace(/\s/g, "")}`);
	const host = authority.slice(authority.lastIndexOf("@") + 1);
	if (host !== authority)
		throw new InvalidValue(`a user and a password have no place here: write ${scheme}://${host}`);
	if (isIPv6(host) && !isAmbiguous(host))
		throw new InvalidValue(`an IPv6 address stands in brackets: write ${scheme}://[${host}]`);
	if (rest !== "" && rest !== "/") {
		throw new InvalidValue(
			`an upstream gets the path that the client asked for: write ${scheme}://${authority}, without "${rest}"`,
		);
	}
	const hasPort = /:[^:\]]*$/.test(host);
	return { endpoint: parseEndpoint(hasPort ? host : `${host}:${throughTls ? 443 : 80}`), throughTls };
}

/** `http+unix://%2Frun%2Fapp.sock` is how some libraries write a socket. */
function socketOf(text: string, socket: string): string {
	if (!/%2f/i.test(socket)) return socket;
	const path = socket.replace(/^unix:(\/\/)?/, "").replace(/%2f/gi, "/");
	throw new InvalidValue(`the path of a socket stands as it is: write ${text.replace(/:.*$/, "")}:${path}`);
}

/** What is probably meant by what is no URL. */
function urlMeant(text: string): string {
	if (text.startsWith("unix:")) return `: write http+${text}`;
	if (text.startsWith("/") && !text.startsWith("//")) return `: write http+unix:${text}`;
	const [, secure] = /^ws(s?):\/\//i.exec(text) ?? [];
	if (secure !== undefined) return `: write ${text.replace(/^ws/i, "http")}`;
	const [, host] = /^(?:https?:\/?|\/\/)?(\[[^\]]*\](?::\d+)?|[\w.-]+(?::\d+)?)$/i.exec(text) ?? [];
	return host === undefined ? "" : `: write ${/^https:/i.test(text) ? "https" : "http"}://${host}`;
}

/**
 * What requests are sent with as Host: a name or an IP literal, and a port if one is to be said.
 *
 * @throws InvalidValue
 */
export function parseSentHost(text: string): string {
	const [whole, host = "", port] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(text) ?? [];
	if (whole === undefined || host === "")
		throw new InvalidValue(`expected a host such as app.internal or app.internal:8080, found "${text}"`);
	if (port !== undefined) parsePort(port, 1);
	if (host.startsWith("[")) {
		if (!isIPv6(host.slice(1, -1))) throw new InvalidValue(`"${host}" is no IPv6 address in brackets`);
	} else if (!isIPv4(host)) parseHostName(host);
	return text;
}

/**
 * A block of addresses: `10.0.0.0/8`, `fd00::/8`, or a single address.
 *
 * @throws InvalidValue
 */
export function parseCidr(text: string): Cidr {
	const slash = text.indexOf("/");
	const [, mapped, mappedLength] = /^::ffff:([0-9.]+)(?:\/([0-9]+))?$/i.exec(text) ?? [];
	if (mapped !== undefined && isIPv4(mapped) && Number(mappedLength ?? 128) >= 96)
		throw new InvalidValue(
			`write ${mapped}${mappedLength === undefined ? "" : `/${Number(mappedLength) - 96}`} instead of the IPv4-mapped "${text}"`,
		);
	const address = parseIp(slash === -1 ? text : text.slice(0, slash));
	if (address === null) {
		throw new InvalidValue(
			`expected a block of addresses such as 10.0.0.0/8 or fd00::/8, found "${text}"${blockMeant(text)}`,
		);
	}
	const most = address.family === 4 ? 32 : 128;
	const length = slash === -1 ? String(most) : text.slice(slash + 1);
	if (!/^\d{1,3}$/.test(length) || Number(length) > most) {
		const bits = address.family === 4 ? netmaskBits(length) : null;
		const meant = bits === null ? "" : `: write ${address.text}/${bits}`;
		throw new InvalidValue(
			`expected a prefix length from 0 to ${most} after the slash, found "${text}"${meant}`,
		);
	}
	const prefixLength = Number(length);
	const bytes = address.bytes.map((byte, index) => byte & mask(prefixLength - index * 8));
	const block: Cidr = { family: address.family, bytes, prefixLength };
	if (bytes.some((byte, index) => byte !== address.bytes[index]))
		throw new InvalidValue(
			`${text} has more than its first ${prefixLength} bits: write ${formatCidr(block)} for the whole block, or ${address.text} for the one address`,
		);
	return block;
}

/** What is probably meant by what is no block: `10.0/16`, `10.*`, `localhost`, `10.0.0.1:80`. */
function blockMeant(text: string): string {
	if (/^(\*|any|all|everyone)$/i.test(text)) return ": write 0.0.0.0/0 for all of IPv4, and ::/0 for IPv6";
	if (text.toLowerCase() === "localhost") return ": write 127.0.0.0/8, and ::1 for IPv6";
	const [, address = "", port] = /^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(text) ?? [];
	if (port !== undefined && isIPv4(address)) return `: write ${address}, without a port`;
	if (text.startsWith("[") && isIPv6(address)) return `: write ${address}`;
	if (text.includes("-")) return ": a range has to be written as blocks";
	const [, start = "", stars = "", length] =
		/^((?:\d{1,3}\.){0,3}\d{1,3})((?:\.\*)*)\.?(?:\/(\d{1,2}))?$/.exec(text) ?? [];
	const groups = start.split(".");
	if (start === "" || (stars === "" && length === undefined)) return "";
	const padded = [...groups, "0", "0", "0"].slice(0, 4).join(".");
	return isIPv4(padded) ? `: write ${padded}/${length ?? 8 * groups.length}` : "";
}

/** The length of the prefix that a mask such as 255.255.0.0 stands for. */
function netmaskBits(text: string): number | null {
	if (!isIPv4(text)) return null;
	const bits = text.split(".").map((byte) => Number(byte).toString(2).padStart(8, "0"));
	const [, ones] = /^(1*)0*$/.exec(bits.join("")) ?? [];
	return ones === undefined ? null : ones.length;
}

/** `10.0.0.0/8`: the one spelling of a block, so that equal blocks read the same. */
export function formatCidr({ family, bytes, prefixLength }: Cidr): string {
	return `${family === 4 ? bytes.join(".") : ipv6Text(bytes)}/${prefixLength}`;
}

/** The byte's part of a netmask, `bits` of the prefix being left at its start. */
function mask(bits: number): number {
	return bits >= 8 ? 0xff : bits <= 0 ? 0 : (0xff << (8 - bits)) & 0xff;
}

interface IpAddress {
	readonly family: 4 | 6;
	/** Canonical (RFC 5952). */
	readonly text: string;
	readonly bytes: readonly number[];
}

export function parseIp(text: string): IpAddress | null {
	if (isIPv4(text)) return { family: 4, text, bytes: text.split(".").map(Number) };
	if (!isIPv6(text)) return null;
	if (text.includes("%")) {
		throw new InvalidValue(
			`"${text}": addresses with a zone are not supported; use a global or unique local one`,
		);
	}
	// The URL parser brings any spelling into the canonical one, with no dotted tail.
	const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
	const bytes = ipv6Bytes(canonical);
	if (bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff) {
		// The reactor turns mapped clients into IPv4 before it compares, so this would never match.
		throw new InvalidValue(`write ${bytes.slice(12).join(".")} instead of the IPv4-mapped "${text}"`);
	}
	return { family: 6, text: canonical, bytes };
}

function ipv6Bytes(canonical: string): number[] {
	const [head = "", tail] = canonical.split("::");
	const left = head === "" ? [] : head.split(":");
	const right = tail === undefined || tail === "" ? [] : tail.split(":");
	const gap = new Array<string>(8 - left.length - right.length).fill("0");
	return [...left, ...gap, ...right].flatMap((group) => {
		const value = Number.parseInt(group, 16);
		return [value >> 8, value & 0xff];
	});
}

function ipv6Text(bytes: readonly number[]): string {
	const groups: string[] = [];
	for (let i = 0; i < 16; i += 2) groups.push((((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)).toString(16));
	return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

/** Host (brackets removed) and port, neither checked. */
function splitHostPort(text: string, example: string): { host: string; port: string } {
	const [scheme] = /^[a-z][a-z+]*:\/\//i.exec(text) ?? [];
	if (scheme !== undefined)
		throw new InvalidValue(`expected host:port such as ${example}: remove "${scheme}" from "${text}"`);
	if (text.startsWith("/")) throw new InvalidValue(`a socket path is written "unix:${text}"`);
	if (/,|:\d+\s+\S+:\d/.test(text))
		throw new InvalidValue(`one address such as ${example}: write several as a list, [a:1, b:1]`);
	if (text !== text.trim()) throw new InvalidValue(`no spaces around an address: write "${text.trim()}"`);
	const [, mapped = "", mappedPort = ""] = /^\[?::ffff:([0-9.]+)\]?:(\d+)$/i.exec(text) ?? [];
	if (isIPv4(mapped))
		throw new InvalidValue(`write ${mapped}:${mappedPort} instead of the IPv4-mapped "::ffff:${mapped}"`);
	const [, bracketed = "", behind = ""] = /^\[([^\]]*)\](\d+)$/.exec(text) ?? [];
	if (isIPv6(bracketed)) throw new InvalidValue(`a colon is missing: write "[${bracketed}]:${behind}"`);
	if (isAmbiguous(text)) {
		const [, bare = "", last = ""] = AMBIGUOUS.exec(text) ?? [];
		const [port] = /\d+$/.exec(example) ?? [];
		throw new InvalidValue(
			`with or without a port? Write "[${bare}]:${last}" for port ${last} of ${bare}, or "[${text}]:${port}" with the port that is meant`,
		);
	}
	// A zone may have a port behind it.
	if (isIPv6(text) && !text.includes("%"))
		throw new InvalidValue(`the port is missing, or the brackets are: write "[${text}]:443"`);
	if (text.startsWith("[") && text.endsWith("]"))
		throw new InvalidValue(`the port is missing: write "${text}:443"`);
	const colon = text.lastIndexOf(":");
	if (colon === -1) {
		throw new InvalidValue(
			/^\d+$/.test(text)
				? `expected host:port such as ${example}, found the port alone`
				: `the port is missing: expected host:port such as ${example}, found "${text}"`,
		);
	}
	const host = text.slice(0, colon);
	const port = text.slice(colon + 1);
	if (!host.startsWith("[")) {
		// Says what is wrong with a zone.
		if (isIPv6(host)) parseIp(host);
		if (isIPv6(host)) throw new InvalidValue(`an IPv6 address stands in brackets: write "[${host}]:${port}"`);
		if (host.includes(":"))
			throw new InvalidValue(`expected host:port such as ${example}, with one colon, found "${text}"`);
		return { host, port };
	}
	const inner = host.slice(1, -1);
	if (isIPv4(inner)) throw new InvalidValue(`brackets are for IPv6: write ${inner}:${port}`);
	if (!host.endsWith("]") || !isIPv6(inner)) {
		throw new InvalidValue(`"${host}" is not an IPv6 address in brackets, such as "[::1]:${port}"`);
	}
	return { host: inner, port };
}

/** An IPv6 address with a port behind it, or without. */
const AMBIGUOUS = /^(::(?=[0-9]{2})|[0-9a-f:]+(?=:)):?([0-9]{1,5})$/i;

function isAmbiguous(text: string): boolean {
	const [, bare = "", last = ""] = AMBIGUOUS.exec(text) ?? [];
	return isIPv6(text) && isIPv6(bare) && Number(last) <= 65_535;
}

function parsePort(text: string, least: 0 | 1): number {
	const port = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
	if (port >= least && port <= 65_535) return port;
	throw new InvalidValue(`expected a port from ${least} to 65535, found "${text}"${portMeant(text)}`);
}

const PORT_NAMES: ReadonlyMap<string, number> = new Map([
	["http", 80],
	["https", 443],
	["ssh", 22],
	["smtp", 25],
	["domain", 53],
	["mysql", 3306],
	["postgresql", 5432],
]);

function portMeant(text: string): string {
	const named = PORT_NAMES.get(text.toLowerCase());
	if (named !== undefined) return `: write ${named}`;
	const [, number] = /^(\d+)(?:\/(?:tcp|udp|quic)?|\s+[a-z].*)$/i.exec(text) ?? [];
	if (number !== undefined) return `: write ${number} alone`;
	return /^\d+-\d+$/.test(text) ? ": one port stands here" : "";
}
