/**
 * What a server on an event loop holds: listening ports of 127.0.0.1 and the connections that they took, each with a
 * role, which says what is done with what comes. The descriptor is the slot of its news.
 */
import { EAGAIN, EPOLLIN } from "../kernel/constants.js";
import type { LinuxKernel } from "../kernel/linux.js";
import { openListener, raiseDescriptorLimit } from "../kernel/sockets.js";
import { i32, u8 } from "../parts/at.js";
import type { Row } from "./turn.js";

/** Of a descriptor that is nothing of the server's. Roles are from 1 up to, but without, LISTENER. */
export const NO_ROLE = 0;
/** A listener has the role of its connections plus this. */
const LISTENER = 128;

export interface ServedOptions {
	readonly backlog: number;
	/** Connections taken from one queue before others have their turn. */
	readonly acceptsPerTurn: number;
	/** What `take` receives into: the arena up to here. */
	readonly scratchBytes: number;
	/** EPOLL… bits. Default: EPOLLIN. */
	readonly interestOf?: (role: number) => number;
	/** A connection has come, and has its role. It may be dropped by this. */
	readonly accepted?: (fd: number, listener: number) => void;
	/** A connection is about to be closed. */
	readonly dropped?: (fd: number) => void;
}

export class Served implements Row {
	readonly #kernel: LinuxKernel;
	readonly #options: ServedOptions;
	/** How many descriptors there can be: for columns beside these. */
	readonly limit = raiseDescriptorLimit();
	/** Changed by this class alone. */
	readonly serials = new Int32Array(this.limit);
	readonly #roles = new Uint8Array(this.limit);

	constructor(kernel: LinuxKernel, options: ServedOptions) {
		this.#kernel = kernel;
		this.#options = options;
	}

	/** Default: on a free port. */
	listen(role: number, port = 0): { readonly fd: number; readonly port: number } {
		const address = Uint8Array.of(127, 0, 0, 1);
		const listener = openListener({ address, port, backlog: this.#options.backlog }, 1);
		const [fd] = listener.fds;
		if (fd === undefined) throw new Error("openListener gave no descriptor");
		this.#roles[fd] = role + LISTENER;
		this.watch(fd, EPOLLIN, true);
		return { fd, port: listener.port };
	}

	isListener(fd: number): boolean {
		return u8(this.#roles, fd) >= LISTENER;
	}

	/** NO_ROLE once it is dropped. */
	role(fd: number): number {
		return u8(this.#roles, fd);
	}

	/** From here on it is something else. */
	become(fd: number, role: number): void {
		this.#roles[fd] = role;
	}

	/** A connection that is not watched yet. */
	adopt(fd: number, role: number): void {
		this.#roles[fd] = role;
		this.watch(fd, this.#options.interestOf?.(role) ?? EPOLLIN, true);
	}

	/** Takes connections that wait; more that do are news of the next turn. */
	accept(listener: number): void {
		const { acceptsPerTurn, accepted } = this.#options;
		const role = u8(this.#roles, listener) - LISTENER;
		for (let i = 0; i < acceptsPerTurn; i++) {
			const fd = this.#kernel.accept(listener, 0);
			if (fd < 0) return;
			this.adopt(fd, role);
			accepted?.(fd, listener);
		}
	}

	/** Takes what waits: its length, 0 when nothing does. The connection is dropped at its end. */
	take(fd: number): number {
		const count = this.#kernel.receive(fd, 0, this.#options.scratchBytes);
		if (count > 0) return count;
		if (count !== -EAGAIN) this.drop(fd);
		return 0;
	}

	/** Watches for something else. */
	watch(fd: number, interest: number, isNew = false): void {
		const { readiness } = this.#kernel;
		if (isNew) readiness.add(fd, interest, fd, i32(this.serials, fd));
		else readiness.modify(fd, interest, fd, i32(this.serials, fd));
	}

	drop(fd: number): void {
		this.#options.dropped?.(fd);
		this.#roles[fd] = NO_ROLE;
		this.serials[fd] = i32(this.serials, fd) + 1;
		this.#kernel.close(fd);
	}
}
