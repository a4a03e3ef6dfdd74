/** Closed loop over sockets that stay open: each sends on when half of what it has under way has come back. */
import { AF_INET, EPOLLIN, IPPROTO_UDP, UDP_GRO } from "../../../src/kernel/constants.js";
import { DATAGRAM_PLACE_BYTES, type Datagrams, SENDER_PLACES } from "../../../src/kernel/datagrams.js";
import type { LinuxKernel } from "../../../src/kernel/linux.js";
import { i32 } from "../../../src/parts/at.js";
import { loopback } from "../../../src/rig/connect.js";
import { Deadline } from "../../../src/rig/deadline.js";
import { turn } from "../../../src/rig/turn.js";
import type { Manner } from "./commands.js";
import { datagramsIn, FLOW_BYTES, SCRATCH_AT, SCRATCH_BYTES } from "./wire.js";

const TIMEOUT_MS = 60_000;
/** What a flow has under way is given up when nothing has come to anybody for so long. */
const SILENCE_MS = 100;

export class Flows {
	readonly #kernel: LinuxKernel;
	readonly #datagrams: Datagrams;
	#fds: number[] = [];
	/** News of sockets that are closed are nobody's. */
	#serials = new Int32Array(0);
	/** What each has under way. */
	#out = new Int32Array(0);
	#manner: Manner = { window: 1, bytes: FLOW_BYTES, batches: false };
	/** Of the flows that are open, modulo 256. */
	#generation = 0;
	#left = 0;
	#done = 0;

	constructor(kernel: LinuxKernel, datagrams: Datagrams) {
		this.#kernel = kernel;
		this.#datagrams = datagrams;
	}

	open(port: number, count: number, joined: boolean): void {
		if (this.#fds.length > 0) throw new Error("sockets are held already; close them first");
		this.#serials = new Int32Array(count).fill(i32(this.#serials, 0) + 1);
		this.#out = new Int32Array(count);
		this.#generation = (this.#generation + 1) & 0xff;
		const address = loopback(port);
		for (let flow = 0; flow < count; flow++) {
			const fd = openSocket(this.#kernel, this.#datagrams, address);
			if (!joined) takeApart(this.#kernel, fd);
			this.#fds.push(fd);
			this.#kernel.readiness.add(fd, EPOLLIN, flow, i32(this.#serials, flow));
		}
	}

	close(): void {
		for (const fd of this.#fds) this.#kernel.close(fd);
		this.#fds = [];
	}

	/** Returns how many did not come back; they are sent once more. */
	exchange(manner: Manner, count: number): number {
		const { window, bytes } = manner;
		if (bytes < FLOW_BYTES || window * bytes > SCRATCH_BYTES)
			throw new RangeError(`${window} datagrams of ${bytes} bytes do not fit`);
		this.#manner = manner;
		this.#left = count;
		this.#done = 0;
		this.#out.fill(0);
		let lost = 0;
		const deadline = new Deadline(`${count} datagrams over ${this.#fds.length} flows`, TIMEOUT_MS);
		const hear = (flow: number): void => this.#hear(flow);
		for (let flow = 0; flow < this.#fds.length; flow++) this.#send(flow);
		while (this.#done < count) {
			if (turn(this.#kernel, SILENCE_MS, { serials: this.#serials }, hear) > 0) continue;
			deadline.check(`${this.#done} came back`);
			lost += this.#sendAgain();
		}
		return lost;
	}

	#hear(flow: number): void {
		const datagrams = this.#datagrams;
		const most = Math.min(this.#manner.window, SENDER_PLACES);
		const count = datagrams.receive(this.#fds[flow] as number, SENDER_PLACES, most);
		if (count < 0) return;
		let came = 0;
		for (let place = SENDER_PLACES; place < SENDER_PLACES + count; place++) {
			if (this.#isOfBefore(place)) continue;
			this.#check(place, flow);
			came += datagramsIn(datagrams.lengthOf(place), datagrams.segmentOf(place));
		}
		// Those that were given up may come nevertheless.
		const expected = Math.min(came, i32(this.#out, flow));
		this.#done += expected;
		const out = i32(this.#out, flow) - expected;
		this.#out[flow] = out;
		if (out <= this.#manner.window / 2) this.#send(flow);
	}

	#isOfBefore(place: number): boolean {
		return this.#datagrams.memory[place * DATAGRAM_PLACE_BYTES + 3] !== this.#generation;
	}

	#check(place: number, flow: number): void {
		const { memory } = this.#datagrams;
		const at = place * DATAGRAM_PLACE_BYTES;
		if (readFlow(memory, at) !== flow || this.#datagrams.segmentOf(place) !== this.#manner.bytes)
			throw new Error(
				`flow ${flow} was sent datagrams of ${this.#datagrams.segmentOf(place)} bytes from flow ${readFlow(memory, at)}`,
			);
	}

	/** Fills its window, as long as there is something to be sent. */
	#send(flow: number): void {
		const { window, bytes, batches } = this.#manner;
		const under = i32(this.#out, flow);
		const count = Math.min(window - under, this.#left);
		if (count <= 0) return;
		const datagrams = this.#datagrams;
		const fd = this.#fds[flow] as number;
		for (let i = 0; i < count; i++) this.#write(SCRATCH_AT + i * bytes, flow);
		this.#out[flow] = under + count;
		this.#left -= count;
		if (count === 1) {
			datagrams.send(fd, SCRATCH_AT, bytes);
			return;
		}
		if (batches) datagrams.add(SCRATCH_AT, count * bytes, bytes, 0);
		else for (let i = 0; i < count; i++) datagrams.add(SCRATCH_AT + i * bytes, bytes, bytes, 0);
		datagrams.flush(fd, 0, datagrams.added);
		datagrams.clear();
	}

	#write(at: number, flow: number): void {
		const { memory } = this.#datagrams;
		memory[at] = flow;
		memory[at + 1] = flow >> 8;
		memory[at + 2] = flow >> 16;
		memory[at + 3] = this.#generation;
	}

	/** What the kernel had no room for is lost, too. Returns how many are. */
	#sendAgain(): number {
		let lost = 0;
		for (let flow = 0; flow < this.#fds.length; flow++) {
			const out = i32(this.#out, flow);
			if (out === 0) continue;
			this.#out[flow] = 0;
			this.#left += out;
			lost += out;
			this.#send(flow);
		}
		return lost;
	}
}

export function openSocket(kernel: LinuxKernel, datagrams: Datagrams, address: Uint8Array): number {
	const fd = datagrams.open(AF_INET, false);
	if (fd < 0) throw new Error(`a UDP socket could not be opened: errno ${-fd}`);
	const result = kernel.connect(fd, address);
	if (result < 0) throw new Error(`a UDP socket could not be connected: errno ${-result}`);
	return fd;
}

/** Each datagram is received by itself, as by most programs: what came as one message, the kernel cuts. */
export function takeApart(kernel: LinuxKernel, fd: number): void {
	const result = kernel.setOption(fd, IPPROTO_UDP, UDP_GRO, 0);
	if (result < 0)
		throw new Error(`a UDP socket cannot be told to take datagrams one by one: errno ${-result}`);
}

function readFlow(memory: Uint8Array, at: number): number {
	const [low, middle, high] = [memory[at], memory[at + 1], memory[at + 2]] as [number, number, number];
	return low | (middle << 8) | (high << 16);
}
