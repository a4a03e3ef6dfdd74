/** A gateway that reads requests, and upstreams that a test answers by hand. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Gateway, startGateway } from "./gateway.js";
import { LOOPBACK, type Peer, startUpstream, type Upstream } from "./peers.js";
import type { Scenario } from "./scenario.js";

/** What follows a head is not looked at: enough for requests without a body. */
const HEAD_END = "\r\n\r\n";

/** A GET of `path`, kept alive, with more fields if any: `X: y\r\n`. */
export function get(path: string, host = "a.test", fields = ""): string {
	return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`;
}

export function ok(body: string, fields = ""): string {
	return `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${fields}\r\n${body}`;
}

export function chunk(text: string): string {
	return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

export interface RequestsOptions {
	/** Top-level sections before the listeners: `timeouts: { … }`. */
	readonly sections?: string;
	/** Of the upstream `a`: `pool: { … }`. */
	readonly pool?: string;
	/** Further lines of the listener. */
	readonly listener?: string;
	readonly reactors?: number;
}

/** One upstream `a` behind everything, spoken to in requests. */
export function requestsConfig(address: string, options: RequestsOptions = {}): string {
	const { sections = "", pool = "", listener = "" } = options;
	return `
reactors: ${options.reactors ?? 1}
${sections}
listeners:
  - listen: 127.0.0.1:0
    routes: [{ to: a }]
    ${listener}
upstreams:
  a:
    http: http://${address}
    ${pool}
`;
}

export async function startRequests(
	scenario: Scenario,
	serve: (peer: Peer) => void = () => {},
	options: RequestsOptions = {},
): Promise<{ gateway: Gateway; upstream: Upstream }> {
	const upstream = await startUpstream(scenario, serve);
	const gateway = await startGateway(scenario, requestsConfig(upstream.address, options));
	return { gateway, upstream };
}

/** Waits for the next head at a connection, and takes exactly that. */
export async function head(peer: Peer): Promise<string> {
	let text = "";
	while (!text.endsWith(HEAD_END)) text += (await peer.take(1)).toString("latin1");
	return text;
}

/** A message with a length: its head and its body. */
export async function message(peer: Peer): Promise<{ head: string; body: string }> {
	const text = await head(peer);
	const length = Number(/^content-length: (\d+)\r$/im.exec(text)?.[1] ?? 0);
	return { head: text, body: (await peer.take(length)).toString("latin1") };
}

/** Answers each request without a body that comes over a connection, in order. */
export function answering(answer: (head: string, count: number) => string): (peer: Peer) => void {
	return ({ socket }) => {
		let rest = "";
		let count = 0;
		socket.on("data", (bytes: Buffer) => {
			const heads = (rest + bytes.toString("latin1")).split(HEAD_END);
			rest = heads.pop() ?? "";
			for (const text of heads) socket.write(answer(text + HEAD_END, count++));
		});
		socket.once("end", () => socket.end());
	};
}

/** The first line's target. */
export function targetOf(text: string): string {
	return text.split(" ")[1] ?? "";
}

/** Listens on a free port until the scenario ends; returns the address as a configuration has it. */
export async function listening(scenario: Scenario, server: Server): Promise<string> {
	await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
	scenario.defer(() => {
		server.closeAllConnections();
		return new Promise((resolve) => server.close(resolve));
	});
	return `${LOOPBACK}:${(server.address() as AddressInfo).port}`;
}
