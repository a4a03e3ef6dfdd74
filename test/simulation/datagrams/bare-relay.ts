/** The least that relays datagrams and does it right: a session for each address, one datagram after the other, and no end. */
import { AF_INET, EAGAIN, EPOLLIN } from "../../../src/kernel/constants.js";
import {
	DATAGRAM_PLACE_BYTES,
	type Datagrams,
	LOCAL_BYTES,
	SENDER_BYTES,
	SENDER_PLACES,
} from "../../../src/kernel/datagrams.js";
import { familyAt } from "../../../src/kernel/sockaddr.js";
import type { SimulatedKernel } from "../simulated-kernel.js";

/** Of a `sockaddr_in`: what lies behind it was another sender's. */
const V4_SENDER_BYTES = 16;

interface BareSession {
	readonly listener: number;
	readonly bindsAny: boolean;
	/** The client's `sockaddr`, and which of our addresses it came to. */
	readonly name: Uint8Array;
	readonly local: Uint8Array;
}

export interface BareListener {
	readonly fd: number;
	readonly bindsAny: boolean;
}

export class BareRelay {
	readonly #kernel: SimulatedKernel;
	readonly #datagrams: Datagrams;
	readonly #listeners: ReadonlyMap<number, BareListener>;
	readonly #upstream: Uint8Array;
	/** Upstream sockets by who sends from where to where, and what each is for. */
	readonly #sockets = new Map<string, number>();
	readonly #sessions = new Map<number, BareSession>();

	/** `upstream`: the `sockaddr` that all of them go to. */
	constructor(kernel: SimulatedKernel, listeners: readonly BareListener[], upstream: Uint8Array) {
		this.#kernel = kernel;
		this.#datagrams = kernel.openDatagrams();
		this.#listeners = new Map(listeners.map((listener) => [listener.fd, listener]));
		this.#upstream = upstream;
		for (const { fd } of listeners) kernel.readiness.add(fd, EPOLLIN, fd, 0);
	}

	/** All sockets are closed. */
	end(): void {
		for (const fd of this.#sessions.keys()) this.#kernel.close(fd);
		for (const fd of this.#listeners.keys()) this.#kernel.readiness.remove(fd);
	}

	turn(): void {
		const { readiness } = this.#kernel;
		const count = readiness.wait(0);
		for (let event = 0; event < count; event++) {
			readiness.flagsOf(event);
			const fd = readiness.slotOf(event);
			const listener = this.#listeners.get(fd);
			if (listener !== undefined) this.#hear(listener);
			else this.#answer(fd, this.#sessions.get(fd) as BareSession); // it is watched for its session
		}
	}

	#hear({ fd, bindsAny }: BareListener): void {
		const { senders, locals } = this.#datagrams;
		const count = this.#datagrams.receive(fd, 0, SENDER_PLACES);
		for (let place = 0; place < count; place++) {
			const nameBytes = familyAt(senders, place * SENDER_BYTES) === AF_INET ? V4_SENDER_BYTES : SENDER_BYTES;
			const name = senders.slice(place * SENDER_BYTES, place * SENDER_BYTES + nameBytes);
			const local = locals.slice(place * LOCAL_BYTES, (place + 1) * LOCAL_BYTES);
			const key = `${fd} ${name.join()} ${local.join()}`;
			const socket = this.#sockets.get(key) ?? this.#open(key, { listener: fd, bindsAny, name, local });
			if (socket < 0) continue;
			this.#each(place, (at, length, ecn) => this.#datagrams.add(at, length, length, ecn));
			this.#flush(socket);
		}
	}

	#open(key: string, session: BareSession): number {
		const fd = this.#datagrams.open(familyAt(this.#upstream, 0), false);
		if (fd < 0) return fd;
		if (this.#kernel.connect(fd, this.#upstream) < 0 || this.#kernel.readiness.add(fd, EPOLLIN, fd, 0) < 0) {
			this.#kernel.close(fd);
			return -1;
		}
		this.#sockets.set(key, fd);
		this.#sessions.set(fd, session);
		return fd;
	}

	#answer(fd: number, { listener, bindsAny, name, local }: BareSession): void {
		const count = this.#datagrams.receive(fd, SENDER_PLACES, 8);
		for (let place = SENDER_PLACES; place < SENDER_PLACES + count; place++) {
			this.#each(place, (at, length, ecn) =>
				this.#datagrams.addTo(at, length, length, ecn, name, 0, local, bindsAny ? 0 : -1),
			);
			this.#flush(listener);
		}
	}

	/** Each datagram of a message, unless some of it is missing. */
	#each(place: number, add: (at: number, length: number, ecn: number) => void): void {
		const datagrams = this.#datagrams;
		if (datagrams.isCut(place)) return;
		const at = place * DATAGRAM_PLACE_BYTES;
		const length = datagrams.lengthOf(place);
		const segment = datagrams.segmentOf(place);
		const ecn = datagrams.ecnOf(place);
		if (length === 0) add(at, 0, ecn);
		for (let done = 0; done < length; done += segment) add(at + done, Math.min(segment, length - done), ecn);
	}

	/** What is refused is dropped. */
	#flush(fd: number): void {
		const datagrams = this.#datagrams;
		for (let first = 0; first < datagrams.added; ) {
			const sent = datagrams.flush(fd, first, datagrams.added - first);
			first += sent > 0 ? sent : 1;
			if (sent === -EAGAIN) break;
		}
		datagrams.clear();
	}
}
