/** A socket of UDP in the simulated kernel, and what waits in it. */
import { AF_INET6, EPOLLERR, EPOLLIN, EPOLLOUT } from "../../../src/kernel/constants.js";
import { Watched } from "../descriptors.js";
import type { Endpoint } from "./endpoints.js";

/** A datagram on its way. */
export interface Packet {
	readonly bytes: Uint8Array;
	readonly from: Endpoint;
	readonly to: Endpoint;
	/** Two bits of congestion notification. */
	readonly ecn: number;
	/** Who has made it up; absent: the reactor sends it. */
	readonly author?: object;
}

/** Datagrams of one sender that the kernel has put together: all but the last are of one length. */
interface Message {
	readonly packets: Packet[];
	bytes: number;
	/** Datagrams that had been dropped for want of room when it came. */
	readonly dropsBefore: number;
	/** Its sum is wrong: it counts as news, and nobody ever receives it. */
	readonly isCorrupt: boolean;
}

/** UDP_GRO: of datagrams in a message, and of its bytes. */
const MERGED_MAX = 64;
const MESSAGE_MAX_BYTES = 65_507;

/** What the kernel's bookkeeping of a message takes of a buffer. */
const OVERHEAD_BYTES = 256;

export class SimulatedDatagramSocket extends Watched {
	readonly kind = "datagrams";
	readonly family: number;
	/** Anybody may send to it, and it was there before the reactor. Otherwise the reactor opened it. */
	readonly isListener: boolean;
	/** It is bound to all of these addresses, and each message says to which one it was sent. */
	readonly locals: readonly Endpoint[];
	readonly bindsAny: boolean;
	/** What is too long for the path is refused, and not cut into fragments. */
	readonly probesPath: boolean;
	/** Of a connected one. */
	local: Endpoint | undefined;
	peer: Endpoint | undefined;
	connectedMs = 0;
	/** SO_RCVBUF. */
	capacity = 1 << 20;
	/** SO_ERROR: what the network has said of something that was sent. */
	error = 0;
	/** For want of room, and because their sums were wrong. */
	drops = 0;
	queuedBytes = 0;
	/** Whom it serves; the checker's. */
	owner: unknown;
	readonly #queue: Message[] = [];

	constructor(family: number, probesPath: boolean, locals: readonly Endpoint[] = [], bindsAny = false) {
		super();
		this.family = family;
		this.probesPath = probesPath;
		this.isListener = locals.length > 0;
		this.locals = locals;
		this.bindsAny = bindsAny;
	}

	/** Messages that wait. */
	get waiting(): number {
		return this.#queue.length;
	}

	/** datagram_poll(). */
	mask(): number {
		return EPOLLOUT | (this.#queue.length > 0 ? EPOLLIN : 0) | (this.error !== 0 ? EPOLLERR : 0);
	}

	get isV6(): boolean {
		return this.family === AF_INET6;
	}

	/** A datagram arrives. `merges`: the kernel puts it behind the last one, where that can be. False: there is no room. */
	arrive(packet: Packet, merges: boolean, isCorrupt: boolean): boolean {
		const size = packet.bytes.length;
		// As in Linux: one that is there when the buffer is empty always has room.
		if (this.queuedBytes > 0 && this.queuedBytes + size + OVERHEAD_BYTES > this.capacity) {
			this.drops++;
			return false;
		}
		const last = this.#queue.at(-1);
		if (merges && !isCorrupt && last !== undefined && canFollow(last, packet)) {
			last.packets.push(packet);
			last.bytes += size;
			this.queuedBytes += size;
			return true;
		}
		this.#queue.push({ packets: [packet], bytes: size, dropsBefore: this.drops, isCorrupt });
		this.queuedBytes += size + OVERHEAD_BYTES;
		return true;
	}

	/** The next message that is whole, taken out. */
	take(): Message | undefined {
		for (;;) {
			const message = this.#queue.shift();
			if (message === undefined) return undefined;
			this.queuedBytes -= message.bytes + OVERHEAD_BYTES;
			if (!message.isCorrupt) return message;
			this.drops++;
		}
	}

	/** All that waits is thrown away. */
	clear(): void {
		this.#queue.length = 0;
		this.queuedBytes = 0;
	}

	/** Datagrams that wait and can be received. */
	*packets(): IterableIterator<Packet> {
		for (const { packets, isCorrupt } of this.#queue) if (!isCorrupt) yield* packets;
	}
}

function canFollow({ packets, bytes, isCorrupt }: Message, packet: Packet): boolean {
	const first = packets[0] as Packet; // there is one at least
	const last = packets.at(-1) as Packet;
	const segment = first.bytes.length;
	return (
		!isCorrupt &&
		segment > 0 &&
		packet.bytes.length > 0 &&
		packet.bytes.length <= segment &&
		last.bytes.length === segment &&
		packets.length < MERGED_MAX &&
		bytes + packet.bytes.length <= MESSAGE_MAX_BYTES &&
		first.from.key === packet.from.key &&
		first.to.key === packet.to.key &&
		first.ecn === packet.ecn
	);
}
