/**
 * What this reactor's TLS sessions are opened with. Contexts are made when they are first needed, because a thousand
 * certificates would hold the start up for a second; the main thread has tried each of them before. A reload keeps
 * those that stay the same, and lets the others go: sessions that were opened with them keep what they need.
 */
import type { ClientOptions } from "../../kernel/openssl/options.js";
import type { TlsClientContext, TlsContext, TlsLibrary } from "../../kernel/openssl/tls.js";
import { i32 } from "../../parts/at.js";
import { CertificateNames } from "../../route/certificate-names.js";
import { type Pieces, worth } from "../../route/pieces.js";
import { PLACES } from "../../upstream/board.js";
import type { UpstreamPlan } from "../../upstream/plan.js";
import type { ListenerPlan, TlsEntryPlan } from "./plan.js";

/** A context takes up to a third of a millisecond to be freed, with its authorities. */
const FREE_PIECES = 4;
const ROWS_PER_PIECE = 4_096;

export interface Entry {
	readonly id: number;
	readonly plan: TlsEntryPlan;
	context: TlsContext | undefined;
	/** Names of protocols, as clients see them. */
	readonly protocols: readonly Uint8Array[];
}

/** What `CertificateNames.find` says of a name that nobody terminates. */
const NOT_TERMINATED = -1;

interface Client {
	readonly identity: string;
	readonly options: ClientOptions;
	context: TlsClientContext | undefined;
}

export class Certificates {
	readonly #open: () => TlsLibrary;
	#library: TlsLibrary | undefined;
	#ticketKeys: readonly Uint8Array[] = [];
	/** By id: those of the plan, and earlier ones that sessions still know by their number. */
	readonly #entries = new Map<number, Entry>();
	readonly #current = new Map<string, Entry>();
	/** By the address's place on the board. */
	readonly #clients = new Map<number, Client>();
	/** By the same place: another number for each way to speak to it; 0 is in the open. */
	readonly manners = new Int32Array(PLACES);
	#manners = 0;
	#ids = 0;
	/** Contexts of addresses that are spoken to otherwise by now. */
	#unused: TlsClientContext[] = [];

	/** `open` makes the library of this thread; it is asked once, when the first session is to be opened. */
	constructor(open: () => TlsLibrary) {
		this.#open = open;
	}

	get library(): TlsLibrary {
		if (this.#library === undefined) {
			this.#library = this.#open();
			if (this.#ticketKeys.length > 0) this.#library.useTicketKeys(this.#ticketKeys);
		}
		return this.#library;
	}

	useTicketKeys(keys: readonly Uint8Array[]): void {
		this.#ticketKeys = keys;
		if (keys.length > 0) this.#library?.useTicketKeys(keys);
	}

	/**
	 * A plan is in force, and has these listeners: frees what none of them names. `rows`: the entries that sessions carry;
	 * none gets one of those any more that no listener has.
	 */
	*forget(listeners: readonly ListenerPlan[], rows: Int32Array): Pieces {
		const wanted = new Set(listeners.flatMap(({ tls }) => tls.map(({ identity }) => identity)));
		for (const [identity, entry] of this.#current) {
			if (wanted.has(identity)) continue;
			this.#current.delete(identity);
			if (entry.context === undefined) continue;
			entry.context.free();
			entry.context = undefined;
			yield* worth(FREE_PIECES);
		}
		for (let context = this.#unused.pop(); context !== undefined; context = this.#unused.pop()) {
			context.free();
			yield* worth(FREE_PIECES);
		}
		if (this.#entries.size === this.#current.size) return;
		const known = new Set<number>();
		for (let row = 0; row < rows.length; row++) {
			if (row % ROWS_PER_PIECE === ROWS_PER_PIECE - 1) yield;
			if (rows[row] !== 0) known.add(i32(rows, row));
		}
		for (const [id, entry] of this.#entries)
			if (this.#current.get(entry.plan.identity) !== entry && !known.has(id)) this.#entries.delete(id);
	}

	/** Names of a listener, by the numbers of their entries. */
	namesOf({ tls, passes = [] }: ListenerPlan): Pieces<CertificateNames> {
		return CertificateNames.build([
			{ names: passes, value: NOT_TERMINATED },
			...tls.map((plan) => ({ names: plan.names, value: this.#entryFor(plan).id })),
		]);
	}

	#entryFor(plan: TlsEntryPlan): Entry {
		const known = this.#current.get(plan.identity);
		if (known !== undefined) return known;
		const protocols = plan.server.alpn.map((name) => new TextEncoder().encode(name));
		const entry = { id: ++this.#ids, plan, context: undefined, protocols };
		this.#entries.set(entry.id, entry);
		this.#current.set(plan.identity, entry);
		return entry;
	}

	entry(id: number): Entry {
		const entry = this.#entries.get(id);
		if (entry === undefined) throw new Error(`certificate ${id} has a connection, but never existed`);
		return entry;
	}

	/** @throws TlsConfigError when the files went bad since they were tried */
	contextOf(entry: Entry): TlsContext {
		entry.context ??= this.library.serverContext(entry.plan.server);
		return entry.context;
	}

	/** Addresses of upstreams that speak TLS. */
	followUpstreams(upstreams: Iterable<UpstreamPlan>): void {
		const gone = new Set(this.#clients.keys());
		for (const { addresses } of upstreams)
			for (const { board, tls } of addresses) {
				if (tls === undefined) continue;
				gone.delete(board);
				if (this.#clients.get(board)?.identity === tls.identity) continue;
				this.#setAside(board);
				this.#clients.set(board, { identity: tls.identity, options: tls.client, context: undefined });
				this.manners[board] = ++this.#manners;
			}
		for (const board of gone) {
			this.#setAside(board);
			this.#clients.delete(board);
			this.manners[board] = 0;
		}
	}

	#setAside(board: number): void {
		const context = this.#clients.get(board)?.context;
		if (context !== undefined) this.#unused.push(context);
	}

	/**
	 * What a session with an address is opened with; undefined when no upstream has that address any more.
	 *
	 * @throws TlsConfigError
	 */
	clientContext(board: number): TlsClientContext | undefined {
		const client = this.#clients.get(board);
		if (client !== undefined) client.context ??= this.library.clientContext(client.options);
		return client?.context;
	}

	/** A session with an address ends: the next one may continue it. */
	remember(board: number, session: number): void {
		this.#clients.get(board)?.context?.remember(session);
	}

	/** A handshake with an address failed: if it was to continue a session, none is continued for a while. */
	handshakeFailed(board: number, session: number): void {
		this.#clients.get(board)?.context?.handshakeFailed(session);
	}

	dispose(): void {
		for (const { context } of this.#current.values()) context?.free();
		for (const { context } of this.#clients.values()) context?.free();
		for (const context of this.#unused) context.free();
		this.#current.clear();
		this.#clients.clear();
		this.#unused = [];
		this.#library?.dispose();
		this.#library = undefined;
	}
}
