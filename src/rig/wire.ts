/** How a client on an event loop speaks over an established connection: as it is, or within TLS. */
import { EAGAIN, ECONNRESET } from "../kernel/constants.js";
import type { LinuxKernel } from "../kernel/linux.js";
import type { ClientContext } from "../kernel/openssl/client.js";
import { newTicketKey } from "../kernel/openssl/tickets.js";
import { WANT_READ, WANT_WRITE } from "../kernel/openssl/tls.js";
import { Openssl } from "../kernel/openssl.js";

/** Results are those of the kernel: bytes, 0 for an end, or a negative errno. A place has one connection at a time. */
export interface Wire {
	/** 0 when it may be spoken. Call it again with each news while it is -EAGAIN. */
	shake(place: number, fd: number): number;
	send(place: number, fd: number, offset: number, length: number): number;
	receive(place: number, fd: number, offset: number, length: number): number;
	/** Takes bytes and forgets them, up to `length`. The arena up to `DISCARD_BYTES` may be written to. */
	discard(place: number, fd: number, length: number): number;
	/** Nothing more is said. */
	end(place: number, fd: number): void;
	/** The connection is about to be closed. */
	drop(place: number): void;
}

const DISCARD_BYTES = 16 * 1024;

export class PlainWire implements Wire {
	readonly #kernel: LinuxKernel;

	constructor(kernel: LinuxKernel) {
		this.#kernel = kernel;
	}

	shake(_place: number, _fd: number): number {
		return 0;
	}

	send(_place: number, fd: number, offset: number, length: number): number {
		return this.#kernel.send(fd, offset, length);
	}

	receive(_place: number, fd: number, offset: number, length: number): number {
		return this.#kernel.receive(fd, offset, length);
	}

	discard(_place: number, fd: number, length: number): number {
		return this.#kernel.discard(fd, length);
	}

	end(_place: number, fd: number): void {
		this.#kernel.shutdownWrite(fd);
	}

	drop(_place: number): void {}
}

/** Each connection shakes hands anew: resuming would spare the server what a handshake costs it. */
export class TlsWire implements Wire {
	readonly #kernel: LinuxKernel;
	readonly #openssl: Openssl;
	readonly #context: ClientContext;
	/** Handles by place; 0 for none. They are pointers, of 48 bits. */
	readonly #sessions: Float64Array;
	readonly #shaken: Uint8Array;

	constructor(kernel: LinuxKernel, places: number, serverName: string) {
		this.#kernel = kernel;
		this.#openssl = new Openssl(kernel.memory, [newTicketKey()]);
		this.#context = this.#openssl.clientContext({ serverName, verify: false, alpn: ["http/1.1"] });
		this.#sessions = new Float64Array(places);
		this.#shaken = new Uint8Array(places);
	}

	shake(place: number, fd: number): number {
		if (this.#sessions[place] === 0) {
			const session = this.#openssl.open(this.#context, fd);
			if (session < 0) return session;
			this.#sessions[place] = session;
		}
		const result = this.#openssl.handshake(this.#session(place));
		if (result === 0) this.#shaken[place] = 1;
		return this.#result(result);
	}

	send(place: number, _fd: number, offset: number, length: number): number {
		return this.#result(this.#openssl.write(this.#session(place), offset, length));
	}

	receive(place: number, _fd: number, offset: number, length: number): number {
		return this.#result(this.#openssl.read(this.#session(place), offset, length));
	}

	discard(place: number, fd: number, length: number): number {
		return this.receive(place, fd, 0, Math.min(length, DISCARD_BYTES));
	}

	end(place: number, fd: number): void {
		this.#openssl.shutdown(this.#session(place));
		this.#kernel.shutdownWrite(fd);
	}

	drop(place: number): void {
		if (this.#sessions[place] === 0) return;
		// Who leaves says so: an end without that may be somebody else's, and is taken for a reset.
		if (this.#shaken[place] === 1) this.#openssl.shutdown(this.#session(place));
		this.#openssl.free(this.#session(place));
		this.#sessions[place] = 0;
		this.#shaken[place] = 0;
	}

	#session(place: number): number {
		return this.#sessions[place] as number;
	}

	/** What is broken otherwise is, to those who attack or wait, a connection that was cut. */
	#result(result: number): number {
		if (result === WANT_READ || result === WANT_WRITE) return -EAGAIN;
		return result < -4095 ? -ECONNRESET : result;
	}
}

/** Some within TLS and some not, over one row of places. */
export class MixedWire implements Wire {
	readonly #plain: PlainWire;
	readonly #tls: TlsWire;
	readonly #secured: Uint8Array;

	constructor(kernel: LinuxKernel, places: number, serverName: string) {
		this.#plain = new PlainWire(kernel);
		this.#tls = new TlsWire(kernel, places, serverName);
		this.#secured = new Uint8Array(places);
	}

	/** How the next connection of that place speaks. */
	choose(place: number, tls: boolean): void {
		this.#secured[place] = tls ? 1 : 0;
	}

	shake(place: number, fd: number): number {
		return this.#secured[place] === 1 ? this.#tls.shake(place, fd) : 0;
	}

	send(place: number, fd: number, offset: number, length: number): number {
		return this.#of(place).send(place, fd, offset, length);
	}

	receive(place: number, fd: number, offset: number, length: number): number {
		return this.#of(place).receive(place, fd, offset, length);
	}

	discard(place: number, fd: number, length: number): number {
		return this.#of(place).discard(place, fd, length);
	}

	end(place: number, fd: number): void {
		this.#of(place).end(place, fd);
	}

	drop(place: number): void {
		// Also where the handshake was never begun.
		this.#tls.drop(place);
	}

	#of(place: number): Wire {
		return this.#secured[place] === 1 ? this.#tls : this.#plain;
	}
}
