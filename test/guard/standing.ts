/** A guarded server that stands for one test, its clients, and the check that nothing of either is left. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, type OutgoingHttpHeaders, request } from "node:http";
import { type AddressInfo, connect, type Server, type Socket } from "node:net";
import { type Closed, type Guarded, type GuardOptions, guard } from "../../src/guard/guard.js";
// A guard loads it when its server listens: its file must not be open while a test looks at the descriptors.
import "../../src/kernel/sockets.js";
import { descriptorsOf, difference, openSpare } from "../support/descriptors.js";
import { LOOPBACK } from "../support/peers.js";
import { Changes, eventually } from "../support/waiting.js";

export interface Standing {
	readonly guarded: Guarded;
	readonly port: number;
	/** The next connection that ends. */
	closed(): Promise<Closed>;
}

export interface StandOptions {
	/** How a framework listens; by default the server does. */
	readonly listen?: () => Promise<unknown>;
	/** What a framework has to close for itself, when the guard is closed. */
	readonly end?: () => unknown;
}

/** Guards the server, does the work, closes it, and checks that each connection has one reason and no descriptor is left. */
export async function stand(
	server: Server,
	options: GuardOptions,
	work: (standing: Standing) => Promise<void>,
	{ listen, end }: StandOptions = {},
): Promise<void> {
	await openSpare();
	const before = descriptorsOf(process.pid);
	const guarded = guard(server, options);
	const ended: Closed[] = [];
	const changes = new Changes();
	guarded.on("closed", (closed) => {
		ended.push(closed);
		changes.announce();
	});
	const closed = (): Promise<Closed> =>
		changes.until(
			() => ended.shift(),
			() => "a connection that ends",
		);
	if (listen === undefined) {
		server.listen(0, LOOPBACK);
		await once(server, "listening");
	} else await listen();
	const { port } = server.address() as AddressInfo;
	try {
		await work({ guarded, port, closed });
	} finally {
		await guarded.close({ drainMs: 0 });
		await end?.();
		for (const socket of clients.splice(0)) socket.destroy();
	}
	assert.equal(guarded.counts.open, 0);
	const { accepted, closed: reasons } = guarded.counts;
	assert.equal(
		Object.values(reasons).reduce((sum, count) => sum + count, 0),
		accepted,
		"each connection has one reason",
	);
	const left = (): string => difference(before, descriptorsOf(process.pid), 0);
	await eventually(() => (left() === "" ? true : undefined), left);
}

/** Of the scenario that runs. */
const clients: Socket[] = [];

/** A client that says what it is told to, and is destroyed with its server at the latest. */
export async function client(port: number, words = ""): Promise<Socket> {
	const socket = connect(port, LOOPBACK);
	clients.push(socket);
	socket.on("error", () => {});
	await new Promise((resolve) => socket.once("connect", resolve).once("close", resolve));
	if (words !== "") socket.write(words);
	return socket;
}

export function gone(socket: Socket): Promise<void> {
	return new Promise((resolve) => {
		if (socket.closed) resolve();
		else socket.once("close", () => resolve());
	});
}

/** All that comes until the connection ends. */
export async function textOf(socket: Socket): Promise<string> {
	let text = "";
	socket.on("data", (bytes) => {
		text += bytes;
	});
	await gone(socket);
	return text;
}

/** What comes, up to and with what is waited for. */
export function until(socket: Socket, expected: RegExp): Promise<string> {
	return new Promise((resolve, reject) => {
		let text = "";
		const ended = (): void => reject(new Error(`closed before ${expected}: ${JSON.stringify(text)}`));
		socket.once("close", ended).on("data", (bytes) => {
			text += bytes;
			if (!expected.test(text)) return;
			socket.off("close", ended);
			resolve(text);
		});
	});
}

export const REQUEST = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

export interface Answer {
	readonly status: number;
	readonly text: string;
	/** The client's port: the same one again is the same connection. */
	readonly from: number;
}

/** A request by Node's own client. Without an agent its connection ends with it. */
export function ask(
	port: number,
	path: string,
	{
		body,
		headers = {},
		agent = false,
	}: { body?: string | Buffer; headers?: OutgoingHttpHeaders; agent?: Agent | false } = {},
): Promise<Answer> {
	return new Promise((resolve, reject) => {
		const method = body === undefined ? "GET" : "POST";
		const outgoing = request({ host: LOOPBACK, port, path, method, headers, agent }, (response) => {
			const from = response.socket.localPort ?? 0;
			let text = "";
			response.setEncoding("utf8").on("data", (piece: string) => {
				text += piece;
			});
			response.once("end", () => resolve({ status: response.statusCode ?? 0, text, from }));
			response.once("error", reject);
		});
		outgoing.once("error", reject).end(body);
	});
}

/** A client of Node's that keeps its connection, for the work that is done with it. */
export async function withAgent<T>(work: (agent: Agent) => Promise<T>): Promise<T> {
	const agent = new Agent({ keepAlive: true, maxSockets: 1 });
	try {
		return await work(agent);
	} finally {
		agent.destroy();
	}
}
