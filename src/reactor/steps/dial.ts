/** Fifth step: connect to an address of the upstream; to another when that one refuses or is silent. */
import {
	AF_UNIX,
	EADDRNOTAVAIL,
	EAGAIN,
	EINPROGRESS,
	EMFILE,
	ENFILE,
	ENOBUFS,
	ENOMEM,
	EPOLLERR,
	EPOLLET,
	EPOLLHUP,
	EPOLLIN,
	EPOLLOUT,
	EPOLLPRI,
	EPOLLRDHUP,
	ETIMEDOUT,
} from "../../kernel/constants.js";
import { familyAt, portAt } from "../../kernel/sockaddr.js";
import { at } from "../../parts/at.js";
import { NONE } from "../../parts/none.js";
import type { AddressPlan } from "../../upstream/plan.js";
import { makeRoom } from "../admission/room.js";
import type { Core } from "../core.js";
import { close, closeLink } from "../end/close.js";
import { lendOwned } from "../links/owned.js";
import { lend, makeLinkRoom } from "../links/pool.js";
import { REPEATABLE, RETRIED } from "../modes/http1/columns.js";
import { beginExchange } from "../modes/http1/send-request.js";
import { beginRelay } from "../modes/relay/relay.js";
import { scalarIndex } from "../records/counters.js";
import {
	CONNECT_REFUSED,
	CONNECT_TIMEOUT,
	FD_PRESSURE,
	MEMORY_PRESSURE,
	UPSTREAM_DOWN,
} from "../records/reasons.js";
import {
	BLOCKED,
	CONNECTING,
	DIAL,
	ENDING,
	EXCHANGES,
	LASTING,
	READABLE,
	WATCHES_OUT,
} from "../table/table.js";
import { WANTED } from "../wire/secures.js";
import { setFirstOptions, setLastingOptions } from "../wire/socket-options.js";
import { exchangeProxyHeaders } from "./proxy-header.js";
import { refuse } from "./refuse.js";
import { secureUpstream } from "./secure.js";

/** Addresses dialled for a session at most: as many as `tried` has bits for. */
const ATTEMPTS_MAX = 32;

/** What it counts against what a turn may move: it takes the kernel about as long as copying so much. */
const DIAL_COST_BYTES = 48 * 1024;

/** A Unix socket whose backlog is full says so at once; TCP would let the client wait, so this does. */
const BACKLOG_RETRY_MS = 20;

/** Dials the next address of the session's upstream, or closes the session with `exhausted` when none is left. */
export function dial(core: Core, client: number, exhausted = UPSTREAM_DOWN): void {
	const { table, kernel, board, counters } = core;
	const balancer = core.upstreams.get(at(table.upstream, client));
	if (balancer === undefined) {
		refuse(core, client, UPSTREAM_DOWN);
		return;
	}
	const exchanges = (at(table.flags, client) & EXCHANGES) !== 0;
	let reason = exhausted;
	if (exchanges && at(core.exchanges.owned, client) !== NONE && !core.exchanges.has(client, RETRIED)) {
		const link = lendOwned(core, client, balancer);
		if (link !== NONE) {
			beginOn(core, client, link);
			return;
		}
	}
	while (at(table.attempts, client) < ATTEMPTS_MAX) {
		const tried = at(table.tried, client);
		const sourceBytes = at(table.family, client) === 4 ? 4 : 16;
		const index = balancer.choose(tried, table.source, client * 16, sourceBytes, core.nowMs);
		const address = balancer.plan.addresses[index];
		if (address === undefined) break;
		// Not again for each look at a backlog.
		if (at(table.attempts, client) > 0 && at(table.dialledMs, client) === 0) counters.add(DIAL_RETRIES, 1);
		table.attempts[client] = at(table.attempts, client) + 1;
		// An address beyond the bits shares one, so that it is not the first choice again.
		table.tried[client] = tried | (1 << (index % ATTEMPTS_MAX));

		if (exchanges) {
			const link = core.exchanges.has(client, RETRIED)
				? NONE
				: lend(core, address.board, core.exchanges.has(client, REPEATABLE));
			if (link !== NONE) {
				beginOn(core, client, link);
				return;
			}
		}
		const fd = openSocket(core, client, familyAt(address.sockaddr, 0));
		if (fd < 0) {
			refuse(core, client, pressureOf(-fd) ?? CONNECT_REFUSED);
			return;
		}
		if (familyAt(address.sockaddr, 0) !== AF_UNIX) setFirstOptions(kernel, fd, core.policyOf(client));
		core.turnBytes -= DIAL_COST_BYTES;
		const result = kernel.connect(fd, address.sockaddr);
		if (result === -EAGAIN) {
			kernel.close(fd);
			if (waitsForBacklog(core, client)) {
				table.attempts[client] = at(table.attempts, client) - 1;
				table.tried[client] = tried;
				return;
			}
			table.dialledMs[client] = 0;
			failed(core, client, address.board);
			reason = CONNECT_TIMEOUT;
			continue;
		}
		if (result < 0 && result !== -EINPROGRESS) {
			kernel.close(fd);
			// No local port left is no fault of the address.
			if (result !== -EADDRNOTAVAIL) failed(core, client, address.board);
			reason = CONNECT_REFUSED;
			continue;
		}
		board.enter(address.board);
		table.address[client] = address.board;
		open(core, client, fd, address);
		return;
	}
	refuse(core, client, reason);
}

/** The request goes out on a connection that was there. */
function beginOn(core: Core, client: number, link: number): void {
	const { table, exchanges, board } = core;
	const address = at(exchanges.address, link - table.sessions);
	board.enter(address);
	table.address[client] = address;
	core.tlsFailures.delete(client); // another address's
	beginExchange(core, client, link, false);
}

/** Tries again soon, for as long as a TCP connect would wait. False: that was long enough. */
function waitsForBacklog(core: Core, client: number): boolean {
	const { table, wheel } = core;
	if (at(table.dialledMs, client) === 0) table.dialledMs[client] = core.nowMs;
	if (core.nowMs - at(table.dialledMs, client) >= core.policyOf(client).connectMs) return false;
	table.state[client] = DIAL;
	wheel.arm(client, core.nowMs + BACKLOG_RETRY_MS);
	return true;
}

function open(core: Core, client: number, fd: number, { sockaddr, tls }: AddressPlan): void {
	const { table, kernel, counters, wheel } = core;
	let link = table.takeLink();
	// Idle pooled connections have rows, too.
	if (link === NONE && makeLinkRoom(core)) link = table.takeLink();
	if (link === NONE) throw new Error("no upstream row, although there is one for every client row");
	counters.add(UPSTREAM_OPENED, 1);
	core.owners.connectionOpened(fd, core.index, link, core.nowMs);
	table.fd[link] = fd;
	table.state[link] = CONNECTING;
	table.state[client] = DIAL;
	table.peer[link] = client;
	table.peer[client] = link;
	table.dialledMs[client] = core.nowMs;
	table.flags[link] = WATCHES_OUT;
	noteLoop(core, link, sockaddr);
	const address = at(table.address, client);
	core.secures.dialled(link, address, tls !== undefined, at(core.certificates.manners, address));
	wheel.arm(client, core.nowMs + core.policyOf(client).connectMs);
	if ((at(table.flags, client) & EXCHANGES) !== 0) {
		const place = link - table.sessions;
		core.exchanges.opened(place, at(table.upstream, client), at(table.address, client), core.nowMs);
	}
	// Writability is how a finished connect shows. Even one that finished within the call is reported by this.
	const interest = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;
	if (kernel.readiness.add(fd, interest, link, at(table.generation, link)) < 0) {
		giveUp(core, client, link);
		refuse(core, client, MEMORY_PRESSURE);
	}
}

/** News of an upstream connection that is being made. */
export function connecting(core: Core, link: number, events: number): void {
	const { table, kernel } = core;
	if ((events & (EPOLLERR | EPOLLHUP)) !== 0) {
		const error = kernel.takeError(at(table.fd, link));
		// A Unix peer that has answered and gone already hangs up without an error: that connect was good.
		if (error !== 0 || (events & EPOLLOUT) === 0) {
			redial(core, link, error === ETIMEDOUT ? CONNECT_TIMEOUT : CONNECT_REFUSED);
			return;
		}
	}
	if ((events & EPOLLOUT) !== 0) connected(core, link, events);
}

/** The connect deadline passed. */
export function dialTimedOut(core: Core, client: number): void {
	const link = at(core.table.peer, client);
	if (link === NONE) dial(core, client, CONNECT_REFUSED);
	else redial(core, link, CONNECT_TIMEOUT);
}

/** This address did not work out: another may. */
export function redial(core: Core, link: number, reason: number): void {
	const client = at(core.table.peer, link);
	const address = at(core.table.address, client);
	giveUp(core, client, link);
	failed(core, client, address);
	dial(core, client, reason);
}

/** Its address went with a reload: another of the same upstream may be there, or it is told that none is. */
export function dialElsewhere(core: Core, link: number): void {
	const client = at(core.table.peer, link);
	giveUp(core, client, link);
	dial(core, client);
}

/** The client no longer holds an upstream connection, nor an address. */
function giveUp(core: Core, client: number, link: number): void {
	const { table, board } = core;
	board.leave(at(table.address, client));
	table.address[client] = NONE;
	table.peer[client] = NONE;
	table.dialledMs[client] = 0;
	closeLink(core, link);
}

function failed(core: Core, client: number, address: number): void {
	const upstream = core.upstreams.get(at(core.table.upstream, client));
	if (upstream === undefined) return;
	const { ejectFailures, ejectForMs } = upstream.plan;
	if (core.board.failed(address, ejectFailures, ejectForMs, core.nowMs)) core.counters.add(EJECTIONS, 1);
}

function connected(core: Core, link: number, events: number): void {
	const { table, counters } = core;
	const client = at(table.peer, link);
	table.connectedMs[client] = core.nowMs;
	counters.connectTook(at(table.upstream, client), core.nowMs - at(table.dialledMs, client));
	if ((events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) !== 0)
		table.flags[link] = at(table.flags, link) | READABLE | ENDING;
	// In the open, whatever follows.
	if ((at(table.flags, client) & EXCHANGES) === 0 && !exchangeProxyHeaders(core, client, link)) return;
	if (at(core.secures.phase, link) === WANTED) beginTls(core, client, link);
	else ready(core, client, link, events);
}

function beginTls(core: Core, client: number, link: number): void {
	const { table, wheel, certificates } = core;
	const address = at(table.address, client);
	if ((at(table.flags, link) & BLOCKED) !== 0) {
		// A fresh socket that takes no PROXY header: the kernel is at its end.
		close(core, client, MEMORY_PRESSURE);
		return;
	}
	wheel.arm(client, core.nowMs + core.policyOf(client).connectMs);
	secureUpstream(core, link, () => certificates.clientContext(address));
}

/** The upstream's handshake is complete. */
export function connectedSecurely(core: Core, link: number): void {
	const client = at(core.table.peer, link);
	core.tlsFailures.delete(client); // another address's
	ready(core, client, link, 0);
}

/** The upstream can be spoken to. */
function ready(core: Core, client: number, link: number, events: number): void {
	const { table, board } = core;
	board.connected(at(table.address, client));
	if ((at(table.flags, client) & EXCHANGES) === 0) {
		beginRelay(core, client, link, events);
		return;
	}
	// It is to outlive this session.
	table.flags[link] = at(table.flags, link) | LASTING;
	setLastingOptions(core.kernel, at(table.fd, link), core.policyOf(client));
	beginExchange(core, client, link, true);
}

/** It may be one of our listeners that was dialled: who comes from there is then known by its ends. */
function noteLoop(core: Core, link: number, sockaddr: Uint8Array): void {
	const { table, kernel, loops, addressAt } = core;
	if (familyAt(sockaddr, 0) === AF_UNIX) return;
	if (!loops.mayLeadHere(portAt(sockaddr, 0))) return;
	if (kernel.localAddress(at(table.fd, link), addressAt) < 0) return;
	loops.opened(link - table.sessions, portAt(kernel.memory, addressAt), sockaddr);
}

/** A socket; when none is left, whoever has earned less than this client makes room for it. */
function openSocket(core: Core, client: number, family: number): number {
	const fd = core.kernel.socket(family);
	const pressure = fd < 0 ? pressureOf(-fd) : undefined;
	if (pressure === undefined || makeRoom(core, pressure, client) <= 0) return fd;
	return core.kernel.socket(family);
}

/** Which scarcity an errno tells of. */
function pressureOf(errno: number): number | undefined {
	if (errno === EMFILE || errno === ENFILE) return FD_PRESSURE;
	return errno === ENOBUFS || errno === ENOMEM ? MEMORY_PRESSURE : undefined;
}

const DIAL_RETRIES = scalarIndex("dialRetries");
const EJECTIONS = scalarIndex("ejections");
const UPSTREAM_OPENED = scalarIndex("upstreamOpened");
