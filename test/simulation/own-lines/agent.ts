/**
 * The main thread of an agent: it orders lines, takes them back, and hears what became of each. The reactor's side of lines
 * (`src/reactor/own-lines/`) is what is tried here; the gateway at the other end of each is `gateway-end.ts`.
 */
import { lineOptions } from "../../../src/gateway/line-options.js";
import { encodeInternet } from "../../../src/kernel/sockaddr.js";
import { f64 } from "../../../src/parts/at.js";
import { LINE_ALPN } from "../../../src/protocol/tunnel/index.js";
import type {
	LineGateway,
	LineOrder,
	ListenerPlan,
	Notice,
	OwnLineNews,
	Plan,
	ReactorCommand,
} from "../../../src/reactor/plan/plan.js";
import { Random } from "../../../src/rig/random.js";
import { clientAddress } from "../addresses.js";
import type { SimulatedSocket } from "../descriptors.js";
import { LISTENERS, NO_CONDITION, randomListener } from "../plans.js";
import { violated } from "../trace.js";
import type { World } from "../world.js";
import { GatewayEnd, type GatewayPlace } from "./gateway-end.js";

/** A line that was ordered, until its last news. */
export interface Order extends LineOrder {
	readonly listener: number;
	/** Of which of the listeners that have this number, one after the other: 0 of none. */
	readonly incarnation: number;
	/** The certificate that its gateway is to show. */
	readonly fingerprint: string;
	/** The command that it is in has not been carried out to its end. */
	isUnderWay: boolean;
	told: OwnLineNews["kind"] | "nothing";
	/** The connection on which its ticket was shown. */
	socket: SimulatedSocket | undefined;
	/** The number of its session, when that is over; 0: it is not. */
	session: number;
}

/** Orders before news is spoilt by a mutant. */
const SPOIL_FROM_ORDER = 10;

const CERTIFICATES = ["A".repeat(64), "B".repeat(64)] as const;

const PLACES: readonly GatewayPlace[] = [
	{ address: clientAddress(Uint8Array.of(10, 9, 9, 1)), port: 7_001, isThroughTls: false },
	{ address: clientAddress(Uint8Array.of(10, 9, 9, 1)), port: 7_002, isThroughTls: true },
	{
		address: clientAddress(Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)),
		port: 7_003,
		isThroughTls: false,
	},
	{
		address: clientAddress(Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)),
		port: 7_004,
		isThroughTls: true,
	},
];

export class Agent {
	/** By number: those of which more is to be told. */
	readonly orders = new Map<number, Order>();
	/** What the reactor's listeners are, as of the last plan that is in force: by number, which of them. */
	inForce: readonly number[] = [];
	isEnding = false;
	readonly #world: World;
	readonly #random: Random;
	readonly #places: readonly GatewayPlace[];
	/** How many listeners had a number, and whether one has it as of the plan that was sent last. */
	readonly #incarnations = new Array<number>(LISTENERS).fill(0);
	/** By the revision of a plan. */
	readonly #planned = new Map<number, readonly number[]>();
	readonly #pace: number;
	#last = 0;
	/** The certificate that gateways show, and the one that the control connection has seen. */
	#shown: string = CERTIFICATES[0];
	#known: string = CERTIFICATES[0];
	/** In this turn: lines that have become sessions, and such as are closed. */
	readonly #changed: Order[] = [];

	constructor(world: World) {
		const random = new Random(world.random.word());
		this.#world = world;
		this.#random = random;
		const places = PLACES.filter(() => random.chance(0.5));
		this.#places = places.length > 0 ? places : PLACES;
		this.#pace = random.pick([0.02, 0.1, 0.4]);
	}

	// Plans.

	/** A listener without a socket, for a tunnel whose upstream is the one of its number. `isNew`: none had this number just before. */
	listener(slot: number, isNew: boolean): ListenerPlan {
		const { random, sessions, traits } = this.#world;
		if (isNew) this.#incarnations[slot] = (this.#incarnations[slot] ?? 0) + 1;
		const plan = randomListener(random, slot, -1, sessions, traits);
		const [route] = plan.routes;
		if (route === undefined) throw new Error("a listener has a route");
		return {
			...plan,
			proxyRequired: false,
			routes: [
				{ ...route, conditions: NO_CONDITION, upstream: slot, sessionsPerSecond: Number.POSITIVE_INFINITY },
			],
		};
	}

	/** The plan as an agent has it. */
	planned(plan: Plan): Plan {
		const { listeners, upstreams, revision } = plan;
		const present = Array.from({ length: LISTENERS }, (_, slot) =>
			listeners.some((listener) => listener.slot === slot) ? (this.#incarnations[slot] ?? 0) : 0,
		);
		this.#planned.set(revision, present);
		return {
			...plan,
			acceptsPerSecond: Number.POSITIVE_INFINITY,
			upstreams: upstreams.map((upstream) => ({ ...upstream, proxyTlvs: [] })),
		};
	}

	/** A plan is in force. */
	applied(revision: number): void {
		this.inForce = this.#planned.get(revision) ?? [];
		this.#planned.delete(revision);
	}

	// Orders.

	/** Something that the agent does, or its gateway. */
	act(): void {
		const random = this.#random;
		if (random.chance(this.#pace)) this.#open();
		if (random.chance(0.003)) this.#close();
		// The gateway renews its certificate.
		if (random.chance(0.001)) this.#shown = random.pick(CERTIFICATES);
		if (random.chance(0.005)) this.#known = this.#shown;
	}

	#open(): void {
		const random = this.#random;
		const { operator, sessions } = this.#world;
		const count = random.chance(0.8) ? random.between(1, 3) : random.between(1, sessions);
		// Mostly it knows what it has room for.
		const { clients } = this.#world.reactor.core.table;
		if (this.orders.size + clients + count >= sessions && !random.chance(0.1)) return;
		const listener = random.below(LISTENERS);
		const incarnation = operator.hasListener(listener) ? (this.#incarnations[listener] ?? 0) : 0;
		const lines = Array.from({ length: count }, () => this.#order(listener, incarnation));
		operator.command({ kind: "openLines", listener, gateway: this.#gateway(), lines });
	}

	#order(listener: number, incarnation: number): LineOrder {
		const number = ++this.#last;
		const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => this.#random.below(256));
		const ticket = bytes(16);
		new DataView(ticket.buffer).setUint32(0, number);
		const order = { number, ticket, key: bytes(32) };
		this.orders.set(number, {
			...{ ...order, listener, incarnation, fingerprint: this.#known },
			...{ isUnderWay: true, told: "nothing", socket: undefined, session: 0 },
		});
		return order;
	}

	#gateway(): LineGateway {
		const { address, port, isThroughTls } = this.#random.pick(this.#places);
		const fingerprint = this.#known;
		const client = { serverName: "gateway.example", verify: false, alpn: [LINE_ALPN] };
		return {
			sockaddr: encodeInternet(address.bytes, port),
			options: lineOptions(15_000, 45_000),
			tls: isThroughTls ? { identity: `${port} ${fingerprint}`, client, fingerprint } : null,
		};
	}

	#close(): void {
		const listener = this.#random.between(-1, LISTENERS - 1);
		this.#world.operator.command({ kind: "closeLines", listener });
	}

	/** The reactor is done with a command. */
	done(command: ReactorCommand): void {
		if (command.kind !== "openLines") return;
		for (const { number } of command.lines) {
			const order = this.orders.get(number);
			if (order !== undefined) order.isUnderWay = false;
		}
	}

	/** Nothing new is ordered. */
	end(): void {
		this.isEnding = true;
	}

	// Connections.

	/** Who is at the other end of a connection to this address, if it is a gateway's. */
	gatewayAt(address: Uint8Array): GatewayEnd | undefined {
		const place = this.#places.find(({ address: { bytes }, port }) =>
			Buffer.from(encodeInternet(bytes, port)).equals(address),
		);
		if (place === undefined) return undefined;
		return new GatewayEnd(this.#random, place, this.#shown, (ticket) => this.#orderOf(ticket));
	}

	#orderOf(ticket: Uint8Array): Order | undefined {
		const order = this.orders.get(new DataView(ticket.buffer, ticket.byteOffset).getUint32(0));
		if (order?.socket !== undefined) violated("a ticket is shown twice");
		return order;
	}

	/** A line becomes a session. */
	begins(socket: SimulatedSocket, end: GatewayEnd): void {
		const { kernel } = this.#world;
		const { order } = end;
		if (order === undefined || !end.hasParked) violated("a line has a visitor, and was never parked");
		if (end.visitFrom < 0) violated("a line becomes a session, and nobody has come");
		if (!end.isEchoed) violated("a line has a visitor, and a canary has not come back");
		if (socket.taken !== end.visitFrom)
			violated(`${socket.taken} bytes of a line are taken, and its visitor's begin at ${end.visitFrom}`);
		end.isPassedOn = end.source !== null && this.#world.reactor.core.saysProxyHeaders;
		socket.role = "client";
		kernel.openUpstreams--;
		kernel.openClients++;
		socket.takenBefore = socket.taken;
		socket.sentBefore = socket.sent;
		socket.arrivedMs = kernel.nowMs;
		socket.acceptedMs = kernel.nowMs;
		socket.activeMs = kernel.nowMs;
		kernel.witness?.accepted(socket);
		this.#changed.push(order);
		if (socket.secured?.resumed === true) this.#world.meet("own lines that go on with TLS of before");
		this.#world.meet(end.isForRequests ? "requests by own lines" : "visitors of own lines");
	}

	/** A connection of a line is closed that is no session. */
	closed(socket: SimulatedSocket, end: GatewayEnd, reset: boolean): void {
		if (end.order !== undefined) this.#changed.push(end.order);
		// Of what it has not read the kernel tells by a reset; of a record that was taken, only the reactor can.
		const isSeen = end.visitFrom >= 0 && socket.taken <= end.visitFrom && socket.seen > end.visitFrom;
		if (isSeen && !reset && !socket.dead && socket.waiting === 0)
			violated("a visitor who was not let in is told of an end");
		// Of one that was parked before this turn: the gateway's word may come too late.
		if (end.order?.told !== "parked") return;
		if (!this.#isCaused(socket, end)) violated("a parked line is closed, and there is no reason to");
		this.#world.meet("own lines closed while parked");
	}

	/** A line that is parked goes when its gateway does, is not understood or has nobody let in, or when the main thread wants it to. */
	#isCaused({ finished, dead, secured }: SimulatedSocket, end: GatewayEnd): boolean {
		const { given } = this.#world.operator;
		const isWanted =
			!given.has("closeLines") && !given.has("plan") && !given.has("drain") && !given.has("stop");
		if (!isWanted || finished || dead || secured?.phase === "broken") return true;
		// What has begun was not there whole in time; or the kernel had no room for what is to come back.
		return end.isMisleading || end.visitFrom >= 0 || end.begunAt >= 0 || !end.isEchoed;
	}

	/** A session that came by a line is over: its record says this number. */
	ended({ order }: GatewayEnd, session: number): void {
		if (order !== undefined) order.session = session;
	}

	// News.

	/** The reactor says something. False: it is not about lines of its own. */
	noticed(notice: Notice): boolean {
		if (notice.kind !== "ownLines") return false;
		const { mutant } = this.#world;
		for (const item of notice.items) {
			if (mutant === "untold_visit" && item.kind === "began") continue;
			this.#hear(item);
			if (mutant === "doubled_own_news" && this.#last > SPOIL_FROM_ORDER) this.#hear(item);
		}
		return true;
	}

	#hear(item: OwnLineNews): void {
		if (item.kind === "ended") violated("a session's end is told because the journal is full, and it is not");
		const order = this.orders.get(item.number);
		if (order === undefined) violated(`line ${item.number} is ${item.kind}, and all was told of it`);
		if (item.kind === "parked") {
			if (order.told !== "nothing") violated(`line ${item.number} is told to be parked twice`);
			if (order.socket?.ownLine?.hasParked !== true)
				violated(`line ${item.number} is told to be parked, and its gateway has not said so`);
			order.told = "parked";
			return;
		}
		this.orders.delete(item.number);
		order.told = item.kind;
		this.#world.meet(`own lines: ${item.kind}`);
		if (item.kind === "began") {
			this.#began(order, item.session, item.source);
			return;
		}
		if (order.socket?.open === true)
			violated(`line ${item.number} is ${item.kind}, and its connection is open`);
		if (order.socket?.role === "client")
			violated(`line ${item.number} is ${item.kind}, and has become a session`);
		if (item.kind === "failed" && item.hasOtherCertificate === true) {
			if (order.socket !== undefined) violated("a ticket was shown to who shows another certificate");
			this.#world.meet("other certificates");
			// The control connection looks at it.
			this.#known = this.#shown;
		}
	}

	#began({ number, socket, session: over }: Order, session: number, source: string | null): void {
		const { core } = this.#world.reactor;
		if (socket?.ownLine === undefined || socket.role !== "client")
			violated(`line ${number} is told to have a visitor, and has none`);
		const own = socket.open ? f64(core.table.number, socket.slot) : over;
		if (own !== session) violated(`the session of line ${number} is told to be ${session}, and is ${own}`);
		if (source !== socket.ownLine.source)
			violated(`the visitor of line ${number} is told to be ${source}, and is ${socket.ownLine.source}`);
	}

	/** After a turn: of all that has changed in it, it was told. */
	check(): void {
		for (const order of this.#changed)
			if (this.orders.has(order.number)) violated(`line ${order.number} has changed, and nobody was told`);
		this.#changed.length = 0;
	}
}
