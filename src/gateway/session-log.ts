/** Turns the reactors' journals into log lines: one per session, when it has ended, and per request that is logged. */

import { HURRY_FILL, type Journal, type TakeRecord } from "../reactor/records/journal.js";
import type { Logger } from "./log.js";
import { LogLines, type Names } from "./log-lines.js";
import type { LineSink } from "./log-writer.js";
import { kernelNowMs } from "./sessions/clock.js";

/**
 * How long a line may wait before it is written. Journals hold several times what arrives in that time.
 * While no session ends, nothing runs: the first one after a quiet time says so.
 */
const INTERVAL_MS = 100;

export class SessionLog {
	readonly #journals: readonly Journal[];
	readonly #logger: Logger;
	readonly #sink: LineSink | undefined;
	readonly #lines: LogLines | undefined;
	readonly #writesSessions: boolean;
	readonly #ended: TakeRecord;
	#timer: NodeJS.Timeout | undefined;
	#closed = false;
	#droppedSaid = 0;

	/**
	 * `sink`: where lines go; `undefined`: nowhere, for the log's level leaves them out. `ended`: takes the record of each session
	 * besides; `writesSessions`: they have lines.
	 */
	constructor(
		journals: readonly Journal[],
		names: Names,
		logger: Logger,
		sink: LineSink | undefined,
		writesSessions: boolean,
		ended: TakeRecord,
	) {
		this.#writesSessions = writesSessions;
		this.#ended = ended;
		this.#journals = journals;
		this.#logger = logger;
		this.#sink = sink;
		this.#lines = sink === undefined ? undefined : new LogLines(names, sink);
		this.#rest();
	}

	/** Lines lost because this thread was too slow for the reactors. */
	get dropped(): number {
		let total = 0;
		for (const journal of this.#journals) total += journal.dropped;
		return total;
	}

	/** A reactor says that its journal wants to be read. */
	told(): void {
		if (this.#closed) return;
		if (this.#journals.some((journal) => journal.fill >= HURRY_FILL)) this.drain();
		this.#timer ??= setTimeout(this.#tick, INTERVAL_MS);
	}

	/** Writes what the journals hold. */
	drain(): void {
		// Asked anew each time: the wall clock may be set, and the kernel's stands still in a suspended machine.
		this.#lines?.setClock(Date.now(), kernelNowMs());
		const { session = leaveOut, request = leaveOut } = this.#lines ?? {};
		const write = this.#writesSessions ? session : leaveOut;
		const take: TakeRecord = (journal, record) => {
			write(journal, record);
			this.#ended(journal, record);
		};
		for (const journal of this.#journals) journal.drain(take, request);
		this.#sink?.send();
		const dropped = this.dropped;
		if (dropped === this.#droppedSaid) return;
		this.#logger.warn(
			{ lines: dropped - this.#droppedSaid },
			"lines of sessions and requests were dropped: the log is too slow",
		);
		this.#droppedSaid = dropped;
	}

	close(): void {
		this.#closed = true;
		clearTimeout(this.#timer);
		this.drain();
	}

	readonly #tick = (): void => {
		this.#timer = undefined;
		const found = this.#journals.some((journal) => journal.fill > 0);
		this.drain();
		// While sessions end all the time, nobody needs to be told, which costs both threads a message.
		if (found) this.#timer ??= setTimeout(this.#tick, INTERVAL_MS);
		else this.#rest();
	};

	/** Sleeps when all journals are empty, and looks again soon when one is not. */
	#rest(): void {
		if (this.#closed) return;
		const quiet = this.#journals.map((journal) => journal.sleep()).every((empty) => empty);
		if (!quiet) this.#timer ??= setTimeout(this.#tick, INTERVAL_MS);
	}
}

function leaveOut(): void {}
