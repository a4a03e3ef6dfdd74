/** What a simulated kernel has for sockets of UDP, beside their datagrams. */
import {
	EADDRNOTAVAIL,
	EAGAIN,
	ENETUNREACH,
	SO_RCVBUF,
	SO_SNDBUF,
	SOL_SOCKET,
} from "../../../src/kernel/constants.js";
import type { Datagrams } from "../../../src/kernel/datagrams.js";
import { familyAt } from "../../../src/kernel/sockaddr.js";
import type { Random } from "../../../src/rig/random.js";
import type { Mutant } from "../faults.js";
import type { SimulatedKernel } from "../simulated-kernel.js";
import { type Trace, violated } from "../trace.js";
import { DatagramNetwork } from "./datagram-network.js";
import { SimulatedDatagramSocket } from "./datagram-socket.js";
import { endpoint, endpointAt, sockaddrOf } from "./endpoints.js";
import { type DatagramHost, SimulatedDatagrams } from "./simulated-datagrams.js";

/** Where connected sockets send from. */
const OWN_V4 = Uint8Array.of(10, 0, 0, 200);
const OWN_V6 = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 200);

const FIRST_PORT = 1_024;
const LAST_PORT = 65_535;

export class DatagramKernel implements DatagramHost {
	readonly random: Random;
	readonly trace: Trace;
	readonly network: DatagramNetwork;
	/** Sockets that the reactor has opened and not closed. */
	open = 0;
	/** The highest number that one was given in this turn. */
	highest = -1;
	/** What the reactor does at the moment is because of datagrams of clients. */
	isHearing = false;
	readonly #kernel: SimulatedKernel;
	#datagrams: SimulatedDatagrams | undefined;
	#nextPort = FIRST_PORT;

	constructor(kernel: SimulatedKernel, random: Random, trace: Trace) {
		this.#kernel = kernel;
		this.random = random;
		this.trace = trace;
		this.network = new DatagramNetwork(random, trace, (watched, key) =>
			kernel.readiness.changed(watched, key),
		);
	}

	/** What the reactor is given: once. */
	openDatagrams(): Datagrams {
		if (this.#datagrams !== undefined) violated("what moves datagrams is asked for twice");
		this.#datagrams = new SimulatedDatagrams(this);
		return this.#datagrams;
	}

	/** A socket that anybody may send to is bound, by somebody else than the reactor. */
	bind(socket: SimulatedDatagramSocket): number {
		this.network.bind(socket);
		return this.#kernel.install(socket);
	}

	/** It is closed, by them. */
	unbind(fd: number): void {
		const socket = this.socketAt(fd);
		if (socket === undefined) violated(`descriptor ${fd} is no socket of UDP`);
		this.network.forget(socket);
		this.#kernel.uninstall(fd);
	}

	openSocket(family: number, probesPath: boolean): number {
		const exhausted = this.#kernel.exhaustion(1);
		if (exhausted !== 0) return -exhausted;
		this.open++;
		const fd = this.#kernel.install(new SimulatedDatagramSocket(family, probesPath));
		this.highest = Math.max(this.highest, fd);
		return fd;
	}

	socketAt(fd: number): SimulatedDatagramSocket | undefined {
		return this.#kernel.datagramSocketAt(fd);
	}

	spoils(mutant: Mutant): boolean {
		return this.#kernel.spoils(mutant);
	}

	connect(socket: SimulatedDatagramSocket, address: Uint8Array): number {
		if (socket.isListener || socket.peer !== undefined)
			violated(`descriptor ${socket.fd} is connected twice`);
		if (familyAt(address, 0) !== socket.family)
			violated(`descriptor ${socket.fd} is connected to an address of another family`);
		if (this.random.chance(this.network.faults.unreachable))
			return -this.random.pick([ENETUNREACH, EADDRNOTAVAIL, EAGAIN]);
		// No port is given out twice before all others were: a late answer would be taken for the next owner's.
		const port = this.#nextPort;
		this.#nextPort = port === LAST_PORT ? FIRST_PORT : port + 1;
		socket.connectedMs = this.#kernel.nowMs;
		const own = socket.isV6 ? OWN_V6 : OWN_V4;
		this.network.connect(socket, endpoint(own, port), endpointAt(address, 0));
		return 0;
	}

	localAddress(socket: SimulatedDatagramSocket): Uint8Array {
		const local = socket.local ?? socket.locals[0];
		if (local === undefined) violated(`descriptor ${socket.fd} has no address`);
		return sockaddrOf(local, socket.family);
	}

	setOption(socket: SimulatedDatagramSocket, level: number, option: number, value: number): number {
		if (level !== SOL_SOCKET || (option !== SO_RCVBUF && option !== SO_SNDBUF))
			violated(`option ${option} of level ${level} is none of a socket of UDP`);
		if (option === SO_RCVBUF) socket.capacity = value;
		return 0;
	}

	/** The reactor closes one that it opened. */
	closed(socket: SimulatedDatagramSocket): void {
		if (socket.isListener) violated(`the reactor closes socket ${socket.fd} that others opened`);
		this.open--;
		this.network.forget(socket);
	}
}
