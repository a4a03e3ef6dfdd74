/** Datagrams by the simulated kernel: what recvmmsg and sendmmsg do, and what they may do. */
import {
	AF_INET,
	AF_INET6,
	EAGAIN,
	EINVAL,
	EIO,
	EMSGSIZE,
	ENOBUFS,
	EPERM,
} from "../../../src/kernel/constants.js";
import {
	CONNECTED_PLACES,
	DATAGRAM_PLACE_BYTES,
	DATAGRAMS_ADDED_MAX,
	DATAGRAMS_JOINED_MAX,
	type Datagrams,
	EMPTY_PLACE,
	JOINED_BYTES_MAX,
	LOCAL_BYTES,
	SENDER_BYTES,
	SENDER_PLACES,
} from "../../../src/kernel/datagrams.js";
import { familyAt } from "../../../src/kernel/sockaddr.js";
import { f64, i32, u8 } from "../../../src/parts/at.js";
import type { Random } from "../../../src/rig/random.js";
import type { Mutant } from "../faults.js";
import { operation, type Trace, violated } from "../trace.js";
import type { DatagramNetwork } from "./datagram-network.js";
import type { Packet, SimulatedDatagramSocket } from "./datagram-socket.js";
import { type Endpoint, endpoint, endpointAt, mapped, sockaddrOf } from "./endpoints.js";

const PLACES = SENDER_PLACES + CONNECTED_PLACES;

/** UDP_MAX_SEGMENTS: of a message that is sent. */
const SEGMENTS_MAX = 64;

/** The longest datagram, over IPv4 and over IPv6. */
const LONGEST_BYTES = 65_507;
const LONGEST_V6_BYTES = 65_527;

/** Behind a datagram lies what was there before, or anything else: whoever reads on finds this. */
const JUNK = 0xdb;
const JUNK_BYTES = 32;

interface Added {
	readonly pieces: readonly { readonly at: number; readonly length: number }[];
	/** Of all of them. */
	readonly length: number;
	readonly segment: number;
	readonly ecn: number;
	/** To whom, from which of our addresses: of a socket that is not connected. */
	readonly to: Endpoint | undefined;
	readonly family: number;
	readonly local: Uint8Array | undefined;
}

/** What a simulated kernel has for its datagrams. */
export interface DatagramHost {
	readonly random: Random;
	readonly trace: Trace;
	readonly network: DatagramNetwork;
	/** Opens one, or returns a negative errno. */
	openSocket(family: number, probesPath: boolean): number;
	socketAt(fd: number): SimulatedDatagramSocket | undefined;
	/** It is at fault in this way, this time. */
	spoils(mutant: Mutant): boolean;
	isHearing: boolean;
}

export class SimulatedDatagrams implements Datagrams {
	readonly memory = new Uint8Array((EMPTY_PLACE + 1) * DATAGRAM_PLACE_BYTES);
	readonly senders = new Uint8Array(SENDER_PLACES * SENDER_BYTES);
	readonly locals = new Uint8Array(PLACES * LOCAL_BYTES);
	readonly cuts = true;
	readonly #host: DatagramHost;
	readonly #lengths = new Int32Array(PLACES);
	readonly #segments = new Int32Array(PLACES);
	readonly #ecn = new Uint8Array(PLACES);
	readonly #dropped = new Float64Array(PLACES);
	readonly #cut = new Uint8Array(PLACES);
	#added: Added[] = [];

	constructor(host: DatagramHost) {
		this.#host = host;
	}

	get added(): number {
		return this.#added.length;
	}

	open(family: number, probesPath: boolean): number {
		if (family !== AF_INET && family !== AF_INET6) violated(`a datagram socket of family ${family}`);
		return this.#host.openSocket(family, probesPath);
	}

	// Receiving.

	receive(fd: number, first: number, most: number): number {
		const { trace } = this.#host;
		const socket = this.#socketOf(fd, "recvmmsg");
		const end = socket.isListener ? SENDER_PLACES : PLACES;
		if (first < 0 || most < 1 || first + most > end)
			violated(`${most} datagrams of descriptor ${fd} are received to place ${first}`);
		this.#host.isHearing = socket.isListener;
		this.#meanwhile();
		let count = 0;
		while (count < most && socket.error === 0 && this.#take(socket, first + count)) {
			if (!this.#host.spoils("lost_datagram")) count++;
			this.#meanwhile();
		}
		// do_recvmmsg: behind messages, an error waits for the next call.
		const result = count > 0 ? count : socket.error !== 0 ? -takeError(socket) : -EAGAIN;
		trace.note(RECEIVE, fd, most, result);
		return result;
	}

	#take(socket: SimulatedDatagramSocket, place: number): boolean {
		const { random, network } = this.#host;
		const message = socket.take();
		if (message === undefined) return false;
		const [first] = message.packets as [Packet]; // one at least
		const isCut = message.bytes > 1 && random.chance(network.faults.cut);
		this.#write(place, message.packets, isCut ? random.below(message.bytes) : message.bytes);
		this.#segments[place] = message.packets.length > 1 ? first.bytes.length : i32(this.#lengths, place);
		this.#cut[place] = isCut ? 1 : 0;
		this.#ecn[place] = first.ecn;
		this.#dropped[place] = message.dropsBefore === 0 ? -1 : message.dropsBefore >>> 0;
		if (place < SENDER_PLACES && !this.#host.spoils("crossed_senders"))
			this.senders.set(sockaddrOf(first.from, socket.family), place * SENDER_BYTES);
		const local = place * LOCAL_BYTES;
		this.locals.fill(0, local, local + LOCAL_BYTES);
		if (socket.bindsAny) {
			const isCrossed = this.#host.spoils("crossed_locals");
			this.locals.set(mapped((isCrossed ? (socket.locals[1] ?? first.to) : first.to).bytes), local);
			this.locals[local + 16] = 1;
		}
		if (socket.isListener) network.witness?.overrun(socket, message.dropsBefore);
		const length = i32(this.#lengths, place);
		const count = isCut ? Math.max(1, Math.ceil(length / first.bytes.length)) : message.packets.length;
		network.witness?.taken(socket, message.packets, isCut, count);
		return true;
	}

	#write(place: number, packets: readonly Packet[], length: number): void {
		const start = place * DATAGRAM_PLACE_BYTES;
		let at = start;
		for (const { bytes } of packets) {
			this.memory.set(bytes, at);
			at += bytes.length;
		}
		const end = start + length;
		this.memory.fill(JUNK, end, Math.min(Math.max(at, end + JUNK_BYTES), start + DATAGRAM_PLACE_BYTES));
		this.#lengths[place] = length;
	}

	lengthOf(place: number): number {
		return i32(this.#lengths, place);
	}

	segmentOf(place: number): number {
		return this.#host.spoils("blind_segments") ? this.lengthOf(place) : i32(this.#segments, place);
	}

	isCut(place: number): boolean {
		return !this.#host.spoils("blind_cut") && u8(this.#cut, place) !== 0;
	}

	ecnOf(place: number): number {
		return this.#host.spoils("lost_congestion") ? 0 : u8(this.#ecn, place);
	}

	droppedOf(place: number): number {
		return f64(this.#dropped, place);
	}

	// Sending.

	send(fd: number, at: number, length: number): number {
		this.#range(at, length);
		const socket = this.#socketOf(fd, "send");
		this.#meanwhile();
		const nobody = { to: undefined, family: socket.family, local: undefined };
		const error = this.#sendOne(socket, {
			...{ pieces: [{ at, length }], length, segment: length, ecn: 0 },
			...nobody,
		});
		const result = error === 0 ? length : -error;
		this.#host.trace.note(SEND, fd, length, result);
		return result;
	}

	add(at: number, length: number, segment: number, ecn: number): void {
		const nobody = { to: undefined, family: 0, local: undefined };
		this.#add({ pieces: [{ at, length }], length, segment, ecn, ...nobody });
	}

	addTo(
		at: number,
		length: number,
		segment: number,
		ecn: number,
		names: Uint8Array,
		nameAt: number,
		locals: Uint8Array,
		localAt: number,
	): void {
		const to = endpointAt(names, nameAt);
		const local = localAt < 0 ? undefined : locals.slice(localAt, localAt + LOCAL_BYTES);
		if (local !== undefined && local.length < LOCAL_BYTES) violated(`there is no address at ${localAt}`);
		const ends = { to, family: familyAt(names, nameAt), local };
		this.#add({ pieces: [{ at, length }], length, segment, ecn, ...ends });
	}

	#add(added: Added): void {
		for (const { at, length } of added.pieces) this.#range(at, length);
		if (this.#added.length === DATAGRAMS_ADDED_MAX)
			violated("more messages are added than there is room for");
		if (added.length > 0 && added.segment < 1) violated("datagrams of no bytes make up a message of some");
		if (added.ecn < 0 || added.ecn > 3) violated(`${added.ecn} are no two bits`);
		this.#added.push(added);
	}

	join(at: number, length: number, segment: number): void {
		this.#range(at, length);
		const index = this.#added.length - 1;
		const last = this.#added[index] ?? violated("a message is joined, and none was added");
		if (last.segment !== segment || last.length % segment !== 0)
			violated(`datagrams of ${segment} bytes go on behind ${last.length} of ${last.segment}`);
		const total = last.length + length;
		if (length === 0 || total > JOINED_BYTES_MAX || total > DATAGRAMS_JOINED_MAX * segment)
			violated(
				`a message of ${total} bytes, in datagrams of ${segment}, is too long, or goes on with nothing`,
			);
		this.#added[index] = { ...last, length: total, pieces: [...last.pieces, { at, length }] };
	}

	/** One reactor has all sockets of a port, so that no client comes to another's. */
	openBeside(): number {
		return violated("a socket was opened beside a listener's");
	}

	narrow(index: number, at: number, length: number): void {
		const added =
			this.#added[index] ?? violated(`message ${index} is narrowed, and ${this.#added.length} were added`);
		this.#added[index] = { ...added, pieces: [{ at, length }], length, segment: length };
	}

	flush(fd: number, first: number, most: number): number {
		const { trace } = this.#host;
		const socket = this.#socketOf(fd, "sendmmsg");
		if (first < 0 || most < 1 || first + most > this.#added.length)
			violated(`messages from ${first} on are sent, and ${this.#added.length} were added`);
		this.#meanwhile();
		let count = 0;
		let error = 0;
		while (count < most && error === 0) {
			error = this.#sendOne(socket, this.#added[first + count] as Added);
			if (error === 0) count++;
		}
		// __sys_sendmmsg: behind messages, an error is forgotten.
		const result = count > 0 ? count : -error;
		trace.note(SEND, fd, most, result);
		return result;
	}

	clear(): void {
		this.#added = [];
	}

	/** 0, or an errno: then nothing of it has gone. */
	#sendOne(socket: SimulatedDatagramSocket, added: Added): number {
		const packets = this.#packetsOf(socket, added);
		const error = this.#errorOf(socket, added, packets);
		const { network } = this.#host;
		for (const packet of packets) {
			if (error === 0) {
				const isDoubled = this.#host.spoils("doubled_datagram");
				for (let copies = isDoubled ? 2 : 1; copies > 0; copies--) network.witness?.sent(socket, packet);
				network.send(packet, socket.probesPath);
			} else network.witness?.refused(socket, packet, error);
		}
		return error;
	}

	#packetsOf(socket: SimulatedDatagramSocket, { pieces, length, segment, ecn, ...ends }: Added): Packet[] {
		const { from, to } = this.#endsOf(socket, ends);
		const packets: Packet[] = [];
		const each = segment < length ? segment : length;
		const whole = Buffer.concat(pieces.map(({ at, length }) => this.memory.subarray(at, at + length)));
		for (let done = 0; done < length || packets.length === 0; done += each) {
			const bytes = new Uint8Array(whole.subarray(done, Math.min(done + each, length)));
			if (bytes.length > 0 && this.#host.spoils("changed_datagram")) bytes[0] = u8(bytes, 0) ^ 1;
			packets.push({ bytes, from, to, ecn });
		}
		return packets;
	}

	#endsOf(
		socket: SimulatedDatagramSocket,
		{ to, family, local }: Pick<Added, "to" | "family" | "local">,
	): { from: Endpoint; to: Endpoint } {
		if (!socket.isListener) {
			if (to !== undefined) violated(`connected descriptor ${socket.fd} is told whom to send to`);
			if (socket.local === undefined || socket.peer === undefined)
				violated(`descriptor ${socket.fd} is sent on, and is not connected`);
			return { from: socket.local, to: socket.peer };
		}
		if (to === undefined) violated(`descriptor ${socket.fd} is not told whom to send to`);
		if (family !== socket.family)
			violated(`descriptor ${socket.fd} is to send to an address of family ${family}`);
		const [first] = socket.locals as [Endpoint]; // a listener has one
		if (local === undefined) return { from: first, to };
		if (!socket.bindsAny) violated(`descriptor ${socket.fd} is bound to one address, and told which`);
		const { key } = endpoint(local.subarray(0, 16), first.port);
		const own = socket.locals.find((each) => each.key === key);
		if (own === undefined) violated(`descriptor ${socket.fd} is to send from ${key}, which is not ours`);
		return { from: own, to };
	}

	#errorOf(socket: SimulatedDatagramSocket, { length, segment }: Added, packets: readonly Packet[]): number {
		const { random, network } = this.#host;
		const { noRoom, noMemory, forbidden, unsegmented } = network.faults;
		if (length > (socket.isV6 ? LONGEST_V6_BYTES : LONGEST_BYTES)) return EMSGSIZE;
		const [{ to }] = packets as readonly [Packet]; // one at least
		const most = network.deviceBytes(to);
		if (packets.length > 1) {
			// udp_send_skb: segments that are too many, or longer than the device takes; a device that cannot.
			if (packets.length > SEGMENTS_MAX || segment > most) return EINVAL;
			if (random.chance(unsegmented)) return EIO;
		} else if (socket.probesPath && length > most) return EMSGSIZE;
		// sock_alloc_send_pskb: what the network has said of an earlier one is told first, and this one has not gone.
		if (socket.error !== 0) return takeError(socket);
		if (random.chance(noRoom)) return EAGAIN;
		if (random.chance(noMemory)) return ENOBUFS;
		return random.chance(forbidden) ? EPERM : 0;
	}

	#range(at: number, length: number): void {
		if (at < 0 || length < 0 || at + length > this.memory.length)
			violated(`a datagram of ${length} bytes at ${at}, beyond the places`);
	}

	#socketOf(fd: number, call: string): SimulatedDatagramSocket {
		const socket = this.#host.socketAt(fd);
		if (socket === undefined) violated(`${call} on descriptor ${fd}, which is no open socket of UDP`);
		return socket;
	}

	/** More arrives while the reactor is inside a call. */
	#meanwhile(): void {
		const { random, network } = this.#host;
		if (random.chance(network.faults.meanwhile)) network.deliver(1);
	}
}

function takeError(socket: SimulatedDatagramSocket): number {
	const { error } = socket;
	socket.error = 0;
	return error;
}

const RECEIVE = operation("receive datagrams");
const SEND = operation("send datagrams");
