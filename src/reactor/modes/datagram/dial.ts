/** An address of the upstream for a session of datagrams: a connected socket of its own. Nobody answers a connect, so there is nothing to wait for. */
import { EADDRNOTAVAIL, EAGAIN, EMFILE, EPOLLIN } from "../../../kernel/constants.js";
import { familyAt } from "../../../kernel/sockaddr.js";
import { f64, i32, ref, u8, u32 } from "../../../parts/at.js";
import { PROTOCOL_QUIC } from "../../../protocol/protocols.js";
import type { Balancer } from "../../../upstream/balance.js";
import type { AddressPlan } from "../../../upstream/plan.js";
import { openPressed, pressureOf } from "../../admission/pressure.js";
import { makeRoom } from "../../admission/shed.js";
import { ATTEMPTS_MAX, blame, nextAddress, takeSeat } from "../../links/addresses.js";
import { DIAL_COST_BYTES, giveUpLink, takeRow } from "../../links/connect.js";
import { lend } from "../../links/pool.js";
import { keepLine, noteDialled, stopWaiting, tellTaken, waitForLine } from "../../links/take-line.js";
import {
	CONNECT_REFUSED,
	FD_PRESSURE,
	INTERNAL,
	MEMORY_PRESSURE,
	UPSTREAM_DOWN,
	UPSTREAM_RESET,
} from "../../records/reasons.js";
import { FLOW, KIND } from "../../table/fields.js";
import { BY_FRAMES, HEADER_DUE, LOOKED_AFTER } from "../../table/marks.js";
import { end, type Next, READ_FRAMES, STAY } from "../../table/next.js";
import { type Fd, type Link, NONE, type Session } from "../../table/numbers.js";
import { DATAGRAM, FRAMES, SERVICE } from "../../table/states.js";
import { offset, stamp } from "../../table/times.js";
import { boundFrames } from "../../wire/socket-options.js";
import { namedAddress } from "./by-server-id.js";
import type { DatagramContext } from "./context.js";
import { armDatagrams } from "./deadlines.js";
import { sendHeld } from "./to-line.js";

/** Gives the session the next address of its upstream; ends it with `exhausted` when none is left. */
export function dialDatagrams(core: DatagramContext, session: Session, exhausted: number): Next {
	const { table, board, kernel } = core;
	const wasWaiting = stopWaiting(core, session);
	// Its time is over: what is parked elsewhere at this moment will do, and it waits for nothing more.
	const hasWaited = wasWaiting && core.wheel.deadlineOf(session) === 0;
	const balancer = core.upstreams.get(ref(table.upstream, session));
	if (balancer === undefined) return end(UPSTREAM_DOWN);
	let reason = exhausted;
	while (u8(table.attempts, session) < ATTEMPTS_MAX) {
		const address = namedServer(core, session, balancer) ?? nextAddress(core, session, balancer);
		if (address === undefined) break;
		// Another reactor's session was faster.
		if (!takeSeat(core, address)) continue;
		if (address.tunnel !== undefined) {
			table.flags[session] = i32(table.flags, session) | BY_FRAMES;
			noteDialled(core, session);
			const line = lend(core, address.board, false);
			if (line !== NONE) return beginByLine(core, session, line, address);
			if (!hasWaited) {
				waitForLine(core, session, address, wasWaiting, false);
				return STAY;
			}
			board.leave(address.board);
			continue;
		}
		const fd = openSocket(core, session, address);
		if (fd < 0) {
			board.leave(address.board);
			const pressure = pressureOf(-fd);
			if (pressure !== undefined) return end(pressure);
			reason = CONNECT_REFUSED;
			continue;
		}
		core.budget.turnBytes -= DIAL_COST_BYTES;
		const result = kernel.connect(fd, address.sockaddr);
		if (result >= 0) return begin(core, session, fd as Fd, address);
		kernel.close(fd);
		board.leave(address.board);
		// No local port is left, for any address: a socket of datagrams has one of its own, wherever it is connected to.
		if (result === -EAGAIN) return end(FD_PRESSURE);
		if (result !== -EADDRNOTAVAIL) blame(core, session, address.board);
		reason = CONNECT_REFUSED;
	}
	return end(reason);
}

/** Nobody else can know what its client speaks of, so no other address is tried. */
function namedServer(core: DatagramContext, session: Session, { plan }: Balancer): AddressPlan | undefined {
	const address = namedAddress(core, plan.addresses);
	if (address !== undefined) core.table.attempts[session] = ATTEMPTS_MAX;
	return address;
}

function openSocket(core: DatagramContext, session: Session, { sockaddr }: AddressPlan): number {
	const { datagrams, table, kernel } = core;
	if (datagrams === null) return -1;
	const isQuic = u8(table.protocol, session) === PROTOCOL_QUIC;
	const family = familyAt(sockaddr, 0);
	const fd = openPressed(core, session, () => datagrams.io.open(family, isQuic));
	// The kernel gives the lowest number that is free, so this one says that only the reserve is left.
	if (fd < core.descriptorCeiling || makeRoom(core, FD_PRESSURE, session) > 0) return fd;
	kernel.close(fd);
	return -EMFILE;
}

/** An agent's line is the session's. What was held for it goes at once. */
function beginByLine(core: DatagramContext, session: Session, line: Link, address: AddressPlan): Next {
	const { table, datagrams, kernel } = core;
	if (datagrams === null) return end(INTERNAL);
	tellTaken(core, line, address, false);
	keepLine(core, session, line, address);
	core.board.connected(address.board);
	boundFrames(kernel, i32(table.fd, line) as Fd);
	table.state[line] = FRAMES;
	table.state[session] = DATAGRAM;
	table.flags[session] = i32(table.flags, session) | HEADER_DUE | LOOKED_AFTER;
	table.active[session] = stamp(core.nowMs);
	armDatagrams(core, session);
	return sendHeld(core, datagrams, session, line);
}

/** The client is a line, and this process an agent. */
function isOwnLine({ table }: DatagramContext, session: Session): boolean {
	return (i32(table.flags, session) & KIND) !== FLOW;
}

/** What the session of a line begins with, which another address may be tried for. */
function beginService(core: DatagramContext, session: Session): Next {
	const { table, datagrams, kernel } = core;
	if (datagrams === null) return end(INTERNAL);
	const { proxyProtocol = "off" } = core.upstreams.get(ref(table.upstream, session))?.plan ?? {};
	datagrams.flows.answers[session] = 0;
	table.flags[session] =
		i32(table.flags, session) | LOOKED_AFTER | (proxyProtocol === "off" ? 0 : HEADER_DUE);
	boundFrames(kernel, i32(table.fd, session) as Fd);
	return READ_FRAMES;
}

/** The socket is the session's. */
function begin(core: DatagramContext, session: Session, fd: Fd, { board }: AddressPlan): Next {
	const { table, engine } = core;
	const hasLine = isOwnLine(core, session);
	const link = takeRow(core, session, fd, board);
	table.state[link] = hasLine ? SERVICE : DATAGRAM;
	table.state[session] = hasLine ? FRAMES : DATAGRAM;
	table.connected[session] = offset(f64(table.acceptedMs, session), core.nowMs);
	table.active[session] = stamp(core.nowMs);
	// Not edges: a session has one answer to read mostly, and asking whether there is another would be one call more for each.
	if (engine.readiness.add(fd, EPOLLIN, link, i32(table.generation, link)) < 0) {
		giveUpLink(core, session, link);
		return end(MEMORY_PRESSURE);
	}
	armDatagrams(core, session);
	return hasLine ? beginService(core, session) : STAY;
}

/** Nobody listens at its address: another is tried, if this one has never answered. */
export function refused(core: DatagramContext, session: Session): Next {
	const { table, datagrams } = core;
	const address = ref(table.address, session);
	const link: Link = table.linkOf(session);
	if (datagrams === null || link === NONE) return end(INTERNAL);
	if (u32(datagrams.flows.answers, session) > 0) {
		blame(core, session, address);
		return end(UPSTREAM_RESET);
	}
	giveUpLink(core, session, link);
	blame(core, session, address);
	// The PROXY header has gone with what was refused: the client's next datagram begins anew, behind another.
	const { proxyProtocol = "off" } = core.upstreams.get(ref(table.upstream, session))?.plan ?? {};
	if (proxyProtocol !== "off" && !isOwnLine(core, session)) return end(CONNECT_REFUSED);
	// What it was sent has no answer from anybody.
	datagrams.flows.questions[session] = 0;
	return dialDatagrams(core, session, CONNECT_REFUSED);
}
