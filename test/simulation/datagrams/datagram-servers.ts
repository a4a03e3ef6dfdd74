/** Servers that upstreams' addresses lead to: they answer, now or later, stay silent, or are gone. */
import type { Random } from "../../../src/rig/random.js";
import { concat } from "../../protocol/samples.js";
import type { DatagramNetwork, Host } from "./datagram-network.js";
import type { Packet } from "./datagram-socket.js";
import type { Endpoint } from "./endpoints.js";
import { randomBytes } from "./hellos.js";
import { longPacket } from "./plain-initials.js";

export type ServerFate = "answers" | "silent" | "gone";

/** One who is answered: a socket of the gateway's. */
interface Conversation {
	readonly peer: Endpoint;
	/** The client's connection ID, and the server's. */
	client: Uint8Array;
	readonly own: Uint8Array;
	version: number;
	hasRetried: boolean;
}

/** What PROXY headers of version 2 begin with. */
const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];

export class DatagramServer implements Host {
	readonly at: Endpoint;
	readonly pathBytes: number;
	readonly isFar: boolean;
	fate: ServerFate = "answers";
	readonly #random: Random;
	readonly #network: DatagramNetwork;
	readonly #conversations = new Map<string, Conversation>();
	readonly #retries: boolean;

	constructor(random: Random, network: DatagramNetwork, at: Endpoint) {
		this.#random = random;
		this.#network = network;
		this.at = at;
		this.pathBytes = random.pick([65_507, 65_507, 1_500, 1_200]);
		this.isFar = random.chance(0.5);
		this.#retries = random.chance(0.3);
		network.hosts.set(at.key, this);
	}

	hears(packet: Packet): boolean {
		if (this.fate === "gone") return false;
		const random = this.#random;
		const bytes = withoutHeader(packet.bytes);
		const conversation = this.#conversationOf(packet.from);
		const isLong = bytes.length > 7 && ((bytes[0] ?? 0) & 0x80) !== 0;
		if (isLong) this.#learn(conversation, bytes);
		if (this.fate === "silent") return true;
		const count = random.chance(0.7) ? 1 : random.below(5);
		for (let i = 0; i < count; i++) this.#answer(conversation, isLong);
		return true;
	}

	/** It says something of its own accord, to somebody who has spoken to it. */
	act(): void {
		if (this.fate !== "answers" || this.#conversations.size === 0) return;
		const all = [...this.#conversations.values()];
		const conversation = this.#random.pick(all);
		if (this.#random.chance(0.1)) this.#conversations.delete(conversation.peer.key);
		const each = this.#random.between(20, 1_200);
		for (let count = this.#random.between(1, 4); count > 0; count--)
			this.#say(conversation, randomBytes(this.#random, each));
	}

	#conversationOf(peer: Endpoint): Conversation {
		const known = this.#conversations.get(peer.key);
		if (known !== undefined) return known;
		const random = this.#random;
		const conversation: Conversation = {
			peer,
			client: new Uint8Array(0),
			own: randomBytes(random, random.pick([0, 4, 8, 8, 8, 20])),
			version: 1,
			hasRetried: !this.#retries,
		};
		this.#conversations.set(peer.key, conversation);
		return conversation;
	}

	#learn(conversation: Conversation, bytes: Uint8Array): void {
		conversation.version = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
		const destinationBytes = bytes[5] ?? 0;
		const sourceAt = 7 + destinationBytes;
		conversation.client = bytes.slice(sourceAt, sourceAt + (bytes[6 + destinationBytes] ?? 0));
	}

	#answer(conversation: Conversation, isLong: boolean): void {
		const random = this.#random;
		const payload = randomBytes(random, random.between(24, 1_000));
		if (!isLong) {
			this.#say(conversation, concat(Uint8Array.of(0x40 | random.below(64)), conversation.client, payload));
			return;
		}
		const { version, client } = conversation;
		if (conversation.hasRetried) {
			this.#say(conversation, longPacket(2, version, client, conversation.own, payload));
			return;
		}
		conversation.hasRetried = true;
		this.#say(conversation, retryPacket(version, client, randomBytes(random, 8), payload));
	}

	#say({ peer }: Conversation, bytes: Uint8Array): void {
		const ecn = this.#random.pick([0, 0, 1, 2, 3]);
		this.#network.send({ bytes, from: this.at, to: peer, ecn, author: this }, false);
	}
}

/** RFC 9000, section 17.2.5: a token, and its tag behind it. */
function retryPacket(version: number, client: Uint8Array, own: Uint8Array, token: Uint8Array): Uint8Array {
	const packet = longPacket(3, version, client, own, token);
	// There is no length in it.
	const lengthAt = 7 + client.length + own.length;
	return concat(packet.subarray(0, lengthAt), packet.subarray(lengthAt + 2));
}

function withoutHeader(bytes: Uint8Array): Uint8Array {
	if (bytes.length < 16 || !SIGNATURE.every((byte, i) => bytes[i] === byte)) return bytes;
	return bytes.subarray(16 + (((bytes[14] ?? 0) << 8) | (bytes[15] ?? 0)));
}
