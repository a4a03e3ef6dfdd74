/** Turns the reactors' journals into log lines: one per session, when it has ended, and per request that is logged. */
import { causeName, NO_CAUSE } from "../protocol/http/causes.js";
import { formatAddress, PROTOCOL_NAMES } from "../protocol/index.js";
import {
	HURRY_FILL,
	type Journal,
	REQUEST_ANSWERED_HERE,
	REQUEST_PATH_CUT,
	REQUEST_REUSED,
	type RequestRecord,
	type SessionRecord,
} from "../reactor/records/journal.js";
import { REASONS } from "../reactor/records/reasons.js";
import { readTlsFacts } from "../reactor/records/tls-facts.js";
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
		for (const journal of this.#journals) journal.drain(this.#write, this.#writeRequest);
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
				...tlsFields(record),
				reason: REASONS[record.reason],
			},
			"session",
		);
	};

	readonly #writeRequest = (record: RequestRecord): void => {
		const names = this.#names;
		const { flags, status } = record;
		const cut = (flags & REQUEST_PATH_CUT) === 0 ? "" : "…";
		this.#logger.info(
			{
				session: record.id,
				listener: names.listener(record.listener),
				route: record.route < 0 ? null : names.route(record.route),
				upstream: record.upstream < 0 ? null : names.upstream(record.upstream),
				address: record.address < 0 ? null : names.address(record.address),
				method: record.method === "" ? null : record.method,
				host: record.host === "" ? null : record.host,
				path: record.path === "" ? null : record.path + cut,
				status: status === 0 ? null : status,
				answered_by: status === 0 ? null : (flags & REQUEST_ANSWERED_HERE) !== 0 ? "sluice" : "upstream",
				reason: REASONS[record.reason] ?? null,
				cause: record.cause === NO_CAUSE ? null : causeName(record.cause),
				reused: (flags & REQUEST_REUSED) !== 0,
				bytes_from_client: record.bytesFromClient,
				bytes_to_client: record.bytesToClient,
				started: this.#time(record.startedMs),
				duration_ms: Math.round((record.endedMs - record.startedMs) * 1_000) / 1_000,
			},
			"request",
		);
	};

	#time(ms: number): string | null {
		return ms === 0 ? null : new Date(ms + this.#wallOffsetMs).toISOString();
	}
}

/** Only of sessions that have something to do with it: most lines have not. */
function tlsFields({ tls }: SessionRecord): Record<string, unknown> {
	const facts = readTlsFacts(tls);
	if (facts === null) return {};
	const { version, cipher, resumed, alpn, clientSubject, error } = facts;
	return {
		tls: version === null ? null : { version, cipher, resumed, alpn, client_subject: clientSubject },
		...(error === null ? {} : { tls_error: error }),
	};
}

function formatEndpoint(record: SessionRecord): string {
	const address = formatAddress(record.source, 0, record.family);
	return record.family === 6 ? `[${address}]:${record.sourcePort}` : `${address}:${record.sourcePort}`;
}
