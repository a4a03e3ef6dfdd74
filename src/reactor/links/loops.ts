/**
 * Connections of the gateway's own that come back to it. An upstream's port that is also one of our listeners' may
 * lead here: both ends of such a connection are written down for all reactors, and an accepted connection with the same ends
 * is our own. Other connections cost a look at one array.
 *
 * One word for each local port: the port that was dialled from there, and 16 bits of the address. A port alone may be
 * another program's as well, which connects to us while we connect elsewhere. Of two connections of ours from one
 * port, to two listeners, the later counts.
 */

import { copyAddress, portAt } from "../../kernel/sockaddr.js";
import { u8, u16, u32 } from "../../parts/at.js";
import type { Place } from "../table/numbers.js";

const PORTS = 65_536;

export class Loops {
	readonly buffer: SharedArrayBuffer;
	/** By local port: where it leads, or 0. */
	readonly #dialled: Uint32Array;
	/** By upstream row: its local port, or 0, and where it leads. */
	readonly #ports: Uint16Array;
	readonly #words: Uint32Array;
	/** 1 for ports of listeners. */
	readonly #listening = new Uint8Array(PORTS);
	readonly #address = new Uint8Array(16);

	/** `links`: upstream rows of this reactor. With a buffer: another reactor's view. */
	constructor(links: number, buffer = new SharedArrayBuffer(4 * PORTS)) {
		this.buffer = buffer;
		this.#dialled = new Uint32Array(buffer);
		this.#ports = new Uint16Array(links);
		this.#words = new Uint32Array(links);
	}

	/** The ports that listeners of this gateway have from now on. */
	listen(ports: Iterable<number>): void {
		this.#listening.fill(0);
		for (const port of ports) this.#listening[port] = 1;
	}

	/** What connects to that port may reach us. */
	mayLeadHere(port: number): boolean {
		return u8(this.#listening, port) !== 0;
	}

	/** An upstream connection that may lead here, by its row: its local port, and the `sockaddr` it was made with. */
	opened(place: Place, localPort: number, peer: Uint8Array): void {
		const word = this.#wordOf(peer, 0);
		this.#ports[place] = localPort;
		this.#words[place] = word;
		Atomics.store(this.#dialled, localPort, word);
	}

	closed(place: Place): void {
		const port = u16(this.#ports, place);
		if (port === 0) return;
		Atomics.compareExchange(this.#dialled, port, u32(this.#words, place), 0);
		this.#ports[place] = 0;
	}

	/** Who comes from that port to that port of ours may be ourselves. */
	maybeOurs(sourcePort: number, listenerPort: number): boolean {
		return (Atomics.load(this.#dialled, sourcePort) & 0xffff) === listenerPort;
	}

	/** It is, if it was accepted at this `sockaddr`, and `source`, of so many bytes, is an address of this machine. */
	isOurs(
		sourcePort: number,
		memory: Uint8Array,
		localAt: number,
		source: Uint8Array,
		start: number,
	): boolean {
		if (Atomics.load(this.#dialled, sourcePort) !== this.#wordOf(memory, localAt)) return false;
		const length = copyAddress(memory, localAt, this.#address, 0) === 4 ? 4 : 16;
		if (length === 4 && u8(source, start) === 127) return true;
		for (let i = 0; i < length; i++) if (this.#address[i] !== source[start + i]) return false;
		return true;
	}

	#wordOf(memory: Uint8Array, offset: number): number {
		const length = copyAddress(memory, offset, this.#address, 0) === 4 ? 4 : 16;
		let isWildcard = true;
		let fold = 0;
		for (let i = 0; i < length; i++) {
			const byte = u8(this.#address, i);
			if (byte !== 0) isWildcard = false;
			fold = (Math.imul(fold, 31) + byte) & 0xffff;
		}
		// Who connects to a wildcard is connected to 127.0.0.1 or ::1.
		if (isWildcard) fold = length === 4 ? WILDCARD_4 : 1;
		return ((fold << 16) | portAt(memory, offset)) >>> 0;
	}
}

/** 127.0.0.1, folded. */
const WILDCARD_4 = (127 * 31 ** 3 + 1) & 0xffff;
