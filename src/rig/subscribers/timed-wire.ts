/**
 * Connections that know when what they receive has come: the kernel notes the time when a segment reaches its socket
 * (SO_TIMESTAMPNS). So whoever reads late sees no delivery later than it was, and need not be woken by each.
 */
import { EAGAIN, MSG_DONTWAIT, SO_TIMESTAMPNS, SOL_SOCKET } from "../../kernel/constants.js";
import * as libc from "../../kernel/libc.js";
import type { LinuxKernel } from "../../kernel/linux.js";
import { PlainWire } from "../wire.js";

const CLOCK_REALTIME = 0;

// struct mmsghdr, in words of 8 bytes: a struct msghdr and the length of the message.
const VECTOR = 2;
const VECTOR_COUNT = 3;
const CONTROL = 4;
const CONTROL_LENGTH = 5;
const HEADER_BYTES = 64;
/** In words of 4 bytes. */
const LENGTH = 14;

/** struct cmsghdr, in words of 4 bytes; behind it comes a struct timespec, here in words of 8. */
const LEVEL = 2;
const TYPE = 3;
const SECONDS = 2;
const CONTROL_BYTES = 64;

export class TimedWire extends PlainWire {
	readonly #kernel: LinuxKernel;
	readonly #memoryAt: number;
	readonly #vector = new BigUint64Array(new ArrayBuffer(16));
	readonly #header = new BigUint64Array(new ArrayBuffer(HEADER_BYTES));
	readonly #headerAt: number;
	readonly #lengths = new Uint32Array(this.#header.buffer);
	readonly #control = new BigInt64Array(new ArrayBuffer(CONTROL_BYTES));
	readonly #controlWords = new Uint32Array(this.#control.buffer);
	readonly #time = new BigInt64Array(new ArrayBuffer(16));
	readonly #timeAt: number;
	/** By place: what ended it, while what had come before that is received. */
	readonly #errors = new Map<number, number>();
	/** When the last of the bytes that were received last had come, in microseconds of CLOCK_REALTIME; NaN: it is not known. */
	arrivedUs = Number.NaN;

	constructor(kernel: LinuxKernel) {
		super(kernel);
		this.#kernel = kernel;
		this.#memoryAt = libc.addressOf(kernel.memory);
		this.#headerAt = libc.addressOf(this.#header);
		this.#timeAt = libc.addressOf(this.#time);
		this.#header[VECTOR] = BigInt(libc.addressOf(this.#vector));
		this.#header[VECTOR_COUNT] = 1n;
		this.#header[CONTROL] = BigInt(libc.addressOf(this.#control));
	}

	override shake(_place: number, fd: number): number {
		return this.#kernel.setOption(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	}

	override receive(place: number, fd: number, offset: number, length: number): number {
		const count = this.#receiveTimed(fd, offset, length);
		if (count > 0 || count === -EAGAIN) return count;
		const error = this.#errors.get(place);
		if (error !== undefined) return error;
		if (count === 0) return count;
		// This call tells of an error before it gives what had come before that, and only once.
		const before = this.#receiveTimed(fd, offset, length);
		if (before <= 0) return count;
		this.#errors.set(place, count);
		return before;
	}

	override drop(place: number): void {
		this.#errors.delete(place);
	}

	#receiveTimed(fd: number, offset: number, length: number): number {
		this.#vector[0] = BigInt(this.#memoryAt + offset);
		this.#vector[1] = BigInt(length);
		this.#header[CONTROL_LENGTH] = BigInt(CONTROL_BYTES);
		if (libc.recvmmsg(fd, this.#headerAt, 1, MSG_DONTWAIT, 0) < 0) return -libc.errno();
		this.arrivedUs = this.#isNoted() ? microseconds(this.#control, SECONDS) : Number.NaN;
		return this.#lengths[LENGTH] as number;
	}

	/** Now, by the clock of arrivals. */
	nowUs(): number {
		libc.clockGettime(CLOCK_REALTIME, this.#timeAt);
		return microseconds(this.#time, 0);
	}

	/** At the end of a stream there is nothing that could have a time. */
	#isNoted(): boolean {
		const words = this.#controlWords;
		return (
			this.#header[CONTROL_LENGTH] !== 0n && words[LEVEL] === SOL_SOCKET && words[TYPE] === SO_TIMESTAMPNS
		);
	}
}

function microseconds(words: BigInt64Array, at: number): number {
	return Number(words[at]) * 1e6 + Number(words[at + 1]) / 1e3;
}
