/** Everybody at the other ends of the reactor's connections: clients that come, upstreams that answer or do not. */
import {
	AF_UNIX,
	EAGAIN,
	ECONNREFUSED,
	ECONNRESET,
	EHOSTUNREACH,
	EINPROGRESS,
	ENETUNREACH,
	ETIMEDOUT,
} from "../../src/kernel/constants.js";
import { familyAt } from "../../src/kernel/sockaddr.js";
import { u8 } from "../../src/parts/at.js";
import type { ListenerPlan } from "../../src/reactor/plan/plan.js";
import type { Random } from "../../src/rig/random.js";
import { type ClientAddress, NOWHERE, randomAddress } from "./addresses.js";
import { type Fate, type SimulatedListener, SimulatedSocket, type Temper } from "./descriptors.js";
import { HttpClient } from "./http-client.js";
import { HttpServer, type Responses } from "./http-server.js";
import type { AgentLine } from "./lines/agent-line.js";
import type { GatewayEnd } from "./own-lines/gateway-end.js";
import { ADDRESS_COUNT, isTerminated, type Traits } from "./plans.js";
import { choose, NOTHING, type Prologue, proxied, secured, withoutRequests } from "./prologues.js";
import { randomRequests } from "./requests.js";
import type { SimulatedKernel } from "./simulated-kernel.js";
import type { OtherEnds } from "./simulated-network.js";
import { Stream } from "./stream.js";

/** What the kernel holds for one connection before its sender must wait. */
const WINDOW_BYTES = 256 * 1024;

/** Connections that wait to be accepted at most, per listener. */
const BACKLOG = 8;

/** How an upstream's address is spoken to. */
export interface Manner {
	readonly takesRequests: boolean;
	readonly isSecured: boolean;
}

/** wild: everybody does what it likes; frozen: nobody does anything; cooperative: everybody comes to an end. */
export type Mode = "wild" | "frozen" | "cooperative";

export class Peers implements OtherEnds {
	mode: Mode = "wild";
	/** How likely clients that send requests are to ask for a WebSocket. */
	upgradeShare = 0.12;
	readonly #kernel: SimulatedKernel;
	readonly #random: Random;
	readonly #bulk: boolean;
	readonly #patient: boolean;
	/** How many of the upstreams are on the reactor's machine. */
	readonly #near: number;
	/** Sockets whose other end is there. */
	readonly #present: SimulatedSocket[] = [];
	/** How addresses behave: what a connect to one meets. */
	#fates: readonly Fate[] = [];
	#nextPort = 1_024;
	/** Clients that sent requests so far, and what upstreams have answered. */
	#clients = 0;
	readonly responses: Responses = new Map();
	/** Who finds gateways by their addresses, where the reactor is an agent's. */
	gateways: { gatewayAt(address: Uint8Array): GatewayEnd | undefined } | undefined;
	/** How an address is spoken to, as far as the reactor knows. */
	readonly #manner: (board: number) => Manner;

	/** `bulk`: much is sent, and much is not fetched. */
	constructor(
		kernel: SimulatedKernel,
		random: Random,
		bulk: boolean,
		traits: Traits,
		manner: (board: number) => Manner,
	) {
		this.#kernel = kernel;
		this.#random = random;
		this.#bulk = bulk;
		this.#patient = traits.patient;
		this.#near = random.pick([0, 0.5, 1]);
		this.#manner = manner;
		this.changeFates();
	}

	changeFates(): void {
		const random = this.#random;
		const kind = random.pick(this.#patient ? [0, 0.05, 0.3] : [0.05, 0.3, 0.7]);
		this.#fates = Array.from({ length: ADDRESS_COUNT }, () =>
			random.chance(kind) ? random.pick(FATES) : "accepted",
		);
	}

	/** What other ends have not said yet. */
	get bytesToCome(): number {
		let bytes = 0;
		for (const { incoming, temper } of this.#present)
			bytes += Math.max(0, incoming.scripted + temper.budget - incoming.arrived);
		return bytes;
	}

	any(): SimulatedSocket | undefined {
		return this.#present.length === 0 ? undefined : this.#present[this.#random.below(this.#present.length)];
	}

	#join(socket: SimulatedSocket): void {
		socket.place = this.#present.length;
		this.#present.push(socket);
	}

	forget(socket: SimulatedSocket): void {
		if (socket.place < 0) return;
		const last = this.#present.pop();
		if (last !== undefined && last !== socket) {
			this.#present[socket.place] = last;
			last.place = socket.place;
		}
		socket.place = -1;
	}

	/** Clients come to a listener. */
	arrive(listener: SimulatedListener, plan: ListenerPlan): void {
		const random = this.#random;
		if (listener.queue.length >= BACKLOG) return;
		for (let count = random.chance(0.1) ? random.between(2, 8) : 1; count > 0; count--) {
			const speaksTls = isTerminated(plan) && random.chance(0.85);
			const asks = plan.readsRequests && (speaksTls || random.chance(0.9));
			const inside = asks ? NOTHING : plan.readsRequests ? withoutRequests(random) : choose(random);
			const hello = speaksTls ? secured(random, inside) : inside;
			const prologue = plan.proxyRequired ? proxied(random, hello) : hello;
			const socket = this.#openSocket("client", prologue, randomAddress(random));
			// The handshake of one that says no more never ends.
			const inBytes = prologue.cut ? -1 : inside.bytes.length;
			if (speaksTls) this.#speakTls(socket, prologue.bytes.length - inBytes);
			if (asks && !prologue.cut) this.#giveRequests(socket, prologue.bytes.length);
			socket.takenBefore = prologue.headerBytes;
			socket.speaks = prologue.speaks;
			socket.named = prologue.named;
			socket.namedPort = prologue.namedPort;
			this.#join(socket);
			// Usually a hello is there soon; sometimes before the connection is accepted.
			if (random.chance(0.5)) this.act(socket);
			this.#kernel.arrive(listener, socket);
		}
	}

	/** An agent opens a line. Undefined: nobody takes it. */
	openLine(
		listener: SimulatedListener,
		line: AgentLine,
		takesRequests: boolean,
	): SimulatedSocket | undefined {
		if (listener.queue.length >= BACKLOG) return undefined;
		const socket = this.#openSocket(
			"upstream",
			{ ...NOTHING, bytes: line.hello() },
			randomAddress(this.#random),
		);
		socket.line = line;
		if (line.isThroughTls) this.#speakTls(socket, socket.incoming.scripted);
		if (takesRequests) socket.serves = this.newServer();
		this.#join(socket);
		this.#kernel.arrive(listener, socket);
		return socket;
	}

	/** An upstream that nobody has asked ends or speaks, just when requests come. */
	#stir(): void {
		const first = this.#random.below(this.#present.length);
		for (let i = 0; i < this.#present.length; i++) {
			const other = this.#present[(first + i) % this.#present.length];
			if (other?.serves?.mayStir(other) !== true) continue;
			other.serves.stir(other, this.#kernel);
			return;
		}
	}

	/** The other end speaks TLS; its part of the handshake ends there in its stream. */
	#speakTls(socket: SimulatedSocket, shakeEnd: number): void {
		socket.shakeEnd = shakeEnd;
		socket.saysGoodbye = this.#random.chance(0.7);
	}

	#giveRequests(socket: SimulatedSocket, start: number): void {
		const random = this.#random;
		const name = `q${this.#clients++}`;
		const { requests, bytes } = randomRequests(random, name, start, this.#bulk, this.upgradeShare);
		socket.incoming.append(bytes);
		socket.asks = new HttpClient(random, requests, start + bytes.length);
	}

	newServer(): HttpServer {
		return new HttpServer(this.#random, this.responses, this.#bulk);
	}

	openUpstream(): SimulatedSocket {
		return this.#openSocket("upstream", NOTHING, NOWHERE);
	}

	#openSocket(role: "client" | "upstream", prologue: Prologue, address: ClientAddress): SimulatedSocket {
		const random = this.#random;
		this.#nextPort = this.#nextPort === 65_535 ? 1_024 : this.#nextPort + 1;
		const stream = new Stream(prologue.bytes, random.below(1 << 20));
		const temper = randomTemper(random, prologue.cut, this.#bulk, this.#patient);
		const capacity = this.#bulk ? random.between(20_000, 400_000) : 16 + random.magnitude(60_000);
		return new SimulatedSocket(role, stream, temper, address, this.#nextPort, capacity);
	}

	connect(socket: SimulatedSocket, address: Uint8Array): number {
		const gateway = this.gateways?.gatewayAt(address);
		if (gateway !== undefined) return this.#connectLine(socket, gateway);
		const random = this.#random;
		const unix = familyAt(address, 0) === AF_UNIX;
		const calm = this.mode === "cooperative";
		const board = unix ? Number(String.fromCharCode(...address.subarray(3, -1))) : u8(address, 7);
		socket.board = board;
		socket.fate = calm ? "accepted" : (this.#fates[board] ?? "accepted");
		if (!calm && random.chance(this.#patient ? 0.02 : 0.1)) socket.fate = random.pick(FATES);
		const manner = this.#manner(board);
		if (manner.isSecured) this.#shake(socket);
		if (manner.takesRequests) socket.serves = this.newServer();
		if (unix) {
			// A Unix socket answers at once.
			if (socket.fate === "hangs") return -EAGAIN;
			if (socket.fate !== "accepted") return -ECONNREFUSED;
			this.#join(socket);
			return 0;
		}
		if (socket.fate === "unreachable" && random.chance(0.5)) return -ENETUNREACH;
		this.#join(socket);
		// On the same machine it is over when the call returns, which says the same.
		if (random.chance(this.#near)) this.#answerConnect(socket);
		return -EINPROGRESS;
	}

	/** The reactor is an agent's, and opens a line. */
	#connectLine(socket: SimulatedSocket, gateway: GatewayEnd): number {
		const random = this.#random;
		const { address, port, isThroughTls } = gateway.place;
		socket.ownLine = gateway;
		socket.address = address;
		socket.port = port;
		if (this.mode !== "cooperative" && random.chance(0.05)) socket.fate = random.pick(FATES);
		if (isThroughTls) this.#shake(socket);
		if (socket.fate === "unreachable" && random.chance(0.5)) return -ENETUNREACH;
		this.#join(socket);
		if (random.chance(this.#near)) this.#answerConnect(socket);
		return -EINPROGRESS;
	}

	/** Who is dialled shakes hands. */
	#shake(socket: SimulatedSocket): void {
		socket.incoming.append(new Uint8Array(this.#random.magnitude(3_000)));
		this.#speakTls(socket, socket.incoming.scripted);
	}

	/** One thing that the other end of a connection does. */
	act(socket: SimulatedSocket): void {
		const random = this.#random;
		const kernel = this.#kernel;
		const { temper } = socket;
		if (socket.connecting) {
			this.#answerConnect(socket);
			return;
		}
		if (socket.dead) return;
		if (socket.throttled && random.chance(0.4)) kernel.unthrottle(socket);
		if (random.chance(0.5)) kernel.endRecord(socket);
		if ((socket.resetDue && random.chance(0.5)) || random.chance(temper.resets)) {
			kernel.kill(socket, random.chance(0.85) ? ECONNRESET : random.pick([ETIMEDOUT, EHOSTUNREACH]));
			return;
		}
		if (socket.queued > 0 && random.chance(temper.reads))
			kernel.acknowledge(
				socket,
				Math.min(socket.queued, random.magnitude(this.#bulk ? 500_000 : 2 * temper.burst + 4_096)),
			);
		this.#write(socket);
	}

	#write(socket: SimulatedSocket): void {
		const random = this.#random;
		const kernel = this.#kernel;
		const { temper, incoming } = socket;
		if (socket.finished) return;
		if (socket.line?.isBusy === true) {
			socket.line.act(socket, kernel);
			return;
		}
		if (socket.ownLine?.isBusy === true) {
			socket.ownLine.act(socket, kernel);
			return;
		}
		if (socket.serves !== undefined) {
			if (random.chance(0.7)) socket.serves.act(socket, kernel, WINDOW_BYTES - socket.available, false);
			return;
		}
		const left = this.#mayWrite(socket) - incoming.arrived;
		if (left > 0 && !random.chance(temper.endsEarly)) {
			if (!random.chance(0.7)) return;
			const most = Math.min(left, WINDOW_BYTES - socket.available);
			// A hello usually comes in one piece.
			const whole = incoming.arrived < incoming.scripted && random.chance(0.6);
			const burst = whole ? left : temper.burst;
			const count = Math.min(most, random.chance(0.5) ? burst : random.magnitude(burst));
			if (count <= 0) return;
			// A gateway says nothing that is urgent.
			const mayUrge = socket.shakeEnd === Number.POSITIVE_INFINITY && socket.ownLine === undefined;
			const urges = mayUrge ? temper.urges : 0;
			if (random.chance(urges)) kernel.deliverUrgent(socket, count);
			else kernel.deliver(socket, count);
			if (socket.asks !== undefined && random.chance(0.2)) this.#stir();
		} else if (!temper.staysOpen && random.chance(socket.asks?.isDone === false ? 0.005 : 0.3)) {
			kernel.leave(socket);
		}
	}

	/** Up to where in its stream the other end has something to say. */
	#mayWrite({ asks, incoming, temper }: SimulatedSocket): number {
		return asks?.allowance(this.#random, temper.budget) ?? incoming.scripted + temper.budget;
	}

	#answerConnect(socket: SimulatedSocket): void {
		const random = this.#random;
		const kernel = this.#kernel;
		if (socket.fate === "hangs" || random.chance(0.3)) return;
		if (socket.fate === "refused") kernel.kill(socket, ECONNREFUSED);
		else if (socket.fate === "unreachable") kernel.kill(socket, random.pick([ETIMEDOUT, EHOSTUNREACH]));
		else kernel.establish(socket);
	}

	/** The reactor is inside a call on this socket. */
	meanwhile(socket: SimulatedSocket): void {
		if (this.mode === "wild" && socket.place >= 0) this.act(socket);
	}

	/** Everybody reads, says the rest and ends. */
	cooperate(): void {
		const kernel = this.#kernel;
		for (let i = this.#present.length - 1; i >= 0; i--) {
			const socket = this.#present[i] as SimulatedSocket;
			if (socket.connecting) {
				kernel.establish(socket);
				continue;
			}
			if (socket.dead) continue;
			kernel.unthrottle(socket);
			kernel.acknowledge(socket, socket.queued);
			kernel.endRecord(socket);
			if (socket.finished) continue;
			const room = WINDOW_BYTES - socket.available;
			// It has its deadlines.
			if (socket.line?.isBusy === true) continue;
			if (socket.ownLine?.isBusy === true) {
				kernel.finish(socket);
				continue;
			}
			if (socket.serves !== undefined) {
				socket.serves.act(socket, kernel, room, true);
				continue;
			}
			const speaks = socket.asks === undefined || socket.asks.upgraded;
			const left = socket.incoming.scripted + (speaks ? socket.temper.budget : 0) - socket.incoming.arrived;
			const most = Math.min(left, room);
			if (left <= 0) kernel.finish(socket);
			// To deliver nothing would be news of nothing, each turn, and no time would pass.
			else if (most > 0) kernel.deliver(socket, most);
		}
	}
}

const FATES: readonly Fate[] = ["accepted", "refused", "hangs", "unreachable"];

function randomTemper(random: Random, silent: boolean, bulk: boolean, patient: boolean): Temper {
	// Whoever has all the time in the world must not be stuck for all of it.
	const lively = patient && random.chance(0.85);
	const large = bulk && random.chance(0.3);
	// Enough to be worth closing for its memory, and little enough to fit the kernel's buffers.
	const middling = bulk && random.chance(0.5);
	const most = middling ? random.between(9_000, 60_000) : random.magnitude(4_000);
	const budget = silent || random.chance(0.1) ? 0 : large ? random.between(100_000, 900_000) : most;
	return {
		budget,
		burst: large ? random.pick([32_768, 131_072, 262_144]) : random.magnitude(middling ? 20_000 : 2_000),
		reads: lively
			? random.pick([1, 1, 0.9, 0.5])
			: bulk
				? random.pick([1, 1, 0.9, 0.5, 0.1, 0])
				: random.pick([1, 0.9, 0.5, 0.1, 0.01, 0]),
		resets: random.pick(patient ? [0, 0, 0, 0, 0.003] : [0, 0, 0, 0.005, 0.03]),
		endsEarly: lively ? 0 : random.pick([0, 0, 0.02]),
		urges: random.pick([0, 0, 0, 0.02, 0.2]),
		closesWhole: random.chance(0.4),
		staysOpen: random.chance(lively ? 0.03 : 0.12),
	};
}
