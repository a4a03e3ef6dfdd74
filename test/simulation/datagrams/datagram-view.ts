/** What a run's side of datagrams knows of its world, and sees of the sessions that begin and end there. */

import { SENDER_BYTES } from "../../../src/kernel/datagrams.js";
import { f64, i32, u8 } from "../../../src/parts/at.js";
import { NONE } from "../../../src/parts/none.js";
import { PROTOCOL_QUIC } from "../../../src/protocol/protocols.js";
import type { DatagramTraffic } from "../../../src/reactor/datagrams/traffic.js";
import { LIVE_LISTENERS } from "../../../src/reactor/records/places.js";
import type { Link, Session } from "../../../src/reactor/table/numbers.js";
import type { SimulatedKernel } from "../simulated-kernel.js";
import type { Trace } from "../trace.js";
import type { World } from "../world.js";
import type { DatagramChecks } from "./datagram-checks.js";
import { checkFlowEnd } from "./datagram-invariants.js";
import type { DatagramWorld } from "./datagram-side.js";
import type { SimulatedDatagramSocket } from "./datagram-socket.js";
import { type Endpoint, endpointAt } from "./endpoints.js";

export class DatagramView implements DatagramWorld {
	readonly #world: World;
	#watched: DatagramTraffic | undefined;

	constructor(world: World) {
		this.#world = world;
	}

	get kernel(): SimulatedKernel {
		return this.#world.kernel;
	}

	get trace(): Trace {
		return this.#world.trace;
	}

	get sessions(): number {
		return this.#world.sessions;
	}

	get waitsDone(): number {
		return this.#world.reactor.core.wait;
	}

	meet(what: string): void {
		this.#world.meet(what);
	}

	sessionsOf(listener: number): number {
		return i32(this.#world.live, LIVE_LISTENERS + listener);
	}

	#sessionOf({ slot, registered }: SimulatedDatagramSocket): Session | undefined {
		if (!registered) return undefined;
		const session = this.#world.reactor.core.table.sessionOf(slot as Link);
		return session === NONE ? undefined : session;
	}

	knowsIds(socket: SimulatedDatagramSocket): boolean {
		const session = this.#sessionOf(socket);
		return session !== undefined && u8(this.#world.reactor.core.table.protocol, session) === PROTOCOL_QUIC;
	}

	isRedialled(socket: SimulatedDatagramSocket): boolean {
		const session = this.#sessionOf(socket);
		return (
			session !== undefined && f64(this.#world.reactor.core.table.acceptedMs, session) !== socket.connectedMs
		);
	}

	clientAt(socket: SimulatedDatagramSocket): string | undefined {
		const session = this.#sessionOf(socket);
		const { datagrams } = this.#world.reactor.core;
		if (session === undefined || datagrams === null || this.isRedialled(socket)) return undefined;
		return endpointAt(datagrams.flows.names, session * SENDER_BYTES).key;
	}

	mayMoveTo({ bytes }: Endpoint): boolean {
		const { operator, reactor } = this.#world;
		const family = bytes.length === 4 ? 4 : 6;
		return !operator.given.has("bans") && !reactor.core.bans.forbid(family, bytes, 0, reactor.core.nowMs);
	}

	/** Before a turn: once the reactor has listeners on UDP, the beginnings and ends of their sessions are looked at. */
	watch(checks: DatagramChecks): void {
		const world = this.#world;
		const { datagrams: traffic, table } = world.reactor.core;
		if (traffic === null || this.#watched === traffic) return;
		this.#watched = traffic;
		const forget = traffic.forget.bind(traffic);
		traffic.forget = (session, reason) => {
			const hasSocket = table.linkOf(session) !== NONE;
			checkFlowEnd(world, session, hasSocket ? checks.closedLast : undefined);
			return forget(session, reason);
		};
		const add = traffic.flows.add.bind(traffic.flows);
		traffic.flows.add = (session, key) => {
			world.accepted++;
			add(session, key);
		};
	}
}
