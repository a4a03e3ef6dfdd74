/** Clients and servers that speak in datagrams. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { LOOPBACK } from "./peers.js";
import type { Scenario } from "./scenario.js";
import { Changes } from "./waiting.js";

export interface Received {
	readonly bytes: Buffer;
	readonly from: RemoteInfo;
}

/** A socket that keeps what it is sent. */
export class DatagramPeer {
	readonly socket: Socket;
	readonly received: Received[] = [];
	readonly #changes = new Changes();
	#taken = 0;

	constructor(socket: Socket) {
		this.socket = socket;
		socket.on("message", (bytes, from) => {
			this.received.push({ bytes, from });
			this.#changes.announce();
		});
		// Where nobody listens, the kernel says so to a connected socket: tests look at what the gateway does then.
		socket.on("error", () => {});
	}

	get port(): number {
		return this.socket.address().port;
	}

	send(data: string | Uint8Array, port: number, host = LOOPBACK): void {
		this.socket.send(data, port, host);
	}

	/** The next datagram that has not been looked at. */
	async next(): Promise<Received> {
		const found = await this.#changes.until(
			() => this.received[this.#taken],
			() => `datagram ${this.#taken + 1} has not come`,
		);
		this.#taken++;
		return found;
	}

	async text(): Promise<string> {
		return (await this.next()).bytes.toString();
	}
}

export async function datagramPeer(scenario: Scenario, host = LOOPBACK, port = 0): Promise<DatagramPeer> {
	const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
	const peer = new DatagramPeer(socket);
	await new Promise<void>((resolve, reject) => {
		socket.once("error", reject);
		socket.bind(port, host, () => resolve());
	});
	scenario.defer(() => closed(socket));
	return peer;
}

/** Closes it, if that has not been done. */
export async function closed(socket: Socket): Promise<void> {
	await new Promise<void>((resolve) => {
		socket.once("close", () => resolve());
		try {
			socket.close();
		} catch {
			resolve();
		}
	});
}

/** Answers each datagram with its name and what it was sent. */
export async function datagramEcho(
	scenario: Scenario,
	name = "echo",
	host = LOOPBACK,
	port = 0,
): Promise<DatagramPeer> {
	const peer = await datagramPeer(scenario, host, port);
	peer.socket.on("message", (bytes, { port: to, address }) =>
		peer.socket.send(Buffer.concat([Buffer.from(`${name}:`), bytes]), to, address),
	);
	return peer;
}
