/** Turns the reactors' journals into log lines: one per session, when it has ended. */
import { formatAddress, PROTOCOL_NAMES } from "../protocol/index.js";
import { HURRY_FILL, type Journal, type SessionRecord } from "../reactor/journal.js";
import { REASONS } from "../reactor/reasons.js";
import type { Logger } from "./log.js";

/**
 * How long a line may wait before it is written. Journals hold several times what arrives in that time.
 * While no session ends, nothing runs: the first one after a quiet time says so.
 */
const INTERVAL_MS = 100;

/** What the numbers of a record mean. */
export interface Names {
	listener(slot: number): string;
	route(slot: number): string;
	upstream(slot: number): string;
	address(slot: number): string;
}

export class SessionLog {
	readonly #journals: readonly Journal[];
	readonly #names: Names;
	readonly #logger: Logger;
	/** Wall clock minus the kernel's clock, so that records carry real times. */
	#wallOffsetMs = 0;
	#timer: NodeJS.Timeout | undefined;
	#closed = false;
	#droppedSaid = 0;

	constructor(journals: readonly Journal[], names: Names, logger: Logger) {
		this.#journals = journals;
		this.#names = names;
		this.#logger = logger;
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
		this.#wallOffsetMs = Date.now() - Number(process.hrtime.bigint() / 1000n) / 1000;
		for (const journal of this.#journals) journal.drain(this.#write);
		const dropped = this.dropped;
		if (dropped === this.#droppedSaid) return;
		this.#logger.warn(
			{ lines: dropped - this.#droppedSaid },
			"session lines were dropped: the log is too slow",
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
		this.drain();
		this.#rest();
	};

	/** Sleeps when all journals are empty, and looks again soon when one is not. */
	#rest(): void {
		if (this.#closed) return;
		const quiet = this.#journals.map((journal) => journal.sleep()).every((empty) => empty);
		if (!quiet) this.#timer ??= setTimeout(this.#tick, INTERVAL_MS);
	}

	readonly #write = (record: SessionRecord): void => {
		const names = this.#names;
		this.#logger.info(
			{
				id: record.id,
				listener: names.listener(record.listener),
				route: record.route < 0 ? null : names.route(record.route),
				protocol: PROTOCOL_NAMES[record.protocol],
				name: record.name === "" ? null : record.name,
				source: formatEndpoint(record),
				upstream: record.upstream < 0 ? null : names.upstream(record.upstream),
				address: record.address < 0 ? null : names.address(record.address),
				accepted: this.#time(record.acceptedMs),
				recognized: this.#time(record.recognizedMs),
				connected: this.#time(record.connectedMs),
				closed: this.#time(record.closedMs),
				bytes_from_client: record.bytesFromClient,
				bytes_to_client: record.bytesToClient,
				reason: REASONS[record.reason],
			},
			"session",
		);
	};

	#time(ms: number): string | null {
		return ms === 0 ? null : new Date(ms + this.#wallOffsetMs).toISOString();
	}
}

function formatEndpoint(record: SessionRecord): string {
	const address = formatAddress(record.source, 0, record.family);
	return record.family === 6 ? `[${address}]:${record.sourcePort}` : `${address}:${record.sourcePort}`;
}
