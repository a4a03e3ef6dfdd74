/** What lies between two ends of a connection: bytes pass, unless a test holds, bends or cuts them. */

import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";
import { resetSocket } from "../../src/parts/reset-socket.js";
import { LOOPBACK } from "./peers.js";
import type { Scenario } from "./scenario.js";
import { Changes } from "./waiting.js";

type Bend = (bytes: Buffer) => Buffer;

const straight: Bend = (bytes) => bytes;

/** Reads on when what it carries has been taken. */
function pass(bytes: Buffer, from: Socket, to: Socket): void {
	if (to.write(bytes)) return;
	from.pause();
	to.once("drain", () => from.resume());
}

export class Wire {
	readonly port: number;
	readonly #changes = new Changes();
	/** What comes from whoever dialled, and what goes back to it. */
	toServer: Bend = straight;
	toClient: Bend = straight;
	#client: Socket | undefined;
	#server: Socket | undefined;
	bytesToServer = 0;
	bytesToClient = 0;

	constructor(port: number) {
		this.port = port;
	}

	/** Takes a connection; the last one that came is the one that is cut. */
	carry(client: Socket, server: Socket): void {
		this.#client = client;
		this.#server = server;
		client.on("data", (bytes: Buffer) => {
			this.bytesToServer += bytes.length;
			const bent = this.toServer(bytes);
			if (bent.length > 0) pass(bent, client, server);
			this.#changes.announce();
		});
		server.on("data", (bytes: Buffer) => {
			this.bytesToClient += bytes.length;
			const bent = this.toClient(bytes);
			if (bent.length > 0) pass(bent, server, client);
			this.#changes.announce();
		});
		client.on("end", () => server.end());
		server.on("end", () => client.end());
		for (const [from, to] of [
			[client, server],
			[server, client],
		] as const)
			from.on("error", () => resetSocket(to));
	}

	/** Waits until so many bytes have come from whoever dialled. */
	carried(bytes: number): Promise<true> {
		return this.#changes.until(
			() => (this.bytesToServer >= bytes ? true : undefined),
			() => `${bytes} bytes on the wire; ${this.bytesToServer} came`,
		);
	}

	/** From now on nothing of whoever dialled passes. */
	hold(): void {
		this.toServer = () => Buffer.alloc(0);
	}

	/** Everything passes again. */
	straighten(): void {
		this.toServer = straight;
		this.toClient = straight;
	}

	/** From now on each byte of whoever dialled comes by itself, as far as the kernel lets it. */
	dribble(): void {
		this.toServer = (bytes) => {
			for (let i = 0; i < bytes.length; i++) this.#server?.write(bytes.subarray(i, i + 1));
			return Buffer.alloc(0);
		};
	}

	/** Its own port towards the server. */
	get serverSidePort(): number {
		return this.#server?.localPort ?? 0;
	}

	/** Sends the server what nobody has said. */
	sendToServer(bytes: Uint8Array): Promise<void> {
		return new Promise((resolve) => this.#server?.write(bytes, () => resolve()));
	}

	/** A FIN to the server, which nobody said by TLS. */
	endToServer(): void {
		this.hold();
		this.#server?.end();
	}

	/** A reset of what leads to the server. */
	resetServer(): void {
		this.hold();
		if (this.#server !== undefined) resetSocket(this.#server);
	}

	/** A reset of whoever dialled. */
	resetClient(): void {
		this.toClient = () => Buffer.alloc(0);
		if (this.#client !== undefined) resetSocket(this.#client);
	}

	/** A FIN to whoever dialled, which nobody said by TLS. */
	endToClient(): void {
		this.toClient = () => Buffer.alloc(0);
		this.#client?.end();
	}
}

/** A wire to a port, on a port of its own. */
export async function startWire(scenario: Scenario, to: number): Promise<Wire> {
	const sockets = new Set<Socket>();
	const server = createServer({ allowHalfOpen: true });
	await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
	const wire = new Wire((server.address() as AddressInfo).port);
	server.on("connection", (client) => {
		const onward = connect({ host: LOOPBACK, port: to, allowHalfOpen: true });
		for (const socket of [client, onward]) {
			socket.setNoDelay(true);
			sockets.add(socket);
		}
		wire.carry(client, onward);
	});
	scenario.defer(() => {
		for (const socket of sockets) socket.destroy();
		return new Promise((resolve) => server.close(resolve));
	});
	return wire;
}
