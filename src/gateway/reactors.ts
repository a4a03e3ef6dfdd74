/** The reactors' threads: started, told, listened to and ended together. */
import type { Worker } from "node:worker_threads";
import {
	closeDescriptor,
	openEpoll,
	openWake,
	resetDescriptor,
	stopListening,
	wake,
} from "../kernel/sockets.js";
import { cell, i32, u8 } from "../parts/at.js";
import { NONE } from "../parts/none.js";
import { SharedIds } from "../reactor/datagrams/shared-ids.js";
import { strayBytes } from "../reactor/datagrams/strays.js";
import { Loops } from "../reactor/links/loops.js";
import { pipeEndsBytes } from "../reactor/memory/pipes.js";
import type {
	Command,
	HeldNumbers,
	Notice,
	Policy,
	ReactorOptions,
	SharedByAll,
	TurnClock,
} from "../reactor/plan/plan.js";
import { Counters } from "../reactor/records/counters.js";
import { Journal } from "../reactor/records/journal.js";
import type { Owners } from "../reactor/records/owners.js";
import { LIVE_BYTES, LIVE_ENDING, LIVE_LISTENERS, LIVE_SESSIONS } from "../reactor/records/places.js";
import { Rates } from "../reactor/records/rates.js";
import { type SourceCount, Sources, sourcePlaces } from "../reactor/records/sources.js";
import { type ReactorRows, rowsOf } from "../reactor/rows.js";
import { FREE } from "../reactor/table/states.js";
import type { Board } from "../upstream/board.js";
import { StartError } from "./errors.js";
import type { ReactorBooks } from "./ledger.js";
import type { Logger } from "./log.js";
import { DESCRIPTORS_MIN, takeThread } from "./threads.js";

/** Reactors end within a turn; one that does not is a fault, and the process must not wait for it. */
const STOP_MS = 2_000;

/** One answers within a turn, and takes a plan within a second; only on a machine that stands still it is slower. */
const ANSWER_MS = 30_000;

interface Reactor {
	readonly worker: Worker;
	readonly wakeFd: number;
	readonly epollFd: number;
	/** Its listening sockets, as of the last plan. */
	listening: readonly number[];
	/** Of plans that it has not said to have applied, by their revisions. */
	readonly planned: Map<number, readonly Policy[]>;
	/** By the numbers that its sessions carry. */
	readonly policies: Policy[];
	/** It has been told something since it was woken last. */
	isToWake: boolean;
	/** Its thread has ended. */
	ended: boolean;
}

/** What each reactor may use. */
export interface ReactorShare {
	readonly sessions: number;
	readonly bufferedBytes: number;
	readonly pipes: number;
	readonly turnClock?: TurnClock;
}

/** What reactors say of agents and their lines, and of subscribers of the hub. */
const TOLD_OF_OTHERS: ReadonlySet<Notice["kind"]> = new Set([
	"control",
	"lineProof",
	"lines",
	"lineGiven",
	"canary",
	"ownLines",
	"hub",
]);

export class Reactors {
	readonly counters: Counters[] = [];
	readonly journals: Journal[] = [];
	/** What the ledger reads. */
	readonly books: ReactorBooks[] = [];
	/** What is known of their sessions, for reading. */
	readonly rows: ReactorRows[] = [];
	/** Settles when one has failed: its sessions are lost, and nothing can replace it. */
	readonly failed: Promise<Error>;

	readonly #reactors: Reactor[] = [];
	readonly #live = new Int32Array(new SharedArrayBuffer(LIVE_BYTES));
	#sources: Sources | undefined;
	readonly #waiters = new Set<(reactor: number, notice: Notice) => void>();
	readonly #logger: Logger;
	readonly #journalTold: () => void;
	readonly #heard: (reactor: number, notice: Notice) => void;
	#fail: (error: Error) => void = () => {};
	#stopping = false;

	/** `journalTold`: a journal wants to be read. `heard`: what reactors say of agents and their lines, and of subscribers. */
	constructor(logger: Logger, journalTold: () => void, heard: (reactor: number, notice: Notice) => void) {
		this.#heard = heard;
		this.#logger = logger;
		this.#journalTold = journalTold;
		this.failed = new Promise((resolve) => {
			this.#fail = resolve;
		});
	}

	/** Starts `count` threads. They do nothing until they get a plan. Where descriptors are few, each has loaded its files before the next one does. */
	async start(count: number, share: ReactorShare, board: Board, owners: Owners): Promise<void> {
		process.on("exit", this.#release);
		const places = sourcePlaces(share.sessions);
		this.#sources = new Sources(places);
		const shared: SharedByAll = {
			board: board.buffer,
			live: this.#live.buffer as SharedArrayBuffer,
			sources: { places, buffer: this.#sources.buffer },
			rates: new Rates().buffer,
			owners: { limit: owners.limit, buffer: owners.buffer },
			loops: new Loops(0).buffer,
			connectionIds: new SharedIds(count * share.sessions).buffer,
			strays: new SharedArrayBuffer(strayBytes(count)),
		};
		const wakeFds = Array.from({ length: count }, openWake);
		for (let index = 0; index < count; index++) {
			this.#startOne(index, wakeFds, share, shared);
			if (owners.limit < DESCRIPTORS_MIN) await this.#loaded(index);
		}
	}

	/** Also when it fails at that: whoever waits for its plan hears of it. */
	#loaded(index: number): Promise<unknown> {
		const loaded = new Promise<void>((resolve) => {
			const waiter = (reactor: number, { kind }: Notice): void => {
				if (reactor !== index || kind !== "loaded") return;
				this.#waiters.delete(waiter);
				resolve();
			};
			this.#waiters.add(waiter);
		});
		return Promise.race([loaded, this.failed]);
	}

	get count(): number {
		return this.#reactors.length;
	}

	/** Sessions that a listener has, by its number. */
	sessionsOf(listener: number): number {
		return Atomics.load(this.#live, LIVE_LISTENERS + listener);
	}

	/** Sessions alive now. */
	get sessions(): number {
		return Atomics.load(this.#live, LIVE_SESSIONS);
	}

	/** Client addresses that have sessions, and the most that one has. */
	get sources(): { addresses: number; most: number } {
		return this.#sources?.summary() ?? { addresses: 0, most: 0 };
	}

	/** Client addresses with the most sessions, the one with most first. */
	topSources(count: number): SourceCount[] {
		return this.#sources?.top(count) ?? [];
	}

	/** Bytes that wait in chunks and pipes. */
	get bufferedBytes(): number {
		return this.counters.reduce((sum, counters) => sum + counters.get("bufferedBytes"), 0);
	}

	/** What each reactor's sessions hold, the kernel's sockets as of the last `measure`. */
	heldBytes(): number[] {
		return this.counters.map((counters) => counters.get("bufferedBytes") + counters.get("socketBytes"));
	}

	/** Has all reactors add up what the kernel holds for their sockets. */
	async measure(): Promise<void> {
		const measured = this.all((notice) => notice.kind === "measured");
		this.tell({ kind: "measure" });
		await measured;
	}

	/** Settles when each of them has taken a turn; rejects when one is stuck, or has failed. */
	async live(): Promise<void> {
		const said = this.all((notice) => notice.kind === "lives");
		this.tell({ kind: "live" });
		await said;
	}

	/** What each of them still uses, of the numbers that plans give to names. */
	async held(): Promise<HeldNumbers[]> {
		const held: HeldNumbers[] = [];
		const said = this.all((notice) => {
			if (notice.kind !== "held") return false;
			held.push(notice.numbers);
			return true;
		});
		this.tell({ kind: "held" });
		await said;
		return held;
	}

	/** Sends one command to all, or to each what `command` makes for it. */
	tell(command: Command | ((index: number) => Command)): void {
		for (const [index, reactor] of this.#reactors.entries()) {
			if (!reactor.ended) send(reactor, typeof command === "function" ? command(index) : command);
		}
	}

	/** What a session is held to, by the number that it carries. */
	policyOf(index: number, number: number): Policy | undefined {
		return this.#reactors[index]?.policies[number];
	}

	/** Has sessions closed, as `operator` or for another `reason`; those of a reactor spread over its turns. */
	close(places: readonly { reactor: number; row: number; number: number }[], reason?: number): void {
		for (const index of this.#reactors.keys()) {
			const own = places.filter(({ reactor }) => reactor === index);
			if (own.length === 0) continue;
			const rows = Int32Array.from(own, ({ row }) => row);
			const numbers = Float64Array.from(own, ({ number }) => number);
			this.tellOne(index, {
				...{ kind: "close", rows, numbers },
				...(reason === undefined ? {} : { reason }),
			});
		}
	}

	/** The profile that one of them makes of its thread. */
	async profiled(index: number, what: "stopCpu" | "heap"): Promise<string> {
		return new Promise((resolve) => {
			const waiter = (reactor: number, notice: Notice): void => {
				if (reactor !== index || notice.kind !== "profiled") return;
				this.#waiters.delete(waiter);
				resolve(notice.text);
			};
			this.#waiters.add(waiter);
			this.tellOne(index, { kind: "profile", what });
		});
	}

	/** Has one of them look at what it shares with this thread. */
	wake(index: number): void {
		const reactor = this.#reactors[index];
		if (reactor !== undefined && !reactor.ended) wake(reactor.wakeFd);
	}

	/** Sends one command to one of them. */
	tellOne(index: number, command: Command): void {
		const reactor = this.#reactors[index];
		if (reactor !== undefined && !reactor.ended) send(reactor, command);
	}

	/**
	 * Resolves when every reactor has said so since this call; rejects when one fails, for it never will, or when one is silent
	 * for so long.
	 */
	async all(matches: (notice: Notice) => boolean, patienceMs = ANSWER_MS): Promise<void> {
		const missing = new Set(this.#reactors.keys());
		let forget = (): void => {};
		const said = new Promise<void>((resolve, reject) => {
			const waiter = (reactor: number, notice: Notice): void => {
				if (matches(notice)) missing.delete(reactor);
				if (missing.size === 0) resolve();
			};
			this.#waiters.add(waiter);
			const late = setTimeout(
				() =>
					reject(
						new StartError(`reactor ${[...missing].join()} has not answered for ${patienceMs / 1000} s`),
					),
				patienceMs,
			);
			forget = () => {
				this.#waiters.delete(waiter);
				clearTimeout(late);
			};
		});
		const failed = this.failed.then((error) => {
			throw new StartError(`a reactor failed: ${error.message}`, { cause: error });
		});
		await Promise.race([said, failed]).finally(() => forget());
	}

	/** Closes what sessions are left, and ends the threads. */
	async stop(): Promise<void> {
		this.#stopping = true;
		process.off("exit", this.#release);
		this.tell({ kind: "stop" });
		let timer: NodeJS.Timeout | undefined;
		const late = new Promise<void>((resolve) => {
			timer = setTimeout(() => {
				for (const { worker } of this.#reactors) void worker.terminate();
				resolve();
			}, STOP_MS);
		});
		await Promise.race([Promise.all(this.#reactors.map(ended)), late]);
		clearTimeout(timer);
		for (const reactor of this.#reactors) {
			reactor.ended = true;
			closeDescriptor(reactor.wakeFd);
			closeDescriptor(reactor.epollFd);
		}
	}

	#startOne(index: number, wakeFds: readonly number[], share: ReactorShare, shared: SharedByAll): void {
		const counters = new Counters();
		const journal = new Journal();
		const rows = rowsOf(share.sessions);
		const { table } = rows;
		const pipeEnds = new SharedArrayBuffer(pipeEndsBytes(share.pipes));
		// Before its thread, which may fail before it has: a zero is a descriptor.
		const ends = new Int32Array(pipeEnds).fill(NONE);
		const wakeFd = cell(wakeFds, index);
		const epollFd = openEpoll();
		const options: ReactorOptions = {
			...share,
			...shared,
			index,
			reactors: wakeFds.length,
			...{ wakeFd, wakeFds },
			epollFd,
			counters: counters.buffer,
			journal: journal.buffer,
			table: table.buffer,
			pipeEnds,
		};
		const worker = takeThread(options);
		const reactor: Reactor = {
			...{ worker, wakeFd, epollFd, listening: [], isToWake: false, ended: false },
			...{ planned: new Map(), policies: [] },
		};
		worker.on("message", (notice: Notice) => this.#take(index, notice));
		worker.on("error", (error) => this.#failedOne(index, error as Error));
		worker.on("exit", (code) => {
			reactor.ended = true;
			this.#giveBack(index, reactor);
			if (!this.#stopping) this.#failedOne(index, new Error(`its thread ended with code ${code}`));
		});
		this.counters.push(counters);
		this.books.push({ table, pipeEnds: ends, counters });
		this.rows.push(rows);
		this.journals.push(journal);
		this.#reactors.push(reactor);
	}

	#failedOne(index: number, error: Error): void {
		this.#logger.error({ reactor: index, error: error.stack ?? error.message }, "a reactor failed");
		this.#fail(error);
	}

	/**
	 * A thread that was told to end has nothing any more. One that failed left its descriptors open, and its sessions hanging
	 * in a program that goes on: what its books say is given back here. Sessions are reset, for they were cut.
	 */
	#giveBack(index: number, { listening }: Reactor): void {
		for (const fd of listening) stopListening(fd);
		const books = this.books[index];
		if (books === undefined) return;
		const { table, pipeEnds } = books;
		for (let slot = 0; slot < 2 * table.sessions; slot++) {
			const fd = i32(table.fd, slot);
			if (u8(table.state, slot) === FREE || fd < 0) continue;
			resetDescriptor(fd);
			table.state[slot] = FREE;
		}
		for (const [end, fd] of pipeEnds.entries()) {
			if (fd < 0) continue;
			closeDescriptor(fd);
			pipeEnds[end] = NONE;
		}
	}

	#take(index: number, notice: Notice): void {
		if (notice.kind === "journal") this.#journalTold();
		else if (notice.kind === "log") this.#logger[notice.level](notice.message);
		else if (notice.kind === "pressure") this.#shareRoom(index, notice.unrecognizedOnly);
		else if (notice.kind === "applied") this.#applied(index, notice.revision, notice.policies);
		else if (TOLD_OF_OTHERS.has(notice.kind)) this.#heard(index, notice);
		for (const waiter of this.#waiters) waiter(index, notice);
	}

	#applied(index: number, revision: number, numbers: readonly number[]): void {
		const reactor = this.#reactors[index];
		const policies = reactor?.planned.get(revision);
		if (reactor === undefined || policies === undefined) return;
		for (const earlier of reactor.planned.keys()) if (earlier <= revision) reactor.planned.delete(earlier);
		for (const [place, policy] of policies.entries()) {
			const number = numbers[place];
			if (number !== undefined) reactor.policies[number] = policy;
		}
	}

	/** One has nobody to close for a place that it needs: the others may have. */
	#shareRoom(asking: number, unrecognizedOnly: boolean): void {
		for (const [index, reactor] of this.#reactors.entries()) {
			if (index !== asking && !reactor.ended) send(reactor, { kind: "makeRoom", unrecognizedOnly });
		}
	}

	/** The process exits although they run. Node joins its threads, and would wait for these for ever. */
	readonly #release = (): void => {
		Atomics.store(this.#live, LIVE_ENDING, 1);
		for (const { wakeFd } of this.#reactors) wake(wakeFd);
	};
}

/** Not to one that has ended. */
function send(reactor: Reactor, command: Command): void {
	if (command.kind === "plan") {
		const { listeners, revision, policies } = command.plan;
		// At one that all share the others go on accepting.
		reactor.listening = listeners.filter(({ isShared }) => isShared !== true).map(({ fd }) => fd);
		reactor.planned.set(revision, policies);
	}
	// They are closed soon, and their numbers may be somebody else's then.
	if (command.kind === "drain" || command.kind === "stop") reactor.listening = [];
	reactor.worker.postMessage(command);
	wakeSoon(reactor);
}

/** Once for all that it is told in a turn of this thread's loop: a wake-up costs both of them more than a message. */
function wakeSoon(reactor: Reactor): void {
	if (reactor.isToWake) return;
	reactor.isToWake = true;
	setImmediate(() => {
		reactor.isToWake = false;
		// Its descriptor is closed with it, and the number may be somebody else's by now.
		if (!reactor.ended) wake(reactor.wakeFd);
	});
}

function ended(reactor: Reactor): Promise<void> {
	return new Promise((resolve) => {
		if (reactor.ended) resolve();
		else reactor.worker.once("exit", () => resolve());
	});
}
