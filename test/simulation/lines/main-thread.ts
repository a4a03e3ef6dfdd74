/**
 * The main thread's half of lines: the real desk and the real traffic between it and the reactors, agents that open lines, and tunnels
 * that come and go. What the reactors say, and what they are told, is under way for a while.
 */

import { lineOptions } from "../../../src/gateway/line-options.js";
import { LineTraffic } from "../../../src/gateway/tunnels/line-traffic.js";
import { ref } from "../../../src/parts/at.js";
import type { ListenerPlan, Notice, Plan, ReactorCommand } from "../../../src/reactor/plan/plan.js";
import { Random } from "../../../src/rig/random.js";
import type { OpenTunnel } from "../../../src/tunnel/gateway/interfaces.js";
import { LineDesk } from "../../../src/tunnel/gateway/line-desk.js";
import type { DepthLimits } from "../../../src/tunnel/registry/depth.js";
import type { LinesPlan, UpstreamPlan } from "../../../src/upstream/plan.js";
import { NO_REQUESTS } from "../../reactor/no-limits.js";
import { SimulatedListener, type SimulatedSocket } from "../descriptors.js";
import { ADDRESSES, LISTENERS } from "../plans.js";
import { memoryOf } from "../simulated-sockets.js";
import { violated } from "../trace.js";
import type { World } from "../world.js";
import { AgentLine, type SimulatedTicket } from "./agent-line.js";
import { OtherReactor } from "./other-reactor.js";
import { WatchedDesk } from "./watched-desk.js";

/** A canary is given up after so long, at the most. */
export const CANARY_DEAD_MS = 1_500;
/** Lines that agents have been asked for, and have not begun to open. */
const ASKED_MAX = 64;

interface Tunnel {
	readonly open: OpenTunnel;
	readonly upstream: number;
	readonly address: number;
	/** The first plan that has it; when that is in force, lines are asked for. */
	readonly revision: number;
}

export class Lines {
	readonly desk: WatchedDesk;
	readonly traffic: LineTraffic;
	readonly other: OtherReactor;
	/** By number. */
	readonly tunnels = new Map<number, Tunnel>();
	/** Descriptors of lines and of control connections that no row has: they are in a message, or the other reactor's. */
	readonly outside = new Set<number>();
	/** Which of the plan's upstreams are tunnels. */
	readonly slots: readonly number[];
	readonly isForRequests: boolean;
	readonly listener = new SimulatedListener();
	readonly listenerPlan: ListenerPlan;
	readonly #world: World;
	readonly #random: Random;
	readonly #isThroughTls: boolean;
	readonly #asked: SimulatedTicket[] = [];
	/** Lines that agents are opening. */
	readonly #opening: SimulatedSocket[] = [];
	readonly #inbox: Notice[] = [];
	readonly #otherInbox: Notice[] = [];
	#limits: DepthLimits;
	#ageMs: number;
	#requests: number;
	readonly #reserved: number;
	#epochs = 0;
	isEnding = false;
	canariesBegun = 0;
	canariesTold = 0;

	constructor(world: World) {
		const random = new Random(world.random.word());
		this.#world = world;
		this.#random = random;
		this.slots = random.chance(0.5) ? [0] : [0, 1];
		this.isForRequests = world.traits.readsRequests.every((reads) => reads);
		this.#isThroughTls = random.chance(0.5);
		const lines = random.between(1, 3);
		this.#reserved = random.pick([0, 1, 1, 2]);
		this.#limits = this.#limitsOf(lines);
		this.#ageMs = random.magnitude(60_000) + 200;
		this.#requests = random.pick([1, 3, 100]);
		this.desk = new WatchedDesk(new LineDesk(() => world.kernel.nowMs, this.#limits), world);
		this.other = new OtherReactor(
			world,
			world.reactor.core.index + 1,
			(notice) => this.#otherInbox.push(notice),
			(address) => this.tunnelAt(address),
		);
		this.traffic = new LineTraffic({
			desk: () => this.desk,
			placeOf: (number) => {
				const tunnel = this.tunnels.get(number);
				return tunnel && { ...tunnel, plain: tunnel.open.plain };
			},
			tell: (reactor, command) => this.#tell(reactor, command),
		});
		this.traffic.isSecured = this.#isThroughTls;
		const fd = world.kernel.install(this.listener);
		this.listenerPlan = {
			...{ slot: LISTENERS, fd, port: 900, connections: Number.POSITIVE_INFINITY },
			...{ acceptsPerSecond: Number.POSITIVE_INFINITY, requestsPerSecond: Number.POSITIVE_INFINITY },
			...{ policy: 0, isForAgents: true, proxyRequired: false, trusted: [], routes: [], ...NO_REQUESTS },
			tls: this.#isThroughTls ? [this.#certificate()] : [],
		};
		for (let count = random.between(1, 3); count > 0; count--) this.#open();
	}

	#limitsOf(lines: number): DepthLimits {
		const linesMax = Math.max(lines, this.#reserved + 1) + this.#random.below(6);
		return { lines, linesMax, reserved: this.#reserved };
	}

	#certificate(): ListenerPlan["tls"][number] {
		const file = { file: "", text: "" };
		const server = { names: ["*"], cert: file, key: file, alpn: ["sluice-line/1"] };
		return { names: ["*"], server, identity: `agents' certificate ${this.#random.below(2)}` };
	}

	tunnelAt(address: number): number | undefined {
		for (const tunnel of this.tunnels.values()) if (tunnel.address === address) return tunnel.open.number;
		return undefined;
	}

	#tell(reactor: number, command: ReactorCommand): void {
		if (command.kind === "takeLine" && this.#world.mutant === "doubled_line")
			this.#world.operator.command(command);
		if (reactor === this.other.number) this.other.commands.push(command);
		else if (reactor === this.#world.reactor.core.index) this.#world.operator.command(command);
		else violated(`reactor ${reactor} is told something, and there is none`);
	}

	// What passes.

	/** The reactor says something. False: it is not about lines. */
	noticed(notice: Notice): boolean {
		switch (notice.kind) {
			case "control":
				this.outside.add(notice.fd);
				break;
			case "lineGiven":
				this.outside.add(notice.line.fd);
				break;
			case "lineProof":
			case "lines":
			case "canary":
				break;
			default:
				return false;
		}
		this.#inbox.push(notice);
		return true;
	}

	/** The reactor begins to carry out a command. */
	taken(command: ReactorCommand): void {
		if (command.kind === "takeLine") this.outside.delete(command.line.fd);
	}

	/** A plan is in force. */
	applied(revision: number): void {
		for (const tunnel of this.tunnels.values())
			if (tunnel.revision <= revision) this.desk.open(tunnel.open.number);
		this.other.dropOthers();
	}

	/** Something is under way between the main thread and a reactor, or in a reactor that is not simulated. */
	get hasMessages(): boolean {
		return this.#inbox.length + this.#otherInbox.length + this.other.commands.length > 0;
	}

	/** Some of what is under way arrives; `isAll`: all of it. */
	deliver(isAll: boolean): void {
		const random = this.#random;
		while (this.hasMessages && (isAll || random.chance(0.7))) {
			const from = random.below(3);
			const own = from === 0 ? this.#inbox.shift() : undefined;
			const others = from === 1 ? this.#otherInbox.shift() : undefined;
			if (own !== undefined) this.#hear(this.#world.reactor.core.index, own);
			if (others !== undefined) this.#hear(this.other.number, others);
			if (from === 2) this.other.carryOut();
		}
	}

	#hear(reactor: number, notice: Notice): void {
		switch (notice.kind) {
			case "control":
				this.#takeControl(notice.fd);
				return;
			case "lineProof":
				this.traffic.judge(reactor, notice);
				return;
			case "canary":
				this.canariesTold++;
				if (notice.roundTripMs >= 0) this.traffic.canaryBack(reactor, notice.tunnel);
				this.#world.meet(notice.roundTripMs < 0 ? "canaries that are lost" : "canaries that are back");
				return;
			case "lineGiven":
				this.#world.meet("lines that are given away");
				this.traffic.given(reactor, notice);
				return;
			case "lines":
				for (const item of notice.items) this.traffic.news(reactor, item);
		}
	}

	#takeControl(fd: number): void {
		const socket = this.#world.kernel.socketAt(fd);
		if (socket?.line?.opening !== "control")
			violated(`descriptor ${fd} is no control connection, and is given away`);
		if (socket.taken > 0 || socket.fetched > 0)
			violated("a control connection is given away, and bytes of it were read");
		this.#world.meet("control connections");
		this.closeOutside(fd, 0);
	}

	/** What sockets hold that no row has. */
	get outsideBytes(): number {
		let bytes = 0;
		for (const fd of [...this.outside, ...this.other.held.map(({ line }) => line.fd)]) {
			const socket = this.#world.kernel.socketAt(fd);
			if (socket !== undefined) bytes += memoryOf(socket);
		}
		return bytes;
	}

	/** A descriptor that no row has is closed. */
	closeOutside(fd: number, session: number): void {
		const { kernel, tls, peers } = this.#world;
		this.outside.delete(fd);
		const socket = kernel.socketAt(fd);
		if (socket === undefined) violated(`descriptor ${fd} is closed outside, and is not open`);
		if (session !== 0) {
			tls.adopt(session);
			tls.free(session);
		}
		peers.forget(socket);
		kernel.closeOutside(fd);
	}

	// Tunnels.

	/** The plan with the tunnels of now. */
	planned(plan: Plan): Plan {
		const upstreams = plan.upstreams.filter(({ slot }) => !this.slots.includes(slot));
		for (const slot of this.slots) upstreams.push(this.#upstream(slot));
		return {
			...plan,
			connectionsPerSource: Number.POSITIVE_INFINITY,
			acceptsPerSecondPerSource: Number.POSITIVE_INFINITY,
			acceptsPerSecond: Number.POSITIVE_INFINITY,
			listeners: [
				...plan.listeners,
				this.#isThroughTls ? { ...this.listenerPlan, tls: [this.#certificate()] } : this.listenerPlan,
			],
			upstreams,
		};
	}

	#upstream(slot: number): UpstreamPlan {
		const { lines } = this;
		const isHttp = this.isForRequests && slot === 0;
		return {
			...{ slot, balance: "least_connections", proxyTlvs: [], proxyProtocol: isHttp ? "off" : "v2" },
			...{ pool: isHttp ? lines : null, lines, host: null, authority: Uint8Array.of(0x75), trailers: false },
			...{ ejectFailures: 3, ejectForMs: 1_000 },
			addresses: [...this.tunnels.values()]
				.filter(({ upstream }) => upstream === slot)
				.map(({ address, open }) => ({
					...{ board: address, sockaddr: new Uint8Array(0), hash: address, tunnel: open.number },
					...(open.connections === null ? {} : { connectionsMax: open.connections }),
				})),
		};
	}

	get lines(): LinesPlan {
		return {
			...{ keeps: true, idleMs: Number.POSITIVE_INFINITY, ageMs: this.#ageMs, requests: this.#requests },
			...{ idleMax: this.#limits.linesMax, replaceMs: 300, reserved: this.#reserved },
			...lineOptions(15_000, 45_000),
		};
	}

	/** Something that the control plane, an agent or the operator of tunnels does. */
	control(): void {
		const random = this.#random;
		if (this.isEnding) return;
		const numbers = [...this.tunnels.keys()];
		const number = random.pick(numbers.length > 0 ? numbers : [-1]);
		switch (random.below(6)) {
			case 0:
				this.#open();
				this.#world.operator.replan();
				return;
			case 1:
				this.#close(number);
				this.#world.operator.replan();
				return;
			case 2:
				// Another agent has it now.
				this.#close(number);
				this.#open();
				this.#world.operator.replan();
				return;
			case 3: {
				const lines = random.between(1, 3);
				this.#limits = this.#limitsOf(lines);
				this.#ageMs = random.magnitude(60_000) + 200;
				this.desk.configure(this.#limits);
				this.#world.operator.replan();
				return;
			}
			case 4:
				this.#closeVisitors(number);
				return;
			default:
				this.desk.tick();
		}
	}

	#open(): void {
		const random = this.#random;
		const upstream = random.pick(this.slots);
		const address = this.#freeAddress(upstream);
		if (address < 0) return;
		const epoch = ++this.#epochs;
		const open = this.desk.add(
			{
				...{ identity: "agent", epoch, kind: "tcp", name: `t${upstream}`, host: null, port: null },
				...{
					plain: !this.#isThroughTls || random.chance(0.5),
					allow: null,
					bytesPerSecond: null,
					basicAuth: [],
				},
				connections: random.chance(0.25) ? random.between(1, 4) : null,
			},
			(tickets) => {
				for (const ticket of tickets) this.#issued(open, ticket);
			},
		);
		this.tunnels.set(open.number, { open, upstream, address, revision: this.#world.operator.revision + 1 });
	}

	#issued(
		{ number, epoch }: OpenTunnel,
		{ id, key }: { readonly id: Uint8Array; readonly key: Uint8Array },
	): void {
		const ticket: SimulatedTicket = { id, key, tunnel: number, epoch, state: "out" };
		this.desk.issued(ticket);
		if (this.#asked.length < ASKED_MAX) this.#asked.push(ticket);
	}

	/** A number goes to another agent only when nobody has it any more: neither a row nor a message. */
	#freeAddress(upstream: number): number {
		const { table, links } = this.#world.reactor.core;
		if (this.hasMessages || this.#world.operator.hasCommands || this.#world.reactor.hasCommands) return -1;
		for (let address = upstream * ADDRESSES; address < (upstream + 1) * ADDRESSES; address++) {
			if (this.tunnelAt(address) !== undefined) continue;
			if (this.other.held.some(({ line }) => line.address === address)) continue;
			let isHeld = false;
			for (let row = 0; row < table.sessions; row++) {
				if ((table.state[row] ?? 0) !== 0 && ref(table.address, row) === address) isHeld = true;
				if ((table.state[row + table.sessions] ?? 0) !== 0 && links.address[row] === address) isHeld = true;
			}
			const { upstreams } = this.#world.reactor.core;
			if (!isHeld && upstreams.get(upstream)?.has(address) !== true) return address;
		}
		return -1;
	}

	#close(number: number): void {
		if (!this.tunnels.delete(number)) return;
		this.traffic.forget(number);
		this.desk.close(number);
		this.other.waiting.delete(number);
		this.#world.meet("tunnels that are closed");
	}

	/** The sessions of an agent's are closed, as `superseded: cut` has it. */
	#closeVisitors(number: number): void {
		const tunnel = this.tunnels.get(number);
		if (tunnel === undefined) return;
		const { table } = this.#world.reactor.core;
		const rows: number[] = [];
		for (let row = 0; row < table.sessions; row++)
			if ((table.state[row] ?? 0) !== 0 && ref(table.address, row) === tunnel.address) rows.push(row);
		const numbers = Float64Array.from(rows, (row) => table.number[row] ?? 0);
		this.#world.operator.command({ kind: "close", rows: Int32Array.from(rows), numbers });
	}

	// Agents.

	/** Something happens at agents, or in the other reactor. */
	act(): void {
		const random = this.#random;
		if (random.chance(0.4)) this.#openLine();
		for (let times = this.#random.below(4); times > 0; times--) this.#hurry();
		if (random.chance(0.05)) this.desk.tick();
		if (random.chance(0.02) && this.tunnels.size > 0) {
			const deadMs = random.between(10, CANARY_DEAD_MS);
			this.traffic.sendCanary(random.pick([...this.tunnels.keys()]), deadMs);
		}
		if (random.chance(0.02) && this.tunnels.size > 0) this.#sendElsewhere();
		if (random.chance(0.05)) this.other.act([...this.tunnels.keys()]);
	}

	/** An agent says that its service is down, or an operator drains it; it may be taken for good again before that has come through. */
	#sendElsewhere(): void {
		const { address } = this.#random.pick([...this.tunnels.values()]);
		this.#world.board.setDown(address, this.#random.chance(0.3));
		this.#world.operator.command({ kind: "sendElsewhere", address });
		this.#world.meet("agents that nobody is sent to");
	}

	#openLine(): void {
		const random = this.#random;
		const { operator, peers } = this.#world;
		if (operator.draining || !operator.listeners.has(this.listenerPlan.fd)) return;
		const ticket = this.#asked.shift();
		if (ticket === undefined) return;
		const draw = random.fraction();
		if (draw < 0.03) {
			this.desk.failed(ticket.id, ticket.epoch);
			return;
		}
		if (draw < 0.05) return; // it is never opened
		const isPlain = this.tunnels.get(ticket.tunnel)?.open.plain === true && random.chance(0.7);
		const isThroughTls = this.#isThroughTls ? !isPlain && !random.chance(0.03) : random.chance(0.03);
		for (let times = random.chance(0.04) ? 2 : 1; times > 0; times--)
			this.#follow(
				peers.openLine(
					this.listener,
					new AgentLine(random, ticket, isThroughTls, random.chance(0.5)),
					this.#isHttp(ticket.tunnel),
				),
			);
	}

	#follow(socket: SimulatedSocket | undefined): void {
		if (socket !== undefined) this.#opening.push(socket);
	}

	/** Agents are quick: one of those that are opening a line does something besides what everybody does. */
	#hurry(): void {
		const index = this.#random.below(this.#opening.length);
		const socket = this.#opening[index];
		if (socket === undefined) return;
		if (socket.place < 0 || socket.line?.isParked !== false) this.#opening.splice(index, 1);
		else this.#world.peers.act(socket);
	}

	#isHttp(number: number): boolean {
		return this.isForRequests && this.tunnels.get(number)?.upstream === 0;
	}

	// Ends.

	/** No tunnel is open any more, and the other reactor has nothing. */
	end(): void {
		this.isEnding = true;
		this.#asked.length = 0;
		for (const number of [...this.tunnels.keys()]) this.#close(number);
		this.other.finish();
	}
}
