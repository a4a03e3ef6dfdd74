/** Connection IDs of QUIC that a gateway has seen, each in the session that showed it first. */
import { LONG_FORM } from "../../../src/protocol/quic/long-packet.js";
import type { DatagramClient } from "./datagram-clients.js";
import type { SimulatedDatagramSocket } from "./datagram-socket.js";

/** Shorter ones begin strangers' datagrams too often. */
const SHORTEST_ID_BYTES = 4;
const LONGEST_ID_BYTES = 20;

export class KnownIds {
	readonly #sockets = new Map<string, SimulatedDatagramSocket>();

	/** The socket of the session that knows the ID in this datagram of a client of QUIC. */
	find({ kind, speech }: DatagramClient, bytes: Uint8Array): SimulatedDatagramSocket | undefined {
		if (kind !== "quic" || bytes.length === 0) return undefined;
		const isLong = ((bytes[0] ?? 0) & LONG_FORM) !== 0;
		const id = isLong ? destinationOf(bytes) : speech.shown;
		return id === undefined || id.length === 0 ? undefined : this.#sockets.get(keyOf(id));
	}

	/** A client has shown an ID in a long header, in this session. */
	fromClient(socket: SimulatedDatagramSocket, { kind }: DatagramClient, bytes: Uint8Array): void {
		if (kind !== "quic" || ((bytes[0] ?? 0) & LONG_FORM) === 0) return;
		this.#learn(socket, destinationOf(bytes));
	}

	/** An upstream wants to be called by an ID. */
	fromUpstream(socket: SimulatedDatagramSocket, bytes: Uint8Array): void {
		if (((bytes[0] ?? 0) & LONG_FORM) === 0 || bytes.length < 7) return;
		const at = 6 + (bytes[5] ?? 0);
		if (at < bytes.length) this.#learn(socket, bytes.subarray(at + 1, at + 1 + (bytes[at] ?? 0)));
	}

	#learn(socket: SimulatedDatagramSocket, id: Uint8Array): void {
		if (id.length < SHORTEST_ID_BYTES || id.length > LONGEST_ID_BYTES) return;
		const key = keyOf(id);
		if (!this.#sockets.has(key)) this.#sockets.set(key, socket);
	}

	forget(socket: SimulatedDatagramSocket): void {
		for (const [key, each] of this.#sockets) if (each === socket) this.#sockets.delete(key);
	}
}

function destinationOf(bytes: Uint8Array): Uint8Array {
	return bytes.subarray(6, 6 + (bytes[5] ?? 0));
}

function keyOf(id: Uint8Array): string {
	return id.join(".");
}
