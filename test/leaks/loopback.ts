/** A server on loopback for one test, with the clients in the test's hand; nothing of either is open when the test is over. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { difference, openSpare } from "../support/descriptors.js";
import { LOOPBACK } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";
import { socketsOf, turn } from "./rulers.js";

/**
 * A scenario after which this process has exactly the sockets that it had before. Other descriptors come and go: a module that is
 * being loaded is one for a moment.
 */
export function measured(sentence: string, body: (scenario: Scenario) => Promise<void>): void {
	scenario(sentence, async (running) => {
		await openSpare();
		const before = socketsOf();
		// The first that is deferred is the last that runs.
		running.defer(async () => {
			const left = (): string => difference(before, socketsOf(), 0);
			await eventually(() => (left() === "" ? true : undefined), left);
		});
		await body(running);
	});
}

export class Loopback {
	readonly server: Server;
	/** The server's ends, in the order in which they came. */
	readonly accepted: Socket[] = [];
	readonly #scenario: Scenario;

	private constructor(running: Scenario, server: Server) {
		this.#scenario = running;
		this.server = server;
		server.on("connection", (socket) => {
			socket.on("error", () => {});
			this.accepted.push(socket);
		});
		running.defer(async () => {
			for (const socket of this.accepted) socket.destroy();
			if (!server.listening) return;
			server.close();
			await once(server, "close");
		});
	}

	static async listen(running: Scenario, server = createServer()): Promise<Loopback> {
		const loopback = new Loopback(running, server);
		server.listen(0, LOOPBACK);
		await once(server, "listening");
		return loopback;
	}

	get port(): number {
		return (this.server.address() as AddressInfo).port;
	}

	/** A client, when the server has accepted it, and the server's end of its connection. It reads nothing unless told to. */
	async dial(): Promise<{ client: Socket; socket: Socket }> {
		const arrival = once(this.server, "connection") as Promise<[Socket]>;
		const client = connect(this.port, LOOPBACK);
		client.on("error", () => {});
		this.#scenario.defer(() => client.destroy());
		const [[socket]] = await Promise.all([arrival, once(client, "connect")]);
		assert.equal(socket.remotePort, client.localPort);
		return { client, socket };
	}

	/** Forgets the server's ends, so that only the pattern's own references keep them. They must have ended. */
	forget(): void {
		for (const socket of this.accepted.splice(0)) assert.ok(socket.destroyed);
	}
}

/** Resolves when it has closed, and all who listen have been told. Node says `closed` a little before the event. */
export async function gone(socket: Socket): Promise<void> {
	if (socket.closed) await turn();
	else await once(socket, "close");
}
