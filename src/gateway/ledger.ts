/**
 * The ledger, held against the kernel: every descriptor of this process has an owner, and every owner has its
 * descriptor. What rows, pipes and counters say is read from the reactors' shared memory; what is true stands
 * in /proc/self/fd.
 *
 * Reactors open and close while this thread looks, so what does not fit is looked at again a second later, and
 * counts only when it is still the same: the same descriptor, the same inode, the same owner of the row.
 */

import { fstatSync, readdirSync, readlinkSync, type Stats } from "node:fs";
import type { Server, Socket } from "node:net";
import type { ControlKind, Count, Discrepancy, Kind, LedgerReport } from "../admin/view.js";
import { countsOverruns } from "../kernel/datagram-sockets.js";
import { isStreamSocket, peerPort } from "../kernel/sockets.js";
import { f64, i32, u8, u16 } from "../parts/at.js";
import { NONE } from "../parts/none.js";
import { REASONS } from "../parts/reasons.js";
import { formatAddress } from "../protocol/index.js";
import type { Counters } from "../reactor/records/counters.js";
import type { Owner, Owners } from "../reactor/records/owners.js";
import { KIND, SOCKET } from "../reactor/table/fields.js";
import { SECURED } from "../reactor/table/marks.js";
import type { Slot } from "../reactor/table/numbers.js";
import { FREE } from "../reactor/table/states.js";
import type { Table } from "../reactor/table/table.js";
import type { Logger } from "./log.js";

/** Descriptors looked at before others have their turn on this thread: a millisecond or two. */
const SLICE = 512;

/** What reactors do between opening a socket and writing its row down takes microseconds, a preempted one milliseconds. */
const CONFIRM_MS = 1_000;

/** Where the resolver asks by TCP, when an answer is too large for a datagram. */
const DNS_PORT = 53;

/** What the main thread sees of one reactor. */
export interface ReactorBooks {
	readonly table: Table;
	/** Reading ends, then writing ends; NONE where there is no pipe. */
	readonly pipeEnds: Int32Array;
	readonly counters: Counters;
}

export interface LedgerOptions {
	readonly books: () => readonly ReactorBooks[];
	readonly owners: Owners;
	/** Slots of listeners, whose sums are compared. */
	readonly listenerSlots: () => Iterable<number>;
	readonly logger: Logger;
	/**
	 * All descriptors of the process are the gateway's. Within somebody else's program, only those that rows
	 * are known to have had can be called leaks.
	 */
	readonly ownsProcess: boolean;
	/** Between the two looks that must find the same. */
	readonly confirmMs?: number;
}

export class Ledger {
	readonly #options: LedgerOptions;
	/** Control plane: descriptors by number, and Node's own sockets, which know theirs. */
	readonly #control = new Map<number, ControlKind>();
	readonly #sockets = new Map<Socket | Server, ControlKind>();
	readonly #counts = new Map<ControlKind, { opened: number; closed: number }>();
	/** What was there when the reactors had started: Node's own, and theirs. By number, the inode. */
	readonly #baseline = new Map<number, number>();
	readonly #seen: Seen;
	/** Discrepancies of the last check, by what they are about. */
	#known = new Map<string, Discrepancy>();
	#running: Promise<LedgerReport> | undefined;
	#last: LedgerReport | undefined;
	#checks = 0;
	#timer: NodeJS.Timeout | undefined;
	#cancelWait: () => void = () => {};
	#closed = false;

	constructor(options: LedgerOptions) {
		this.#options = options;
		this.#seen = new Seen(options.owners.limit);
	}

	/** Notes a descriptor of the control plane. */
	adopt(kind: ControlKind, fd: number): void {
		this.#control.set(fd, kind);
		this.#count(kind).opened++;
	}

	/** It is closed. */
	release(fd: number): void {
		const kind = this.#control.get(fd);
		if (kind === undefined) return;
		this.#control.delete(fd);
		this.#count(kind).closed++;
	}

	/** Notes a socket or server of Node's until it closes. */
	follow(kind: ControlKind, socket: Socket | Server): void {
		this.#sockets.set(socket, kind);
		this.#count(kind).opened++;
		socket.once("close", () => {
			this.#sockets.delete(socket);
			this.#count(kind).closed++;
		});
	}

	/** Everything has started: what is there now belongs there. Checks every `intervalMs` from now on. */
	begin(intervalMs: number): void {
		for (const { fd, stats } of present()) this.#baseline.set(fd, stats.ino);
		this.every(intervalMs);
	}

	every(intervalMs: number): void {
		clearInterval(this.#timer);
		this.#timer = setInterval(() => void this.check(), intervalMs).unref();
	}

	close(): void {
		this.#closed = true;
		clearInterval(this.#timer);
		this.#cancelWait();
	}

	get last(): LedgerReport | undefined {
		return this.#last;
	}

	/** Checks that were made. */
	get checks(): number {
		return this.#checks;
	}

	/** Opened and closed, by kind. */
	kinds(): Record<Kind, Count> {
		const books = this.#options.books();
		const sum = (read: (counters: Counters) => number) =>
			books.reduce((total, { counters }) => total + read(counters), 0);
		const pipesOpened = sum((counters) => counters.get("pipesOpened"));
		return {
			downstream: {
				// A session of datagrams has a row, and its client no descriptor.
				opened: sum((counters) => counters.get("downstreamOpened") - counters.get("flowsOpened")),
				closed: sum((counters) => counters.get("downstreamClosed") - counters.get("flowsClosed")),
			},
			upstream: {
				opened: sum((counters) => counters.get("upstreamOpened")),
				closed: sum((counters) => counters.get("upstreamClosed")),
			},
			// Each is two descriptors.
			pipe: {
				opened: 2 * pipesOpened,
				closed: 2 * (pipesOpened - sum((counters) => counters.get("pipesOpen"))),
			},
			listener: { ...this.#count("listener") },
			admin: { ...this.#count("admin") },
			log: { ...this.#count("log") },
			check: { ...this.#count("check") },
			tunnel: { ...this.#count("tunnel") },
		};
	}

	/** Looks now. A call while one runs gets that one's result. */
	check(): Promise<LedgerReport> {
		this.#running ??= this.#check().finally(() => {
			this.#running = undefined;
		});
		return this.#running;
	}

	async #check(): Promise<LedgerReport> {
		const startedMs = performance.now();
		let found = await this.#look();
		if (found.size > 0) {
			await this.#wait();
			const again = await this.#look();
			found = new Map([...again].filter(([key]) => found.has(key)));
		}
		if (!this.#closed) this.#tell(found);
		this.#checks++;
		this.#last = {
			checkedAt: new Date().toISOString(),
			tookMs: Math.round(performance.now() - startedMs),
			descriptors: this.#descriptors,
			kinds: this.kinds(),
			discrepancies: [...found.values()],
		};
		return this.#last;
	}

	#wait(): Promise<void> {
		return new Promise((resolve) => {
			const timer = setTimeout(resolve, this.#options.confirmMs ?? CONFIRM_MS);
			this.#cancelWait = () => {
				clearTimeout(timer);
				resolve();
			};
		});
	}

	/** Says what is new, and what is over. */
	#tell(found: Map<string, Discrepancy>): void {
		const { logger } = this.#options;
		for (const [key, discrepancy] of found)
			if (!this.#known.has(key)) logger.error(discrepancy, "the ledger and the kernel disagree");
		for (const [key, discrepancy] of this.#known)
			if (!found.has(key)) logger.info(discrepancy, "the ledger and the kernel agree again");
		this.#known = found;
	}

	#descriptors = 0;

	async #look(): Promise<Map<string, Discrepancy>> {
		const found = new Map<string, Discrepancy>();
		const control = this.#controlDescriptors();
		let count = 0;
		let sinceTurn = 0;
		for (const { fd, stats } of present()) {
			count++;
			if (++sinceTurn % SLICE === 0) await turn();
			if (!control.has(fd)) this.#lookAt(fd, stats, found);
		}
		this.#descriptors = count;
		for (const [reactor, { table }] of this.#options.books().entries()) {
			for (let slot = 0; slot < 2 * table.sessions; slot++) {
				if (u8(table.state, slot) === FREE) continue;
				if (++sinceTurn % SLICE === 0) await turn();
				this.#lookAtRow(reactor, table, slot, found);
			}
		}
		this.#compareSums(found);
		return found;
	}

	#controlDescriptors(): Set<number> {
		const control = new Set(this.#control.keys());
		for (const socket of this.#sockets.keys()) control.add(descriptorOf(socket));
		return control;
	}

	/** A descriptor that is there: whose is it? */
	#lookAt(fd: number, stats: Stats, found: Map<string, Discrepancy>): void {
		const owner = this.#options.owners.of(fd);
		if (owner !== undefined && this.#owns(owner, fd)) {
			this.#compareInode(owner, fd, stats, found);
			return;
		}
		if (this.#baseline.get(fd) === stats.ino) return;
		if (!this.#options.ownsProcess && this.#seen.inodeOf(fd) !== stats.ino) return;
		// Files come and go with Node's own work, and so do sockets of UDP for DNS and health checks.
		if (!stats.isFIFO() && !(stats.isSocket() && (isStreamSocket(fd) || countsOverruns(fd)))) return;
		if (this.#seen.inodeOf(fd) !== stats.ino && isResolvers(fd)) return;
		const target = targetOf(fd);
		found.set(`unowned ${fd} ${stats.ino}`, this.#discrepancy("unowned", fd, owner, target));
	}

	/** The row or pipe that had it last has it still. */
	#owns(owner: Owner, fd: number): boolean {
		const books = this.#options.books()[owner.reactor];
		if (books === undefined) return false;
		if (owner.kind === "pipe") {
			const half = books.pipeEnds.length / 2;
			return books.pipeEnds[owner.slot] === fd || books.pipeEnds[half + owner.slot] === fd;
		}
		return u8(books.table.state, owner.slot) !== FREE && i32(books.table.fd, owner.slot) === fd;
	}

	#compareInode(owner: Owner, fd: number, stats: Stats, found: Map<string, Discrepancy>): void {
		// Pipes are the reactor's own from their making to their end; nobody else gets to see them.
		if (owner.kind === "pipe") return;
		const table = this.#options.books()[owner.reactor]?.table;
		if (table === undefined) return;
		const generation = i32(table.generation, owner.slot);
		if (this.#seen.knows(fd, owner.word, generation, stats.ino)) return;
		// The row may have got the number after its inode was read. What is read now is this owner's if it still has it.
		const inode = statsOf(fd)?.ino;
		if (inode === undefined || !this.#owns(owner, fd) || i32(table.generation, owner.slot) !== generation)
			return;
		const first = this.#seen.first(fd, owner.word, generation, inode);
		if (first === inode) return;
		const target = `${targetOf(fd)}, and was socket:[${first}]`;
		found.set(`replaced ${fd} ${inode}`, this.#discrepancy("replaced", fd, owner, target));
	}

	/** A row in use: is its descriptor there, and its own? */
	#lookAtRow(reactor: number, table: Table, slot: number, found: Map<string, Discrepancy>): void {
		const fd = i32(table.fd, slot);
		if (fd === NONE) return; // it is just being taken or released
		if ((i32(table.flags, slot) & KIND) !== SOCKET) return; // the descriptor is another row's
		const owner = this.#options.owners.of(fd);
		const own = owner?.kind === "connection" && owner.reactor === reactor && owner.slot === slot;
		const key = `${fd} ${reactor} ${slot} ${i32(table.generation, slot)}`;
		const row: Owner = {
			reactor,
			kind: "connection",
			slot,
			word: 0,
			sinceSeconds: own
				? owner.sinceSeconds
				: Math.floor(f64(table.acceptedMs, Math.max(0, table.sessionOf(slot as Slot))) / 1_000),
		};
		if (statsOf(fd) === undefined) found.set(`gone ${key}`, this.#discrepancy("gone", fd, row, ""));
		else if (!own && owner !== undefined)
			found.set(`replaced ${key}`, this.#discrepancy("replaced", fd, row, targetOf(fd)));
	}

	/**
	 * Reactors go on while rows are counted: what came or went meanwhile may be in a sum or not. The key is the same
	 * whatever the sums are by now, so that one that lies is found in the second look, too.
	 */
	#compareSums(found: Map<string, Discrepancy>): void {
		const differ = (kind: Kind, key: string, target: string): void => {
			const discrepancy = { descriptor: null, kind, target, lastOwner: "", since: null } as const;
			found.set(`count ${key}`, { problem: "count", ...discrepancy });
		};
		for (const [reactor, { table, counters }] of this.#options.books().entries()) {
			for (const side of ["downstream", "upstream"] as const) {
				const openedBefore = counters.get(`${side}Opened`);
				const closedBefore = counters.get(`${side}Closed`);
				const rows = rowsInUse(table, side === "downstream" ? 0 : table.sessions);
				const opened = counters.get(`${side}Opened`);
				const closed = counters.get(`${side}Closed`);
				if (rows < openedBefore - closed || rows > opened - closedBefore)
					differ(
						side,
						`${side} rows ${reactor}`,
						`reactor ${reactor}: opened - closed = ${opened - closed}, rows in use = ${rows}`,
					);
			}
			const tlsBefore = counters.get("tlsSessions");
			const secured = rowsThroughTls(table);
			const tlsAfter = counters.get("tlsSessions");
			if (secured !== tlsBefore && secured !== tlsAfter)
				differ(
					"downstream",
					`tls ${reactor}`,
					`reactor ${reactor}: ${tlsAfter} TLS sessions are open, ${secured} rows have one`,
				);
			const closedBefore = counters.get("downstreamClosed");
			let reasons = counters.get("closedForgotten");
			for (const listener of this.#options.listenerSlots())
				for (let reason = 0; reason < REASONS.length; reason++) reasons += counters.closed(listener, reason);
			const closed = counters.get("downstreamClosed");
			if (reasons < closedBefore || reasons > closed)
				differ(
					"downstream",
					`reasons ${reactor}`,
					`reactor ${reactor}: ${closed} sessions closed, ${reasons} reasons counted`,
				);
		}
	}

	#discrepancy(
		problem: Discrepancy["problem"],
		fd: number,
		owner: Owner | undefined,
		target: string,
	): Discrepancy {
		return {
			problem,
			descriptor: fd,
			kind: this.#kindOf(owner),
			target,
			lastOwner: owner === undefined ? "" : this.#describe(owner, fd),
			since: owner === undefined ? null : wallTime(owner.sinceSeconds),
		};
	}

	#kindOf(owner: Owner | undefined): Kind | "unknown" {
		if (owner === undefined) return "unknown";
		if (owner.kind === "pipe") return "pipe";
		const sessions = this.#options.books()[owner.reactor]?.table.sessions ?? 0;
		return owner.slot < sessions ? "downstream" : "upstream";
	}

	/** `row 12 of reactor 0, client 10.0.0.7:51234`, or what else is known. */
	#describe(owner: Owner, fd: number): string {
		const place = `${owner.kind === "pipe" ? "pipe" : "row"} ${owner.slot} of reactor ${owner.reactor}`;
		const table = this.#options.books()[owner.reactor]?.table;
		if (table === undefined || owner.kind === "pipe") return place;
		const client = owner.slot < table.sessions ? owner.slot : table.peerOf(owner.slot as Slot);
		// A released row keeps its columns until it is taken again; then its client is somebody else.
		const acceptedSeconds = client < 0 ? 0 : Math.floor(f64(table.acceptedMs, client) / 1_000);
		if (client < 0 || (owner.slot < table.sessions && acceptedSeconds !== owner.sinceSeconds)) return place;
		if (this.#owns(owner, fd) || owner.slot < table.sessions) {
			const address = formatAddress(table.source, client * 16, u8(table.family, client));
			return `${place}, client ${address} port ${u16(table.sourcePort, client)}`;
		}
		return place;
	}

	#count(kind: ControlKind): { opened: number; closed: number } {
		let count = this.#counts.get(kind);
		if (count === undefined) {
			count = { opened: 0, closed: 0 };
			this.#counts.set(kind, count);
		}
		return count;
	}
}

/** What was seen of rows' descriptors, by number. */
class Seen {
	readonly #inodes: Float64Array;
	readonly #owners: Int32Array;
	readonly #generations: Int32Array;

	constructor(limit: number) {
		this.#inodes = new Float64Array(limit);
		this.#owners = new Int32Array(limit);
		this.#generations = new Int32Array(limit);
	}

	/** This owner was seen with the descriptor before, and the inode was this one. */
	knows(fd: number, owner: number, generation: number, inode: number): boolean {
		return (
			this.#owners[fd] === owner + 1 && this.#generations[fd] === generation && this.#inodes[fd] === inode
		);
	}

	/** The inode that was there when this owner was seen with the descriptor first; `inode` if that is now. */
	first(fd: number, owner: number, generation: number, inode: number): number {
		if (this.#owners[fd] === owner + 1 && this.#generations[fd] === generation) return f64(this.#inodes, fd);
		this.#owners[fd] = owner + 1;
		this.#generations[fd] = generation;
		this.#inodes[fd] = inode;
		return inode;
	}

	/** The inode that the last owner seen had. */
	inodeOf(fd: number): number {
		return f64(this.#inodes, fd);
	}
}

/** Of one side: clients' rows begin at 0, upstreams' behind them. */
function rowsInUse(table: Table, first: number): number {
	let rows = 0;
	for (let slot = first; slot < first + table.sessions; slot++) if (u8(table.state, slot) !== FREE) rows++;
	return rows;
}

/** Of both sides: those whose bytes go through a session of the TLS library. */
function rowsThroughTls(table: Table): number {
	let rows = 0;
	for (let slot = 0; slot < 2 * table.sessions; slot++)
		if (u8(table.state, slot) !== FREE && (i32(table.flags, slot) & SECURED) !== 0) rows++;
	return rows;
}

/** The descriptors that are open, one by one; what closes in the meantime is passed over. */
function* present(): Generator<{ fd: number; stats: Stats }> {
	for (const name of readdirSync("/proc/self/fd")) {
		const fd = Number(name);
		const stats = statsOf(fd);
		if (stats !== undefined) yield { fd, stats };
	}
}

/** One that is being connected may be, too: it says to whom when that has ended, or that it has failed. */
function isResolvers(fd: number): boolean {
	const port = peerPort(fd);
	return port === DNS_PORT || port === undefined;
}

function statsOf(fd: number): Stats | undefined {
	try {
		return fstatSync(fd);
	} catch {
		return undefined;
	}
}

function targetOf(fd: number): string {
	try {
		return readlinkSync(`/proc/self/fd/${fd}`);
	} catch {
		return "";
	}
}

/** Node keeps the number to itself; it is what /proc shows. -1 for one that has none. */
function descriptorOf(socket: Socket | Server): number {
	return (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}

function wallTime(kernelSeconds: number): string {
	const nowSeconds = Number(process.hrtime.bigint() / 1_000_000_000n);
	return new Date(Date.now() - (nowSeconds - kernelSeconds) * 1_000).toISOString();
}

function turn(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}
