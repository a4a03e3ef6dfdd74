/**
 * For the guides of docs/migrate: an example is the file that stands in examples/migrate, with nothing changed but its
 * addresses and paths, which are those of the test; and clients that ask for each name, whoever stands there.
 */
import { readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { createConnection, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { issue } from "../../src/rig/issue.js";
import { datagramPeer } from "./datagrams.js";
import { dial, LOOPBACK, type Peer, startUpstream } from "./peers.js";
import { ROOT } from "./pieces.js";
import type { Scenario } from "./scenario.js";
import { dialTls, startTlsUpstream } from "./tls.js";

/** What stands in an example, and what stands there in the test. */
export type Replacements = Readonly<Record<string, string>>;

/** The example without the comment at its head. */
export function exampleText(name: string): string {
	return readFileSync(join(ROOT, "examples/migrate", name), "utf8").replace(/^(?:#.*\n)+\n?/, "");
}

/**
 * The example with every address and path replaced. All that is given must occur in it, and no address beyond this
 * machine may be left.
 */
export function exampleOnLoopback(name: string, replacements: Replacements): string {
	let text = exampleText(name);
	// The longest first: one may be the beginning of another.
	const keys = Object.keys(replacements).sort((a, b) => b.length - a.length);
	const escaped = keys.map((key) => key.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
	const used = new Set<string>();
	text = text.replaceAll(new RegExp(`(?<![\\w.])(?:${escaped.join("|")})`, "g"), (key) => {
		used.add(key);
		return replacements[key] ?? key;
	});
	const unused = keys.filter((key) => !used.has(key));
	if (unused.length > 0) throw new Error(`${name} has no ${unused.join(", ")}`);
	const beyond = text.match(/(?<![\w.])(?!127\.)\d{1,3}(?:\.\d{1,3}){3}\b/g) ?? [];
	if (beyond.length > 0) throw new Error(`${name} would still use ${beyond.join(", ")}`);
	return text;
}

/** Where somebody listens. */
export interface Place {
	readonly host: string;
	readonly port: number;
}

const server = issue({ commonName: "upstream.test" });

/** An upstream of TLS that says its name behind the handshake. */
export async function namedTls(scenario: Scenario, name: string): Promise<string> {
	const { address } = await startTlsUpstream(scenario, server, (peer) => answerWith(peer, name));
	return address;
}

/** An upstream that says its name to whoever speaks. */
export async function namedBytes(scenario: Scenario, name: string): Promise<string> {
	const { address } = await startUpstream(scenario, (peer) => answerWith(peer, name));
	return address;
}

/** Whom a PROXY header tells of; `undefined`: it is not whole yet. */
export type ReadHeader = (head: Buffer) => string | undefined;

/** A line: `PROXY TCP4 192.0.2.7 …`. */
export const headerV1: ReadHeader = (head) =>
	head.includes("\r\n") ? head.toString("latin1").split(" ")[2] : undefined;

/** Twelve bytes of signature and two more stand before the length of what follows. */
export const headerV2: ReadHeader = (head) =>
	head.length >= 16 && head.length >= 16 + head.readUInt16BE(14)
		? [...head.subarray(16, 20)].join(".")
		: undefined;

/** One that hears of its client by a PROXY header, and speaks first: its name, and the client's address. */
export async function namedProxied(scenario: Scenario, name: string, header: ReadHeader): Promise<string> {
	const { address } = await startUpstream(scenario, (peer) => {
		peer.socket.on("data", () => {
			const source = header(peer.received);
			if (source !== undefined) peer.socket.end(`${name} for ${source}`);
		});
	});
	return address;
}

/** One that answers each datagram. */
export async function namedDatagrams(scenario: Scenario, name: string): Promise<string> {
	const peer = await datagramPeer(scenario);
	peer.socket.on("message", (bytes, { address, port }) =>
		peer.send(`${name} has ${bytes.toString()}`, port, address),
	);
	return `${LOOPBACK}:${peer.port}`;
}

/** A web server that answers with its name, and what it was told of the client's side. */
export async function namedHttp(scenario: Scenario, name: string): Promise<string> {
	const web = createServer(({ headers }, response) =>
		response.end(`${name} over ${String(headers["x-forwarded-proto"])}`),
	);
	await new Promise<void>((resolve) => web.listen(0, LOOPBACK, resolve));
	scenario.defer(() => {
		web.close();
		web.closeAllConnections();
	});
	return `${LOOPBACK}:${(web.address() as AddressInfo).port}`;
}

/** What a client says who ends, and listens to what is said behind his end. */
export const LAST_WORDS = "SSH-2.0-last\r\n";

function answerWith({ socket }: Peer, name: string): void {
	let last = false;
	socket.on("data", (bytes) => {
		last = bytes.toString() === LAST_WORDS;
		if (!last) socket.end(name);
	});
	// Who only looks whether somebody is here ends without a word.
	socket.once("end", () => socket.end(last ? `${name} at the end` : ""));
}

/** What a client hears that asks for this name by TLS: the upstream's name, or `refused`. */
export async function askTls(scenario: Scenario, { host, port }: Place, name: string): Promise<string> {
	try {
		const peer = await dialTls(scenario, port, name, { host });
		await peer.send("hello");
		return orRefused(await peer.rest());
	} catch (error) {
		return refusal(error);
	}
}

/** The same of one that speaks these bytes, and ends behind LAST_WORDS; or listens to who speaks first. */
export async function askBytes(scenario: Scenario, { host, port }: Place, bytes = ""): Promise<string> {
	try {
		const peer = await dial(scenario, port, { host });
		if (bytes === LAST_WORDS) peer.end(bytes);
		else if (bytes !== "") await peer.send(bytes);
		return orRefused(await peer.rest());
	} catch (error) {
		return refusal(error);
	}
}

/** Status, the body or where it leads, and one field if asked for. */
export async function askHttp(
	scenario: Scenario,
	{ host, port }: Place,
	target: { readonly name: string; readonly path?: string; readonly tls?: boolean; readonly field?: string },
): Promise<string> {
	const { name, path = "/", tls = false, field } = target;
	const socket = tls ? (await dialTls(scenario, port, name, { host })).socket : createConnection(port, host);
	scenario.defer(() => socket.destroy());
	return new Promise((resolve, reject) => {
		const asked = request({
			...{ path, createConnection: () => socket },
			headers: { Host: name, Connection: "close" },
		});
		asked.once("error", reject);
		asked.once("response", (response) => {
			let body = "";
			response.setEncoding("utf8").on("data", (text: string) => {
				body += text;
			});
			response.once("end", () => {
				const { location } = response.headers;
				// What the gateways themselves say in a body is their own affair.
				const said = location ?? (response.statusCode === 200 ? body : "");
				const more = field === undefined ? "" : ` ${String(response.headers[field])}`;
				resolve(`${response.statusCode} ${said}${more}`.trimEnd());
			});
		});
		asked.end();
	});
}

const orRefused = (said: string): string => (said === "" ? "refused" : said);

/** A gateway closes, resets or sends an alert; that nothing came at all is no refusal. */
function refusal(error: unknown): string {
	const { message, code = "" } = error as NodeJS.ErrnoException;
	if (/^ECONNRESET|^ERR_SSL|^EPROTO/.test(code) || /ended in the handshake|^ECONNRESET/.test(message))
		return "refused";
	throw error;
}

/** A number that is free for TCP on loopback now. */
export async function freePortNumber(): Promise<number> {
	const server = createTcpServer();
	await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
	const { port } = server.address() as AddressInfo;
	await new Promise((resolve) => server.close(resolve));
	return port;
}
