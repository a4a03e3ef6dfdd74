/** The side of a run that has listeners on UDP: their sockets, who comes to them, and the servers behind the upstreams. */
import { AF_INET, AF_INET6 } from "../../../src/kernel/constants.js";
import type { ListenerPlan, Plan } from "../../../src/reactor/plan/plan.js";
import { Random } from "../../../src/rig/random.js";
import type { UpstreamPlan } from "../../../src/upstream/plan.js";
import { ADDRESSES, UPSTREAMS } from "../plans.js";
import type { SimulatedKernel } from "../simulated-kernel.js";
import { type Trace, violated } from "../trace.js";
import { DatagramChecks } from "./datagram-checks.js";
import { DatagramClient, type Door, Ports } from "./datagram-clients.js";
import { DATAGRAM_CALM, type DatagramFaults, randomDatagramFaults } from "./datagram-faults.js";
import { DatagramKernel } from "./datagram-kernel.js";
import type { DatagramNetwork } from "./datagram-network.js";
import { randomDatagramListener, randomDatagramUpstream, serverAt } from "./datagram-plans.js";
import { DatagramServer } from "./datagram-servers.js";
import { SimulatedDatagramSocket } from "./datagram-socket.js";
import { type Endpoint, endpoint } from "./endpoints.js";
import { stray } from "./speeches.js";
import { Stray } from "./stray.js";

const OWN_V4 = Uint8Array.of(198, 51, 100, 1);
const OTHER_V4 = Uint8Array.of(198, 51, 100, 2);
const OWN_V6 = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

/** Clients at a time. */
const CLIENTS_MAX = 24;

/** What it is a side of. */
export interface DatagramWorld {
	readonly kernel: SimulatedKernel;
	readonly trace: Trace;
	readonly sessions: number;
	meet(what: string): void;
	knowsIds(socket: SimulatedDatagramSocket): boolean;
	isRedialled(socket: SimulatedDatagramSocket): boolean;
	clientAt(socket: SimulatedDatagramSocket): string | undefined;
	mayMoveTo(from: Endpoint): boolean;
	/** Sessions that a listener has, by its number. */
	sessionsOf(listener: number): number;
	/** Waits for news that were over, so that all of the one before has been heard. */
	readonly waitsDone: number;
}

interface DatagramListener {
	readonly socket: SimulatedDatagramSocket;
	readonly slot: number;
	/** It is no listener of the plan. */
	isLeaving: boolean;
	/** The wait since which it is known to have no session; -1: it has some. */
	emptySince: number;
}

export class DatagramSide {
	readonly kernel: DatagramKernel;
	readonly network: DatagramNetwork;
	readonly checks: DatagramChecks;
	/** Which listeners are on UDP, and which upstreams take datagrams. */
	readonly listenerSlots: readonly number[];
	readonly upstreamSlots: readonly number[];
	/** By descriptor: those of the plan, and such as are no more but have sessions. */
	readonly listeners = new Map<number, DatagramListener>();
	readonly #world: DatagramWorld;
	readonly #random: Random;
	readonly #faults: DatagramFaults;
	readonly #ports = new Ports();
	readonly #servers: DatagramServer[];
	readonly #clients: DatagramClient[] = [];
	readonly #strayBy = new Map<string, Stray>();
	readonly #arrivals: number;
	readonly #strays: number;
	readonly #pace: number;
	#nextPort = 4_000;

	constructor(world: DatagramWorld, random: Random) {
		this.#world = world;
		this.#random = random;
		this.kernel = new DatagramKernel(world.kernel, new Random(random.word()), world.trace);
		this.network = this.kernel.network;
		this.checks = new DatagramChecks(world);
		this.network.witness = this.checks;
		this.listenerSlots = random.pick([[0, 1, 2], [0, 1], [0], [1, 2]]);
		this.upstreamSlots = random.pick([[UPSTREAMS - 1], [UPSTREAMS - 2, UPSTREAMS - 1]]);
		this.#faults = randomDatagramFaults(random);
		this.#arrivals = random.pick([0.02, 0.1, 0.3]);
		this.#strays = random.pick([0, 0.02, 0.2, 0.8]);
		this.#pace = random.pick([0.2, 0.5, 1]);
		const boards = this.upstreamSlots.flatMap((slot) =>
			Array.from({ length: ADDRESSES }, (_, index) => slot * ADDRESSES + index),
		);
		this.#servers = boards.map(
			(board) => new DatagramServer(new Random(random.word()), this.network, serverAt(board)),
		);
		this.setCalm(false);
		this.changeFates();
	}

	setCalm(isCalm: boolean): void {
		const { merged } = this.#faults;
		this.network.faults = isCalm ? { ...DATAGRAM_CALM, merged } : this.#faults;
	}

	changeFates(): void {
		for (const server of this.#servers)
			server.fate = this.#random.pick(["answers", "answers", "answers", "silent", "gone"]);
	}

	// Plans.

	/** A listener of that number, with a new socket; `undefined`: it takes connections. */
	openListener(slot: number): ListenerPlan | undefined {
		if (!this.listenerSlots.includes(slot)) return undefined;
		// One that comes back has the sessions that it had.
		for (const [fd, listener] of this.listeners) {
			if (listener.slot !== slot) continue;
			listener.isLeaving = false;
			listener.emptySince = -1;
			return this.listener(slot, fd);
		}
		const random = this.#random;
		const port = this.#nextPort++;
		const kind = random.below(3);
		const addresses = kind === 0 ? [OWN_V4] : kind === 1 ? [OWN_V6] : [OWN_V4, OTHER_V4, OWN_V6];
		const socket = new SimulatedDatagramSocket(
			kind === 0 ? AF_INET : AF_INET6,
			random.chance(0.5),
			addresses.map((bytes) => endpoint(bytes, port)),
			kind === 2,
		);
		socket.capacity = random.pick([3_000, 20_000, 1 << 20]);
		const fd = this.kernel.bind(socket);
		this.listeners.set(fd, { socket, slot, isLeaving: false, emptySince: -1 });
		return this.listener(slot, fd);
	}

	/** The plan of one that is there. */
	listener(slot: number, fd: number): ListenerPlan | undefined {
		if (!this.listenerSlots.includes(slot)) return undefined;
		const socket = this.listeners.get(fd)?.socket;
		const port = socket?.locals[0]?.port ?? violated(`listener ${slot} has no socket`);
		const bindsAny = socket?.bindsAny === true;
		return randomDatagramListener(
			this.#random,
			{ slot, fd, port, bindsAny },
			this.#world.sessions,
			this.upstreamSlots,
		);
	}

	/** The plan with what leads to datagrams apart from what does not. */
	planned(plan: Plan): Plan {
		const random = this.#random;
		const upstreams = plan.upstreams.filter(({ slot }) => !this.upstreamSlots.includes(slot));
		for (const slot of this.upstreamSlots)
			if (!random.chance(0.05)) upstreams.push(randomDatagramUpstream(random, slot));
		const others = Array.from({ length: UPSTREAMS }, (_, slot) => slot).filter(
			(slot) => !this.upstreamSlots.includes(slot),
		);
		const listeners = plan.listeners.map((listener) => {
			if (listener.datagrams !== undefined) return listener;
			const routes = listener.routes.map((route) =>
				this.upstreamSlots.includes(route.upstream) ? { ...route, upstream: others[0] ?? -1 } : route,
			);
			return { ...listener, routes };
		});
		const policies = plan.policies.map((policy) => ({ ...policy, quicIdleMs: 2 * policy.idleMs }));
		return { ...plan, policies, upstreams, listeners, halfHellos: random.pick([1, 2, 8, 64]) };
	}

	/** Names have other addresses. `undefined`: it is none of these. */
	upstream(slot: number): UpstreamPlan | undefined {
		return this.upstreamSlots.includes(slot) ? randomDatagramUpstream(this.#random, slot) : undefined;
	}

	/** Listeners that are given up: others close their sockets when they have no session any more. */
	closeListeners(kept: ReadonlySet<number>): void {
		for (const [fd, listener] of this.listeners) if (!kept.has(fd)) listener.isLeaving = true;
		this.closeLeft();
	}

	closeLeft(): void {
		const { waitsDone } = this.#world;
		for (const [fd, listener] of [...this.listeners]) {
			if (!listener.isLeaving || this.#world.sessionsOf(listener.slot) > 0) continue;
			// A reactor may be about to read it: it is looked at once more, a while later.
			if (listener.emptySince < 0) listener.emptySince = waitsDone;
			if (listener.emptySince + 1 >= waitsDone) continue;
			this.listeners.delete(fd);
			this.kernel.unbind(fd);
		}
	}

	// What happens.

	/** Before a wait: some arrives, some is said, somebody comes or goes. */
	act(): void {
		const random = this.#random;
		if (random.chance(0.1)) this.closeLeft();
		this.network.deliver(random.below(6));
		if (random.chance(this.#arrivals)) this.#arrive();
		if (random.chance(this.#strays)) this.#stray();
		for (let count = random.below(3); count > 0; count--) this.#speak();
		if (random.chance(0.05)) random.pick(this.#servers).act();
		if (random.chance(0.002)) this.changeFates();
	}

	/** Everything that is under way arrives, and nothing new is said. */
	cooperate(): void {
		this.network.deliver(Number.POSITIVE_INFINITY);
		this.closeLeft();
	}

	#anyDoor(): Door | undefined {
		if (this.listeners.size === 0) return undefined;
		const { socket, slot } = this.#random.pick([...this.listeners.values()]);
		return { slot, socket, at: this.#random.pick(socket.locals) };
	}

	#arrive(): void {
		if (this.#clients.length >= CLIENTS_MAX) return;
		const door = this.#anyDoor();
		if (door === undefined) return;
		const client = new DatagramClient(new Random(this.#random.word()), this.network, this.#ports, door);
		this.#clients.push(client);
		const others = door.socket.locals.filter(
			({ bytes, key }) => bytes.length === door.at.bytes.length && key !== door.at.key,
		);
		if (others.length > 0 && this.#random.chance(0.4))
			this.#clients.push(client.withTwin({ ...door, at: this.#random.pick(others) }));
		client.act();
	}

	#speak(): void {
		const random = this.#random;
		if (this.#clients.length === 0 || !random.chance(this.#pace)) return;
		const index = random.below(this.#clients.length);
		const client = this.#clients[index] as DatagramClient; // it is there
		if (client.left > 0) {
			client.act();
			return;
		}
		this.#clients.splice(index, 1);
		client.leave();
	}

	/** From an address that is forged, or of somebody who listens to nothing. */
	#stray(): void {
		const random = this.#random;
		const door = this.#anyDoor();
		if (door === undefined) return;
		const { bytes } = door.at;
		const source = Uint8Array.from(bytes, (byte, i) => (i < bytes.length - 2 ? byte ^ 3 : random.below(256)));
		const from = endpoint(source, random.between(1, 65_535));
		// Who has the address, the port and the way of another is that one.
		const key = `${from.key} ${door.at.key}`;
		const author = this.#strayBy.get(key) ?? new Stray(door);
		this.#strayBy.set(key, author);
		this.network.send({ bytes: stray(random), from, to: door.at, ecn: 0, author }, false);
	}
}
