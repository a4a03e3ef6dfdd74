/** Clients that send datagrams: each from an address of its own, which a NAT may change midway. */
import { Random } from "../../../src/rig/random.js";
import { type ClientAddress, randomAddress } from "../addresses.js";
import { violated } from "../trace.js";
import type { DatagramNetwork, Host } from "./datagram-network.js";
import type { Packet, SimulatedDatagramSocket } from "./datagram-socket.js";
import { type Endpoint, endpoint } from "./endpoints.js";
import { DtlsSpeech, PlainSpeech, QuicSpeech, type Speech } from "./speeches.js";

/** Where clients come to: a listener's socket, at one of its addresses. */
export interface Door {
	readonly slot: number;
	readonly socket: SimulatedDatagramSocket;
	readonly at: Endpoint;
}

const FIRST_PORT = 2_000;

/** Ports that nobody has had yet: whoever has the address and port of another is that one, as far as anybody can tell. */
export class Ports {
	#next = FIRST_PORT;

	#hasSilent = false;

	/** Whether a client may send datagrams that are empty: the first one that asks. */
	takeSilence(): boolean {
		const isFirst = !this.#hasSilent;
		this.#hasSilent = true;
		return isFirst;
	}

	at({ bytes }: ClientAddress): Endpoint {
		if (this.#next > 65_535) violated("no port is left that no client has had");
		return endpoint(bytes, this.#next++);
	}
}

export class DatagramClient implements Host {
	readonly pathBytes: number;
	readonly isFar: boolean;
	readonly door: Door;
	readonly kind: "plain" | "quic" | "dtls";
	readonly speech: Speech;
	/** Where it is now, and all that it had. */
	source: Endpoint;
	readonly sources = new Set<string>();
	/** Another one at the same address and port, which asks another of our addresses. */
	twin: DatagramClient | undefined;
	/** Datagrams that it still sends. */
	left: number;
	answers = 0;
	readonly #random: Random;
	readonly #network: DatagramNetwork;
	readonly #ports: Ports;
	readonly #moves: number;

	constructor(random: Random, network: DatagramNetwork, ports: Ports, door: Door, source?: Endpoint) {
		this.#random = random;
		this.#network = network;
		this.#ports = ports;
		this.door = door;
		const choice = random.fraction();
		this.kind = choice < 0.4 ? "plain" : choice < 0.85 ? "quic" : "dtls";
		this.speech = speechOf(this.kind, random, ports);
		this.pathBytes = random.pick([65_507, 1_500, 1_200]);
		this.isFar = random.chance(0.5);
		this.left = random.magnitude(60);
		this.#moves = source === undefined ? random.pick([0, 0.05, 0.2]) : 0;
		this.source = source ?? ports.at(this.#address());
		if (source === undefined) this.#settle();
		else this.sources.add(source.key);
	}

	/** One that shares its address and port, and comes to another door. */
	withTwin(door: Door): DatagramClient {
		const { source } = this;
		const seed = new Random(this.#random.word());
		this.twin = new DatagramClient(seed, this.#network, this.#ports, door, source);
		return this.twin;
	}

	/** Of the family that its listener takes. */
	#address(): ClientAddress {
		const { bytes } = this.door.at;
		for (;;) {
			const address = randomAddress(this.#random);
			if (address.unmapped.length === bytes.length) return address;
		}
	}

	#settle(): void {
		this.sources.add(this.source.key);
		this.#network.hosts.set(this.source.key, this);
	}

	/** Its turn. */
	act(): void {
		const random = this.#random;
		if (random.chance(this.#moves)) this.#move();
		for (const bytes of this.speech.next()) this.#say(bytes);
		this.left--;
		if (this.twin !== undefined && random.chance(0.5)) this.twin.act();
	}

	/** Its NAT gives it another port, or another address. What is still sent to the old one may arrive. */
	#move(): void {
		const random = this.#random;
		if (random.chance(0.5)) this.#network.hosts.delete(this.source.key);
		const same = { bytes: this.source.bytes, unmapped: this.source.bytes, family: 4 as const };
		this.source = this.#ports.at(random.chance(0.6) ? same : this.#address());
		this.#settle();
	}

	#say(bytes: Uint8Array): void {
		const ecn = this.#random.pick([0, 0, 1, 2, 3]);
		this.#network.send({ bytes, from: this.source, to: this.door.at, ecn, author: this }, false);
	}

	hears(packet: Packet): boolean {
		if (packet.from.key === this.twin?.door.at.key) return this.twin.hears(packet);
		if (packet.from.key !== this.door.at.key)
			violated(`${packet.to.key} asked ${this.door.at.key}, and is answered from ${packet.from.key}`);
		this.answers++;
		this.speech.hears(packet.bytes);
		return true;
	}

	/** It is no more. */
	leave(): void {
		for (const key of this.sources)
			if (this.#network.hosts.get(key) === this) this.#network.hosts.delete(key);
	}
}

function speechOf(kind: DatagramClient["kind"], random: Random, ports: Ports): Speech {
	if (kind === "plain") return new PlainSpeech(random, ports.takeSilence());
	return kind === "quic" ? new QuicSpeech(random) : new DtlsSpeech(random);
}
