/**
 * Real QUIC clients and servers, as processes beside the test. What they say to each other (ALPN `sluice-test`): a
 * client opens a stream, sends `get 1000`, a line feed and its end, and gets a line with the server's name and then so
 * many bytes, each of which follows from its place. The quic-go server serves HTTP/3 as well (`chromium.ts`).
 */
import { createHash, createPublicKey } from "node:crypto";
import { LOOPBACK } from "../peers.js";
import { type Child, start } from "../processes.js";
import type { Scenario } from "../scenario.js";
import { type Identity, identity } from "../tls.js";
import { eventually } from "../waiting.js";
import { commandOf, type Stack } from "./programs.js";

/** What a server tells. */
export interface ServerEvent {
	/** `retry`: a client was asked to prove its address. */
	readonly event: "listening" | "retry" | "accepted" | "closed";
	/** Where the client is, as the server sees it. */
	readonly from?: string;
	readonly port?: number;
	readonly alpn?: string;
	/** Of quic-go: the name that the client has asked for. */
	readonly sni?: string;
	/** The client's first request came with its hello, and was taken. */
	readonly early?: boolean;
}

/** What came of one request of a client. */
export interface Answer {
	/** The name of whoever answered. */
	readonly server: string;
	readonly bytes: number;
	readonly sha256: string;
	/** Of QUIC. */
	readonly version: 1 | 2;
	readonly postQuantum: boolean;
	readonly resumed: boolean;
	readonly early: boolean;
}

export interface ServerOptions {
	/** Every client has to prove its address by a Retry. */
	readonly retry?: boolean;
	/** quic-go only: in hex, what its connection IDs say that they are of. */
	readonly serverId?: string;
}

export interface AskOptions {
	readonly port: number;
	/** The name that it asks for (SNI). */
	readonly name: string;
	/** How much it downloads. Default: nothing but the server's name. */
	readonly bytes?: number;
	/** It speaks QUIC version 2 only. */
	readonly v2?: boolean;
	/** aioquic only: it begins with a version that nobody speaks, and goes on with one that its server offers instead. */
	readonly oddVersion?: boolean;
	/** How many its hello needs. Default: 2 for quic-go, whose hello is a post-quantum one, and 1 for aioquic. */
	readonly datagrams?: 1 | 2;
	/** It goes on from another port when half of the download has come. */
	readonly rebind?: boolean;
	/** quic-go only: it moves to another port by itself then, under a connection ID that nobody has seen. */
	readonly migrate?: boolean;
	/** It connects a second time, with its request beside the hello: quic-go from the same port, aioquic from another. */
	readonly zeroRtt?: boolean;
	/** quic-go only: another name, asked for from the same port while the first connection lives; then the first one is asked again. */
	readonly beside?: string;
}

export class QuicServer {
	readonly child: Child;
	/** Of the name `NAME.test`. */
	readonly identity: Identity;
	port = 0;

	constructor(child: Child, identity: Identity) {
		this.child = child;
		this.identity = identity;
	}

	get events(): ServerEvent[] {
		return linesOf<ServerEvent>(this.child);
	}

	/** Those of one kind. */
	of(event: ServerEvent["event"]): ServerEvent[] {
		return this.events.filter((candidate) => candidate.event === event);
	}

	/** Waits until at least so many of its connections have ended, and returns what it has told of these. */
	async closed(count: number): Promise<ServerEvent[]> {
		return eventually(
			() => (this.of("closed").length >= count ? this.of("closed") : undefined),
			() => `${count} connections did not end:\n${this.child.output}`,
		);
	}

	/** As Chromium wants to be told of a key that it is to believe. */
	get keyHash(): string {
		const key = createPublicKey(this.identity.cert.text).export({ type: "spki", format: "der" });
		return createHash("sha256").update(key).digest("base64");
	}
}

/** Starts a server that calls itself so in each answer; it ends with the scenario. */
export async function startQuicServer(
	scenario: Scenario,
	stack: Stack,
	name: string,
	{ retry, serverId }: ServerOptions = {},
): Promise<QuicServer> {
	const shown = identity(scenario, `${name}.test`);
	const command = commandOf(stack);
	const wanted = { name, cert: shown.certFile, key: shown.keyFile, retry, "server-id": serverId };
	const args = [...command.args, "server", ...flags(wanted)];
	const server = new QuicServer(start(scenario, command, args, { env: command.env }), shown);
	await server.child.printed(/"listening".*\n/);
	server.port = server.of("listening")[0]?.port ?? 0;
	return server;
}

/** Runs a client to its end, which the scenario's end comes before. One answer for each of its requests. */
export async function ask(scenario: Scenario, stack: Stack, options: AskOptions): Promise<Answer[]> {
	const { port, name, bytes = 0, zeroRtt, oddVersion, ...others } = options;
	const command = commandOf(stack);
	const dashed = { "zero-rtt": zeroRtt, "odd-version": oddVersion };
	const wanted = { addr: `${LOOPBACK}:${port}`, sni: name, bytes, ...dashed, ...others };
	const child = start(scenario, command, [...command.args, "client", ...flags(wanted)], { env: command.env });
	const status = await child.exited;
	if (status !== 0) throw new Error(`the ${stack} client ended with ${String(status)}:\n${child.output}`);
	return linesOf<Answer>(child);
}

export interface CurlOptions {
	/** Where the name leads. Default: loopback. */
	readonly host?: string;
	/** A file: it begins over TCP, and goes on where the site says that its HTTP/3 is. Default: nothing but HTTP/3. */
	readonly altSvc?: string;
}

/** What the quic-go server answers to `/who`, asked by curl over HTTP/3. */
export async function whoByCurl(
	scenario: Scenario,
	port: number,
	name: string,
	{ host = LOOPBACK, altSvc }: CurlOptions = {},
): Promise<string> {
	const command = commandOf("curl_cffi");
	const wanted = { addr: `${host}:${port}`, sni: name, path: "/who", "alt-svc": altSvc };
	const child = start(scenario, command, [...command.args, ...flags(wanted)], { env: command.env });
	const status = await child.exited;
	if (status !== 0) throw new Error(`curl ended with ${String(status)}:\n${child.output}`);
	return child.stdout.trim();
}

/** `{ v2: true, bytes: 10 }` is `--v2 --bytes 10`. */
function flags(options: Readonly<Record<string, string | number | boolean | undefined>>): string[] {
	return Object.entries(options).flatMap(([name, value]) => {
		if (value === undefined || value === false) return [];
		return value === true ? [`--${name}`] : [`--${name}`, String(value)];
	});
}

/** Of a download of so many bytes. */
export function sumOf(bytes: number): string {
	const content = Buffer.alloc(bytes);
	for (let place = 0; place < bytes; place++) content[place] = place ^ (place >> 8) ^ (place >> 16);
	return createHash("sha256").update(content).digest("hex");
}

/** The last one may still be on its way. */
function linesOf<T>({ stdout }: Child): T[] {
	return stdout
		.split("\n")
		.slice(0, -1)
		.map((line) => JSON.parse(line) as T);
}
