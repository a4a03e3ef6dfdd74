/**
 * A client of QUIC has another address, or another port. The kernel shares datagrams among the reactors by these, so what the client
 * sends from now on may come to a reactor that does not have its session:
 *
 *     reactor B: who is that? ──► the ID is one of A's ──► A's ring (strays.ts) ──► A: that is my session
 *                                                                                    └► opens an *ear*: a socket on the
 *     client ──────────────────────────────────────────────────────────────────────────► listener's port for this client alone
 *
 * A connected socket goes before all others of its port, so that the kernel brings the client's datagrams to A from the second one on.
 * Where no ear can be opened (before Linux 6.13: `kernel/connected-groups.ts`), and beyond EARS_MAX, each of them goes by B.
 */
import { EPOLLIN } from "../../../kernel/constants.js";
import { SENDER_BYTES } from "../../../kernel/datagrams.js";
import { i32, u8, u16 } from "../../../parts/at.js";
import type { ReactorListener } from "../../admission/listener.js";
import type { Peer } from "../../datagrams/peer.js";
import { type DatagramTraffic, WRITE_AT } from "../../datagrams/traffic.js";
import { scalarIndex } from "../../records/counters.js";
import { NONE, type Session } from "../../table/numbers.js";
import { localAddressAt } from "./add.js";
import { flushReplies } from "./answer.js";
import { byConnectionId } from "./by-id.js";
import type { DatagramContext } from "./context.js";
import { drop } from "./drop.js";
import { passMessage } from "./pass.js";

/**
 * Of all reactors. For every datagram of whoever has no ear the kernel looks through all sockets of the port that are bound to the same
 * address: beside 3.5 µs for one that is sent over loopback, 100 of them cost 0.6 µs, 500 4 µs, 1,000 6 µs and 4,000 100 µs (Linux 6.18).
 */
const EARS_MAX = 256;

/** What other reactors have given. */
export function takeStrays(core: DatagramContext): void {
	const { datagrams } = core;
	if (datagrams === null) return;
	const { strays, index } = datagrams.others;
	strays.take(index, (stray) => {
		flushReplies(core, datagrams);
		datagrams.lookAtStray(strays.bytes, stray);
		const session = byConnectionId(datagrams, WRITE_AT, WRITE_AT + stray.length);
		if (session === NONE || u16(core.table.listener, session) !== stray.listener) {
			drop(core, "unknown_connection");
			return;
		}
		if (hearFrom(core, datagrams, session, true))
			passMessage(core, datagrams, session, WRITE_AT, stray.length, stray.ecn);
		else drop(core, "limit");
	});
}

/**
 * The client of a session is who has sent what is at hand. `isElsewhere`: that came to another reactor. False: his address is shut out,
 * and moving there is no way around that.
 */
export function hearFrom(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	session: Session,
	isElsewhere: boolean,
): boolean {
	const { flows, key } = datagrams;
	if (!flows.isAt(session, key)) {
		datagrams.lookAt(0, 0, core.nowMs);
		const { peer } = datagrams.arrival;
		if (core.bans.forbid(peer.family, peer.bytes, 0, core.nowMs)) return false;
		if (!flows.mayMove(session, core.nowMs)) return true;
		flows.move(session, key, core.nowMs);
		noteAddress(core, session, peer);
		closeEar(core, datagrams, session);
	}
	if (isElsewhere && i32(flows.ears, session) === NONE) openEar(core, datagrams, session);
	return true;
}

/** For the log, the API and bans; limits by addresses go on counting the one that it began with. */
function noteAddress(core: DatagramContext, session: Session, peer: Peer): void {
	const { table } = core;
	table.family[session] = peer.family;
	table.sourcePort[session] = peer.port;
	for (let i = 0; i < 16; i++) table.source[session * 16 + i] = u8(peer.bytes, i);
	core.counters.add(CLIENTS_MOVED, 1);
}

function openEar(core: DatagramContext, { io, flows }: DatagramTraffic, session: Session): void {
	const { table, engine } = core;
	if (flows.earCount >= EARS_MAX / core.reactors) return;
	const { plan }: ReactorListener = core.listenerOf(session);
	const localAt = localAddressAt(core, session);
	const ear = io.openBeside(plan.fd, flows.names, session * SENDER_BYTES, flows.locals, localAt);
	if (ear < 0) return;
	if (
		ear >= core.descriptorCeiling ||
		engine.readiness.add(ear, EPOLLIN, session, i32(table.generation, session)) < 0
	) {
		core.kernel.close(ear);
		return;
	}
	core.owners.connectionOpened(ear, core.index, session, core.nowMs);
	flows.setEar(session, ear);
	// For the ledger, and for whoever gives back what a failed reactor had.
	table.fd[session] = ear as typeof NONE;
}

function closeEar(core: DatagramContext, { flows }: DatagramTraffic, session: Session): void {
	const ear = i32(flows.ears, session);
	if (ear === NONE) return;
	flows.setEar(session, NONE);
	core.table.fd[session] = NONE;
	core.kernel.close(ear);
}

const CLIENTS_MOVED = scalarIndex("clientsMoved");
