/** One end of a TCP connection in a test's hand, a client's or an upstream's: half-closes and resets when told, never by itself. */

import {
	type AddressInfo,
	connect,
	createServer,
	type ListenOptions,
	type Server,
	type Socket,
	type TcpNetConnectOpts,
} from "node:net";
import { TLSSocket } from "node:tls";
import { resetSocket } from "../../src/parts/reset-socket.js";
import type { Scenario } from "./scenario.js";
import { Changes, PATIENCE_MS } from "./waiting.js";

export const LOOPBACK = "127.0.0.1";

export class Peer {
	readonly socket: Socket;
	/** `127.0.0.1:41234`: a client's own address, by which the gateway's log calls it. */
	name = "";
	#received: Buffer[] = [];
	/** The other side ended its direction. */
	ended = false;
	/** `ECONNRESET`, when it was cut off. */
	error: string | undefined;
	/** Nothing more can come: perhaps this side closed it itself, and then it has neither ended nor failed. */
	#closed = false;
	readonly #changes = new Changes();

	constructor(socket: Socket) {
		this.socket = socket;
		socket.on("data", (bytes: Buffer) => {
			this.#received.push(bytes);
			this.#changes.announce();
		});
		socket.on("end", () => this.#end());
		socket.on("error", (error: NodeJS.ErrnoException) => {
			this.error = error.code ?? error.message;
			this.#changes.announce();
		});
		socket.on("close", () => {
			this.#closed = true;
			this.#changes.announce();
		});
	}

	/**
	 * Node tells a reset that came together with the last bytes as an end (libuv: POLLHUP after a read that was not
	 * full). A write of nothing sends nothing, and knows.
	 */
	#end(): void {
		const { socket } = this;
		const ended = (error?: Error | null): void => {
			// The error has an event of its own.
			if (error) return;
			this.ended = true;
			this.#changes.announce();
		};
		if (socket instanceof TLSSocket || !socket.writable || socket.writableLength > 0) ended();
		else socket.write("", ended);
	}

	/** What has come and was not taken by `take` or `expect`. */
	get received(): Buffer {
		const bytes = this.#received.length === 1 ? this.#received[0] : undefined;
		if (bytes !== undefined) return bytes;
		this.#received = [Buffer.concat(this.#received)];
		return this.received;
	}

	/** Resolves when the kernel has taken all of it. */
	send(bytes: string | Uint8Array): Promise<void> {
		return new Promise((resolve, reject) => {
			this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
		});
	}

	/** Ends its own direction. */
	end(bytes: string | Uint8Array = ""): void {
		this.socket.end(bytes);
	}

	/** Cuts the connection off: the other side sees ECONNRESET. */
	reset(): void {
		resetSocket(this.socket);
	}

	/** Waits for so many bytes, and takes exactly these. */
	take(count: number): Promise<Buffer> {
		return this.#changes.until(
			() => {
				if (this.received.length < count) return this.#orThrowIfOver(`${count} bytes`);
				const bytes = this.received;
				this.#received = [bytes.subarray(count)];
				return bytes.subarray(0, count);
			},
			() => `${count} bytes, but only ${this.received.length} came`,
		);
	}

	/** Waits for exactly this text, and takes it. */
	async expect(text: string): Promise<void> {
		const bytes = await this.take(Buffer.byteLength(text));
		if (bytes.toString() !== text)
			throw new Error(`expected ${JSON.stringify(text)}, got ${JSON.stringify(bytes.toString())}`);
	}

	/** Waits for the end of the other side's direction, and returns what came before it. A reset instead of an end is an error. */
	rest(patienceMs = PATIENCE_MS): Promise<string> {
		return this.#changes.until(
			() => (this.ended ? this.received.toString() : this.#orThrowIfOver("the end")),
			() => `no end came, only ${JSON.stringify(this.received.subarray(0, 200).toString())}`,
			patienceMs,
		);
	}

	/** Waits until it is over: "ended", or the error that cut it off. */
	over(): Promise<string> {
		return this.#changes.until(
			() => this.error ?? (this.ended ? "ended" : this.#orThrowIfOver("the end")),
			() => "it is neither ended nor cut off",
		);
	}

	#orThrowIfOver(waitedFor: string): undefined {
		if (this.error !== undefined) throw new Error(`${this.error} instead of ${waitedFor}`);
		if (this.ended && waitedFor !== "the end")
			throw new Error(`ended instead of ${waitedFor}; before: ${JSON.stringify(this.received.toString())}`);
		// Who goes on waiting keeps the process of the tests alive.
		if (this.#closed && !this.ended) throw new Error(`closed by the test itself instead of ${waitedFor}`);
		return undefined;
	}
}

/** Connects, and cuts the connection when the scenario ends. */
export async function dial(
	scenario: Scenario,
	port: number,
	options: Partial<TcpNetConnectOpts> = {},
): Promise<Peer> {
	const socket = connect({ host: LOOPBACK, port, allowHalfOpen: true, ...options });
	scenario.defer(() => socket.destroy());
	const peer = new Peer(socket);
	await new Promise<void>((resolve, reject) => {
		socket.once("connect", resolve);
		socket.once("error", reject);
	});
	const { localAddress = "", localPort } = socket;
	peer.name = localAddress.includes(":") ? `[${localAddress}]:${localPort}` : `${localAddress}:${localPort}`;
	return peer;
}

export type OpenServer = (accept: (socket: Socket) => void) => Server;

const openPlain: OpenServer = (accept) => createServer({ allowHalfOpen: true }, accept);

/** An upstream that does what the test tells it to, connection by connection. */
export class Upstream {
	readonly server: Server;
	/** Every connection it accepted, in order. */
	readonly peers: Peer[] = [];
	readonly #changes = new Changes();
	/** What was accepted, whether or not anything was said on it. */
	readonly #connections = new Set<Socket>();

	/** `open` makes a server that hands over its connections; by default, as they come. */
	constructor(serve: (peer: Peer) => void, open: OpenServer = openPlain) {
		this.server = open((socket) => {
			const peer = new Peer(socket);
			this.peers.push(peer);
			serve(peer);
			this.#changes.announce();
		});
		this.server.on("connection", (socket) => {
			this.#connections.add(socket);
			socket.once("close", () => this.#connections.delete(socket));
		});
	}

	/** `127.0.0.1:40123`, as it stands in a configuration. It stays when the upstream has closed. */
	address = "";
	port = 0;

	async listen(where: ListenOptions): Promise<void> {
		await new Promise<void>((resolve, reject) => {
			this.server.once("error", reject);
			this.server.listen(where, resolve);
		});
		const bound = this.server.address() as AddressInfo | string;
		if (typeof bound === "string") this.address = `unix:${bound}`;
		else {
			this.port = bound.port;
			this.address =
				bound.family === "IPv6" ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
		}
	}

	/** Waits for its n-th connection, counted from 0. */
	accepted(index = 0): Promise<Peer> {
		return this.#changes.until(
			() => this.peers[index],
			() => `${index + 1} connections at the upstream; ${this.peers.length} came`,
		);
	}

	close(): Promise<void> {
		for (const { socket } of this.peers) socket.destroy();
		for (const socket of this.#connections) socket.destroy();
		return new Promise((resolve) => this.server.close(() => resolve()));
	}
}

/** Starts an upstream on a free port, or on a path for a Unix socket. It ends with the scenario. */
export async function startUpstream(
	scenario: Scenario,
	serve: (peer: Peer) => void = () => {},
	where: { readonly host?: string; readonly port?: number } | { readonly path: string } = {},
	open?: OpenServer,
): Promise<Upstream> {
	const upstream = new Upstream(serve, open);
	await upstream.listen("path" in where ? where : { host: LOOPBACK, port: 0, ...where });
	scenario.defer(() => upstream.close());
	return upstream;
}

/** Sends everything back, and ends when its client has ended. */
export function echo(peer: Peer): void {
	peer.socket.pipe(peer.socket);
}

/** Says who it is as soon as somebody speaks, and ends. */
export function sayName(name: string): (peer: Peer) => void {
	return ({ socket }) => {
		socket.once("data", () => socket.end(name));
		socket.once("end", () => socket.end());
	};
}
