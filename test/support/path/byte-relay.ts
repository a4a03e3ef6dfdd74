/**
 * A relay of bytes, where no packets can be dropped. While it is silent it reads and writes nothing, and connections that come are not
 * carried on; the kernels of both ends still acknowledge what fits into their buffers.
 */

import { connect, createServer, type Server, type Socket } from "node:net";
import { resetSocket } from "../../../src/parts/reset-socket.js";
import { LOOPBACK } from "../peers.js";

export class ByteRelay {
	readonly #server: Server;
	readonly #sockets = new Set<Socket>();
	/** What is done when it is no longer silent. */
	readonly #held: (() => void)[] = [];
	#isSilent = false;
	#target = 0;

	constructor() {
		this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
			this.#whenNotSilent(() => this.#carry(socket)),
		);
	}

	/** Listens, and returns its port. */
	async leadTo(port: number): Promise<number> {
		this.#target = port;
		await new Promise<void>((resolve) => this.#server.listen(0, LOOPBACK, resolve));
		return (this.#server.address() as { port: number }).port;
	}

	set isSilent(isSilent: boolean) {
		this.#isSilent = isSilent;
		for (const socket of this.#sockets)
			if (isSilent) socket.pause();
			else socket.resume();
		if (!isSilent) for (const act of this.#held.splice(0)) act();
	}

	get open(): number {
		return this.#sockets.size / 2;
	}

	#whenNotSilent(act: () => void): void {
		if (this.#isSilent) this.#held.push(act);
		else act();
	}

	#carry(client: Socket): void {
		if (client.destroyed) return;
		const target = connect({ port: this.#target, host: LOOPBACK, allowHalfOpen: true, noDelay: true });
		this.#join(client, target);
		this.#join(target, client);
	}

	#join(from: Socket, to: Socket): void {
		this.#sockets.add(from);
		from.on("data", (bytes: Buffer) => this.#whenNotSilent(() => to.write(bytes)));
		from.on("end", () => this.#whenNotSilent(() => to.end()));
		from.on("error", () => this.#whenNotSilent(() => resetSocket(to)));
		from.on("close", () => this.#sockets.delete(from));
		if (this.#isSilent) from.pause();
	}

	close(): void {
		this.#server.close();
		for (const socket of this.#sockets) socket.destroy();
	}
}
