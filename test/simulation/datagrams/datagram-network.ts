/** What is between the reactor's sockets of UDP and everybody else: datagrams under way, and what the network says of some. */
import { ECONNREFUSED, EMSGSIZE, EPOLLERR, EPOLLIN } from "../../../src/kernel/constants.js";
import type { Random } from "../../../src/rig/random.js";
import type { Watched } from "../descriptors.js";
import { operation, type Trace, violated } from "../trace.js";
import { DATAGRAM_CALM, type DatagramFaults } from "./datagram-faults.js";
import type { Packet, SimulatedDatagramSocket } from "./datagram-socket.js";
import type { Endpoint } from "./endpoints.js";

/** Whoever has an address, and is no socket of the reactor's. */
export interface Host {
	/** The longest datagram that the way to it takes whole; and whether the first device says so, or somebody far. */
	readonly pathBytes: number;
	readonly isFar: boolean;
	/** A datagram arrives. False: nobody listens there, and the network says so. */
	hears(packet: Packet): boolean;
}

/** Who looks on. */
export interface DatagramWitness {
	/** The reactor receives a message, of which it can tell so many datagrams. `isCut`: it is not all of it. */
	taken(socket: SimulatedDatagramSocket, packets: readonly Packet[], isCut: boolean, count: number): void;
	/** The reactor sends one, and the kernel takes it. */
	sent(socket: SimulatedDatagramSocket, packet: Packet): void;
	/** The kernel did not take it. */
	refused(socket: SimulatedDatagramSocket, packet: Packet, errno: number): void;
	/** A message of a listener's socket says how many that one had no room for. */
	overrun(socket: SimulatedDatagramSocket, dropped: number): void;
	/** The network says something of a datagram that was sent on it. */
	told(socket: SimulatedDatagramSocket): void;
	/** The reactor's socket is closed. */
	closed(socket: SimulatedDatagramSocket): void;
}

/** On its way; or what the network says of it, on the way back. */
interface Flight {
	readonly packet: Packet;
	/** 0: the datagram itself. */
	readonly errno: number;
}

/** What a way takes where nobody says less. */
const LOOPBACK_BYTES = 65_507;

/** Those under way at most: what is sent then is lost. */
const FLIGHTS_MAX = 4_096;

export class DatagramNetwork {
	faults: DatagramFaults = DATAGRAM_CALM;
	witness: DatagramWitness | undefined;
	/** Everybody else, by where they are. */
	readonly hosts = new Map<string, Host>();
	/** The reactor's: bound to an address, and connected from one. */
	readonly #bound = new Map<string, SimulatedDatagramSocket>();
	readonly #connected = new Map<string, SimulatedDatagramSocket>();
	#flights: Flight[] = [];
	readonly #random: Random;
	readonly #trace: Trace;
	readonly #changed: (watched: Watched, key: number) => void;

	constructor(random: Random, trace: Trace, changed: (watched: Watched, key: number) => void) {
		this.#random = random;
		this.#trace = trace;
		this.#changed = changed;
	}

	bind(socket: SimulatedDatagramSocket): void {
		for (const { key } of socket.locals) {
			if (this.#bound.has(key)) violated(`${key} is bound twice`);
			this.#bound.set(key, socket);
		}
	}

	connect(socket: SimulatedDatagramSocket, local: Endpoint, peer: Endpoint): void {
		socket.local = local;
		socket.peer = peer;
		this.#connected.set(local.key, socket);
	}

	/** The socket is gone. */
	forget(socket: SimulatedDatagramSocket): void {
		for (const { key } of socket.locals) this.#bound.delete(key);
		if (socket.local !== undefined) this.#connected.delete(socket.local.key);
		this.witness?.closed(socket);
	}

	/** Datagrams, and what the network says of some, that are under way. */
	get underWay(): number {
		return this.#flights.length;
	}

	/** Whether one is under way that `isMeant`. */
	hasUnderWay(isMeant: (packet: Packet) => boolean): boolean {
		return this.#flights.some(({ packet, errno }) => errno === 0 && isMeant(packet));
	}

	/** What the first device takes whole of datagrams that go there. */
	deviceBytes(to: Endpoint): number {
		const host = this.hosts.get(to.key);
		return host === undefined || host.isFar ? LOOPBACK_BYTES : host.pathBytes;
	}

	/** A datagram leaves for wherever. `isWhole`: it may not be cut into fragments. */
	send(packet: Packet, isWhole: boolean): void {
		const random = this.#random;
		const { lost, doubled } = this.faults;
		if (isWhole && packet.bytes.length > (this.hosts.get(packet.to.key)?.pathBytes ?? LOOPBACK_BYTES)) {
			this.say(packet, EMSGSIZE);
			return;
		}
		if (random.chance(lost)) {
			this.#trace.note(LOST, -1, packet.bytes.length, packet.to.port);
			return;
		}
		this.#fly({ packet, errno: 0 });
		if (random.chance(doubled)) this.#fly({ packet, errno: 0 });
	}

	/** The network says something of a datagram to whom has sent it. */
	say(packet: Packet, errno: number): void {
		this.#fly({ packet, errno });
	}

	#fly(flight: Flight): void {
		if (this.#flights.length < FLIGHTS_MAX) this.#flights.push(flight);
	}

	/** Some arrive, up to so many. */
	deliver(most: number): void {
		for (let count = 0; count < most && this.#flights.length > 0; count++) {
			const overtakes = this.#random.chance(this.faults.overtaken);
			const index = overtakes ? this.#random.below(this.#flights.length) : 0;
			const [flight] = this.#flights.splice(index, 1) as [Flight]; // it is there
			if (flight.errno === 0) this.#arrive(flight.packet);
			else this.#tell(flight);
		}
	}

	#arrive(packet: Packet): void {
		const { from, to } = packet;
		const connected = this.#connected.get(to.key);
		const socket = connected?.peer?.key === from.key ? connected : this.#bound.get(to.key);
		if (socket !== undefined) {
			this.#enter(socket, packet);
			return;
		}
		const host = this.hosts.get(to.key);
		if (host?.hears(packet) !== true) this.say(packet, ECONNREFUSED);
	}

	#enter(socket: SimulatedDatagramSocket, packet: Packet): void {
		const { corrupt, merged } = this.faults;
		const isCorrupt = this.#random.chance(corrupt);
		const hasRoom = socket.arrive(packet, this.#random.chance(merged), isCorrupt);
		this.#trace.note(hasRoom ? ARRIVES : NO_ROOM, socket.fd, packet.bytes.length, packet.from.port);
		if (!hasRoom) return;
		this.#changed(socket, EPOLLIN);
	}

	/** ICMP: connected sockets have it as their pending error, all others hear nothing. */
	#tell({ packet, errno }: Flight): void {
		const socket = this.#connected.get(packet.from.key);
		if (socket?.peer?.key !== packet.to.key) return;
		socket.error = errno;
		this.witness?.told(socket);
		this.#trace.note(TOLD, socket.fd, errno, packet.to.port);
		this.#changed(socket, EPOLLERR);
	}
}

const LOST = operation("datagram is lost");
const ARRIVES = operation("datagram arrives");
const NO_ROOM = operation("datagram has no room");
const TOLD = operation("datagram is refused");
