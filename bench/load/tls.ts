/**
 * TLS clients, by the OpenSSL that Node carries, on the generator's own loop: a fraction of what Node's streams
 * would cost, so that the two cores are left to the system under test.
 */

import { EPOLLIN, EPOLLOUT, errorName } from "../../src/kernel/constants.js";
import type { LinuxKernel } from "../../src/kernel/linux.js";
import type { ClientContext } from "../../src/kernel/openssl/client.js";
import { newTicketKey } from "../../src/kernel/openssl/tickets.js";
import { FAILED, TRUNCATED, WANT_READ } from "../../src/kernel/openssl/tls.js";
import { Openssl } from "../../src/kernel/openssl.js";
import { loopback } from "../../src/rig/connect.js";
import { Places } from "../../src/rig/places.js";
import { turnUntilOver } from "../../src/rig/turn.js";
import { REQUEST_BYTES, RESPONSE_BYTES, request, TLS_AGREED, TLS_NAME } from "./wire.js";

const REQUEST_AT = 0;
const SCRATCH_AT = 4096;
const SCRATCH_BYTES = 16 * 1024;
const TIMEOUT_MS = 120_000;
/** Handshakes at once while many connections are opened: each must be done within everybody's handshake deadline. */
const OPENING_MAX = 64;

const FREE = 0;
const CONNECTING = 1;
const SHAKING = 2;
const OPEN = 3;

export interface TlsSessionLoad {
	readonly port: number;
	readonly count: number;
	readonly concurrency: number;
	/** They continue an earlier session. */
	readonly resumes: boolean;
}

export class TlsClient {
	readonly #kernel: LinuxKernel;
	#openssl: Openssl | null = null;
	#context: ClientContext | null = null;
	#address: Uint8Array = new Uint8Array(0);
	#places: Places;
	// By place.
	/** Handles are pointers: 48 bits. */
	#sessions = new Float64Array(0);
	#states = new Uint8Array(0);
	#received = new Int32Array(0);

	constructor(kernel: LinuxKernel) {
		this.#kernel = kernel;
		this.#places = new Places(kernel, 0);
	}

	/** Opens connections, shakes hands, and holds them. Returns the wall time in ms. */
	open(port: number, count: number): number {
		this.#prepare(port, count);
		let started = 0;
		let done = 0;
		return this.#loop(
			`opening ${count} connections with TLS`,
			() => `${done} are open`,
			() => {
				while (started < count && started - done < OPENING_MAX) this.#connect(started++);
				return done === count;
			},
			(place) => {
				if (this.#states[place] === OPEN) this.#absorb(place);
				else if (this.#advance(place)) done++;
			},
		);
	}

	/** A closed loop over the held connections. */
	requests(count: number): number {
		let sent = 0;
		let done = 0;
		for (; sent < count && sent < this.#places.count; sent++) this.#ask(sent);
		return this.#loop(
			`${count} requests with TLS`,
			() => `${done} are answered`,
			() => done === count,
			(place) => {
				if (!this.#answered(place)) return;
				done++;
				if (sent++ < count) this.#ask(place);
			},
		);
	}

	/** A connection per request, ended by the backend. */
	sessions({ port, count, concurrency, resumes }: TlsSessionLoad): number {
		this.#prepare(port, concurrency);
		if (resumes) this.#session(true);
		let started = 0;
		let done = 0;
		const next = (place: number): void => {
			if (started++ < count) this.#connect(place);
		};
		for (let place = 0; place < Math.min(count, concurrency); place++) next(place);
		const took = this.#loop(
			`${count} sessions with TLS`,
			() => `${done} are done`,
			() => done === count,
			(place) => {
				if (this.#states[place] !== OPEN) {
					if (!this.#advance(place)) return;
					if (this.#library.resumed(this.#sessions[place] as number) !== resumes)
						throw new Error(resumes ? "a session was not resumed" : "a session was resumed");
					this.#ask(place);
				}
				if (!this.#ended(place)) return;
				this.#drop(place);
				done++;
				next(place);
			},
		);
		this.close();
		return took;
	}

	/** One session, whose ticket is kept for others. */
	#session(remembers: boolean): void {
		let over = false;
		this.#connect(0);
		this.#loop(
			"a session to be resumed",
			() => "it is not over",
			() => over,
			(place) => {
				if (this.#states[place] !== OPEN) {
					if (!this.#advance(place)) return;
					this.#ask(place);
				}
				if (!this.#ended(place)) return;
				if (remembers && this.#context?.remember(this.#sessions[place] as number) !== true)
					throw new Error("there was no ticket to resume a session with");
				this.#drop(place);
				over = true;
			},
		);
	}

	close(): number {
		const start = performance.now();
		for (let place = 0; place < this.#places.count; place++) {
			if (this.#states[place] === OPEN) this.#openssl?.shutdown(this.#sessions[place] as number);
			this.#drop(place);
		}
		this.#places = new Places(this.#kernel, 0);
		this.#context?.free();
		this.#context = null;
		return performance.now() - start;
	}

	#prepare(port: number, places: number): void {
		if (this.#places.count > 0) throw new Error("connections with TLS are held already; close them first");
		this.#openssl ??= new Openssl(this.#kernel.memory, [newTicketKey()]);
		this.#context = this.#openssl.clientContext({ serverName: TLS_NAME, verify: false, alpn: [] });
		this.#address = loopback(port);
		this.#places = new Places(this.#kernel, places);
		this.#sessions = new Float64Array(places);
		this.#states = new Uint8Array(places);
		this.#received = new Int32Array(places);
		this.#kernel.memory.set(request("/"), REQUEST_AT);
	}

	get #library(): Openssl {
		if (this.#openssl === null) throw new Error("nothing was opened");
		return this.#openssl;
	}

	#loop(what: string, progress: () => string, isOver: () => boolean, hear: (place: number) => void): number {
		return turnUntilOver(this.#kernel, this.#places, {
			...{ what, timeoutMs: TIMEOUT_MS },
			...{ isOver, progress, hear },
		});
	}

	#connect(place: number): void {
		this.#places.open(place, this.#address, EPOLLOUT);
		this.#states[place] = CONNECTING;
		this.#received[place] = 0;
	}

	/** Goes on with connecting and shaking hands; true when that is done. */
	#advance(place: number): boolean {
		const fd = this.#places.fd(place);
		if (this.#states[place] === CONNECTING) {
			const error = this.#kernel.takeError(fd);
			if (error !== 0) throw new Error(`connecting: ${errorName(error)}`);
			this.#places.watch(place, EPOLLIN);
			if (this.#context === null) throw new Error("no context");
			this.#sessions[place] = this.#library.open(this.#context, fd);
			this.#states[place] = SHAKING;
		}
		const session = this.#sessions[place] as number;
		const result = this.#library.handshake(session);
		if (result === WANT_READ) return false;
		if (result !== 0) throw new Error(`shaking hands: ${this.#describe(result)}`);
		const agreed = `${this.#library.version(session)} ${this.#library.cipher(session)}`;
		if (agreed !== TLS_AGREED) throw new Error(`${agreed} was agreed on, and not ${TLS_AGREED}`);
		this.#states[place] = OPEN;
		return true;
	}

	#ask(place: number): void {
		const count = this.#library.write(this.#sessions[place] as number, REQUEST_AT, REQUEST_BYTES);
		// An idle socket's buffer always has room for 100 bytes.
		if (count !== REQUEST_BYTES) throw new Error(`sending a request: ${this.#describe(count)}`);
	}

	/** Whether the response is complete. */
	#answered(place: number): boolean {
		const count = this.#read(place);
		if (count === WANT_READ) return false;
		if (count <= 0) throw new Error(`receiving a response: ${this.#describe(count)}`);
		const received = (this.#received[place] as number) + count;
		if (received > RESPONSE_BYTES) throw new Error(`a response of ${received} bytes`);
		this.#received[place] = received === RESPONSE_BYTES ? 0 : received;
		return received === RESPONSE_BYTES;
	}

	/** Whether the response and the end behind it have come. */
	#ended(place: number): boolean {
		for (;;) {
			const count = this.#read(place);
			if (count === WANT_READ) return false;
			if (count < 0) throw new Error(`receiving a response: ${this.#describe(count)}`);
			if (count > 0) {
				this.#received[place] = (this.#received[place] as number) + count;
				continue;
			}
			if (this.#received[place] !== RESPONSE_BYTES) throw new Error("a response was cut");
			return true;
		}
	}

	/** Tickets come when they come. */
	#absorb(place: number): void {
		const count = this.#read(place);
		if (count !== WANT_READ)
			throw new Error(`a connection ended or spoke, unasked: ${this.#describe(count)}`);
	}

	#read(place: number): number {
		return this.#library.read(this.#sessions[place] as number, SCRATCH_AT, SCRATCH_BYTES);
	}

	#drop(place: number): void {
		const state = this.#states[place];
		if (state === SHAKING || state === OPEN) this.#library.free(this.#sessions[place] as number);
		if (this.#places.isTaken(place)) this.#places.close(place);
		this.#states[place] = FREE;
	}

	#describe(result: number): string {
		if (result === FAILED) return this.#library.lastReason();
		if (result === TRUNCATED) return "it was cut, without close_notify";
		return result === 0 ? "it was ended" : result > -4096 ? errorName(-result) : String(result);
	}
}
