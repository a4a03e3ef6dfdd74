/** The way through an HTTP proxy: which one the environment names, and CONNECT (RFC 9110, 9.3.6). */
import { BlockList, isIP, type Socket } from "node:net";
import { bracketed } from "../../parts/bracketed.js";
import type { GatewayAddress, ProxyAddress } from "./settings.js";
import { take } from "./wire.js";

/** A proxy's answer; a longer one is a page, not an answer to CONNECT. */
const ANSWER_MAX_BYTES = 16_384;

export class ProxyError extends Error {
	override readonly name = "ProxyError";
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy for a gateway: HTTPS_PROXY or https_proxy, unless NO_PROXY names the host.
 *
 * @throws ProxyError when it is none that can be used
 */
export function proxyFor(gateway: GatewayAddress, env: Environment): ProxyAddress | undefined {
	const text = env["HTTPS_PROXY"] || env["https_proxy"];
	if (text === undefined || text === "" || isExempt(gateway, env["NO_PROXY"] || env["no_proxy"] || ""))
		return undefined;
	let url: URL;
	try {
		url = new URL(text.includes("://") ? text : `http://${text}`);
	} catch {
		throw new ProxyError("HTTPS_PROXY is no URL: write http://proxy.example.com:3128");
	}
	if (url.protocol !== "http:")
		throw new ProxyError(`HTTPS_PROXY begins with ${url.protocol}//: only http:// proxies are known`);
	const host = url.hostname.replace(/^\[|\]$/g, "");
	const port = url.port === "" ? 80 : Number(url.port);
	if (url.username === "") return { host, port };
	const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
	return { host, port, authorization: `Basic ${Buffer.from(user).toString("base64")}` };
}

/** As curl reads it: names with all below them, addresses, blocks, `*`; each with a port or without. */
function isExempt({ host, port }: GatewayAddress, list: string): boolean {
	const name = host.toLowerCase();
	for (const entry of list.split(/[,\s]+/)) {
		if (entry === "*") return true;
		const [, named = entry, onlyPort] = /^(.*?):(\d+)$/.exec(isIP(entry) === 6 ? "" : entry) ?? [];
		if (onlyPort !== undefined && Number(onlyPort) !== port) continue;
		const wanted = named
			.toLowerCase()
			.replace(/^\*?\./, "")
			.replace(/^\[|\]$/g, "");
		if (wanted === "") continue;
		if (name === wanted || (isIP(name) === 0 && name.endsWith(`.${wanted}`)) || isWithin(name, wanted))
			return true;
	}
	return false;
}

function isWithin(address: string, block: string): boolean {
	const [network = "", length = ""] = block.split("/");
	const family = isIP(network);
	if (family === 0 || isIP(address) !== family || !/^\d{1,3}$/.test(length)) return false;
	if (Number(length) > (family === 4 ? 32 : 128)) return false;
	const blocks = new BlockList();
	blocks.addSubnet(network, Number(length), family === 4 ? "ipv4" : "ipv6");
	return blocks.check(address, family === 4 ? "ipv4" : "ipv6");
}

/** Asks the proxy for a connection to the gateway. Bytes behind its answer are the gateway's, and stay in the socket. */
export async function connectThrough(
	socket: Socket,
	gateway: GatewayAddress,
	{ authorization }: ProxyAddress,
): Promise<void> {
	const host = bracketed(gateway.host);
	const target = `${host}:${gateway.port}`;
	const proof = authorization === undefined ? "" : `Proxy-Authorization: ${authorization}\r\n`;
	socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${proof}\r\n`);
	let head = "";
	while (!head.endsWith("\r\n\r\n")) {
		if (head.length >= ANSWER_MAX_BYTES) throw new ProxyError("the proxy's answer has no end");
		head += (await take(socket, 1)).toString("latin1");
	}
	const [, status = "", reason = ""] = /^HTTP\/1\.[01] (\d{3}) ?([^\r]*)/.exec(head) ?? [];
	if (status.startsWith("2")) return;
	const need = status === "407" ? ": put user and password into HTTPS_PROXY, http://user:password@host" : "";
	throw new ProxyError(
		status === ""
			? "what HTTPS_PROXY names does not answer as a proxy"
			: `the proxy refuses to connect to ${target}: ${status} ${reason}${need}`,
	);
}
