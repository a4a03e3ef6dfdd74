/** The socket at which a service manager is told how its service is: one datagram for each thing that is said (sd_notify(3)). */
import {
	AF_UNIX,
	EAGAIN,
	ENOBUFS,
	MSG_NOSIGNAL,
	SOCK_CLOEXEC,
	SOCK_DGRAM,
	SOCK_NONBLOCK,
} from "./constants.js";
import * as libc from "./libc.js";
import { encodeAbstract, encodeUnix } from "./sockaddr.js";
import { closeDescriptor, SystemError } from "./sockets.js";

export class NotifySocket {
	readonly #name: string;
	/** Open from the start on: a process that has used up its descriptors must still be able to say that it lives. */
	#fd: number;

	/**
	 * `name`: as `NOTIFY_SOCKET` has it, a path, or a name of the abstract kind behind an `@`.
	 *
	 * @throws SystemError where nobody listens there
	 */
	constructor(name: string) {
		this.#name = name;
		this.#fd = openConnected(name);
	}

	/**
	 * False: there is no room for it now, and it was not sent.
	 *
	 * @throws SystemError when it can never be sent
	 */
	send(text: string): boolean {
		const error = this.#send(text);
		if (error === 0) return true;
		if (error === EAGAIN || error === ENOBUFS) return false;
		// The manager may have made its socket anew.
		this.close();
		this.#fd = openConnected(this.#name);
		return this.#send(text) === 0;
	}

	close(): void {
		if (this.#fd >= 0) closeDescriptor(this.#fd);
		this.#fd = -1;
	}

	#send(text: string): number {
		const bytes = new TextEncoder().encode(text);
		return libc.send(this.#fd, libc.addressOf(bytes), bytes.length, MSG_NOSIGNAL) < 0 ? libc.errno() : 0;
	}
}

function openConnected(name: string): number {
	const address = name.startsWith("@") ? encodeAbstract(name.slice(1)) : encodeUnix(name);
	const fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) throw new SystemError("socket", libc.errno());
	if (libc.connect(fd, libc.addressOf(address), address.length) === 0) return fd;
	const error = new SystemError("connect", libc.errno());
	closeDescriptor(fd);
	throw error;
}
