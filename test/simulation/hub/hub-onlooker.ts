/** What a reactor sends its clients is handed to them, and how it ends them is noted. */
import type { SimulatedSocket } from "../descriptors.js";
import type { Witness } from "../simulated-network.js";
import { violated } from "../trace.js";
import type { HubReactor } from "./hub-reactor.js";
import type { HubWorld } from "./hub-world.js";

export class HubOnlooker implements Witness {
	readonly #world: HubWorld;
	readonly #reactor: HubReactor;

	constructor(world: HubWorld, reactor: HubReactor) {
		this.#world = world;
		this.#reactor = reactor;
	}

	accepted(socket: SimulatedSocket): void {
		const client = this.#world.clients.get(socket);
		if (client !== undefined) client.acceptedMs = this.#world.nowMs;
	}

	measured(): void {}
	trying(): void {}
	dying(): void {}

	sending(socket: SimulatedSocket, memory: Uint8Array, offset: number, length: number): void {
		const client = this.#world.clients.get(socket);
		if (client === undefined) violated("somebody is sent to who is no client");
		client.hears(Buffer.from(memory.subarray(offset, offset + length)));
	}

	splicing(): void {
		violated("a subscriber's bytes are spliced");
	}

	shuttingDown(socket: SimulatedSocket): void {
		const client = this.#world.clients.get(socket);
		if (client?.isAmid === true) violated("a client is told of an end amid a message");
	}

	closed(socket: SimulatedSocket, reset: boolean): void {
		const client = this.#world.clients.get(socket);
		if (client === undefined) return;
		this.#reactor.closing = client;
		if (!reset && client.isAmid && !socket.dead && !socket.finished)
			violated("a client is told of an end amid a message, and not of a reset");
		this.#world.gone(socket);
	}
}
