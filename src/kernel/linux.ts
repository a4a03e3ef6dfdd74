/** The real kernel: system calls through libc, readiness through epoll. */
import { performance } from "node:perf_hooks";
import {
	EINTR,
	EPOLL_CTL_ADD,
	EPOLL_CTL_DEL,
	EPOLL_CTL_MOD,
	F_SETPIPE_SZ,
	IPPROTO_TCP,
	MSG_DONTWAIT,
	MSG_MORE,
	MSG_NOSIGNAL,
	MSG_PEEK,
	MSG_TRUNC,
	O_CLOEXEC,
	O_NONBLOCK,
	SHUT_WR,
	SIOCOUTQ,
	SO_ERROR,
	SO_LINGER,
	SO_MEMINFO,
	SOCK_CLOEXEC,
	SOCK_NONBLOCK,
	SOCK_STREAM,
	SOL_SOCKET,
	SPLICE_F_MOVE,
	SPLICE_F_NONBLOCK,
	TCP_INFO,
} from "./constants.js";
import type { Datagrams } from "./datagrams.js";
import type { Kernel, Readiness } from "./kernel.js";
import * as libc from "./libc.js";
import { LinuxDatagrams } from "./linux-datagrams.js";
import { wake as wakeDescriptor } from "./sockets.js";
import { LAST_DATA_SENT, WORDS_TO_LAST_DATA_SENT } from "./tcp-info.js";

/** Events taken per wait: enough that a busy reactor's turn is one call, few enough that timers are not kept waiting. */
const EVENTS_MAX = 512;

/** `struct sockaddr_un` is the largest address passed: 110 bytes. */
const SOCKADDR_MAX_BYTES = 112;

/**
 * Pipe capacity asked for. Bulk over loopback took 310 ms of CPU per GB with 1 MiB, 380 with 256 KiB and
 * 430 with the default 64 KiB. Where a user's pipe memory is used up the kernel refuses, and the default stays.
 */
const PIPE_BYTES = 1024 * 1024;

/** The kernel fills what it knows, and older ones know fewer words. */
const MEMINFO_WORDS = 9;
/** SK_MEMINFO_RMEM_ALLOC, _FWD_ALLOC, _WMEM_QUEUED, _OPTMEM and _BACKLOG; the others are limits, or counted in these. */
const MEMINFO_HELD = [0, 4, 5, 6, 7] as const;

const CLOCK_THREAD_CPUTIME_ID = 3;

const SEND_FLAGS = MSG_NOSIGNAL | MSG_DONTWAIT;

const SPLICE_FLAGS = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

export class LinuxKernel implements Kernel {
	readonly memory: Uint8Array;
	readonly readiness: EpollReadiness;
	pipeWriteEnd = -1;

	readonly #base: number;
	// Small arguments by reference live here: an address, its length, an int pair.
	readonly #address = new Uint8Array(new ArrayBuffer(SOCKADDR_MAX_BYTES));
	readonly #addressAt: number;
	readonly #words = new Int32Array(new ArrayBuffer(64));
	readonly #wordsAt: number;
	readonly #clockOffsetMs: number;
	/** struct timespec */
	readonly #time = new BigInt64Array(new ArrayBuffer(16));
	readonly #timeAt = libc.addressOf(this.#time);

	/** `epoll`: a descriptor that somebody else opened, and closes. */
	constructor(arenaBytes: number, epoll?: number) {
		this.memory = new Uint8Array(new ArrayBuffer(arenaBytes));
		this.#base = libc.addressOf(this.memory);
		this.#addressAt = libc.addressOf(this.#address);
		this.#wordsAt = libc.addressOf(this.#words);
		this.readiness = new EpollReadiness(epoll);
		// performance.now() starts at 0 in every worker; hrtime is CLOCK_MONOTONIC for all of them.
		this.#clockOffsetMs = Number(process.hrtime.bigint() / 1000n) / 1000 - performance.now();
	}

	now(): number {
		return performance.now() + this.#clockOffsetMs;
	}

	threadCpu(): number {
		libc.clockGettime(CLOCK_THREAD_CPUTIME_ID, this.#timeAt);
		const [seconds = 0n, nanoseconds = 0n] = this.#time;
		return Number(seconds) * 1_000 + Number(nanoseconds) / 1e6;
	}

	accept(listener: number, addressOffset: number): number {
		this.#words[0] = 28;
		const fd = libc.accept4(
			listener,
			this.#base + addressOffset,
			this.#wordsAt,
			SOCK_NONBLOCK | SOCK_CLOEXEC,
		);
		return fd < 0 ? -libc.errno() : fd;
	}

	readyForMs(fd: number): number {
		// The kernel makes the connection's socket when its handshake has ended, and notes that as the time of its last data sent
		// (tcp_create_openreq_child). What the client sends changes another member.
		this.#words[15] = 4 * WORDS_TO_LAST_DATA_SENT;
		if (libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, this.#wordsAt, this.#wordsAt + 60) < 0)
			return -libc.errno();
		return this.#words[LAST_DATA_SENT] as number;
	}

	socket(family: number): number {
		const fd = libc.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		return fd < 0 ? -libc.errno() : fd;
	}

	connect(fd: number, address: Uint8Array): number {
		this.#address.set(address);
		return libc.connect(fd, this.#addressAt, address.length) < 0 ? -libc.errno() : 0;
	}

	localAddress(fd: number, addressOffset: number): number {
		this.#words[0] = 28;
		if (libc.getsockname(fd, this.#base + addressOffset, this.#wordsAt) < 0) return -libc.errno();
		return this.#words[0] as number;
	}

	setOption(fd: number, level: number, option: number, value: number): number {
		this.#words[0] = value;
		return libc.setsockopt(fd, level, option, this.#wordsAt, 4) < 0 ? -libc.errno() : 0;
	}

	takeError(fd: number): number {
		this.#words[0] = 0;
		this.#words[1] = 4;
		if (libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, this.#wordsAt, this.#wordsAt + 4) < 0) return libc.errno();
		return this.#words[0] as number;
	}

	peek(fd: number, offset: number, length: number): number {
		const count = libc.recv(fd, this.#base + offset, length, MSG_PEEK | MSG_DONTWAIT);
		return count < 0 ? -libc.errno() : count;
	}

	receive(fd: number, offset: number, length: number): number {
		const count = libc.recv(fd, this.#base + offset, length, MSG_DONTWAIT);
		return count < 0 ? -libc.errno() : count;
	}

	discard(fd: number, length: number): number {
		// TCP with MSG_TRUNC drops bytes without copying them (tcp(7)); the address is not touched.
		const count = libc.recv(fd, this.#base, length, MSG_TRUNC | MSG_DONTWAIT);
		return count < 0 ? -libc.errno() : count;
	}

	send(fd: number, offset: number, length: number, more = false): number {
		const flags = more ? SEND_FLAGS | MSG_MORE : SEND_FLAGS;
		const count = libc.send(fd, this.#base + offset, length, flags);
		return count < 0 ? -libc.errno() : count;
	}

	undelivered(fd: number): number {
		return libc.ioctl(fd, SIOCOUTQ, this.#wordsAt) < 0 ? -libc.errno() : (this.#words[0] as number);
	}

	socketMemory(fd: number): number {
		// include/uapi/linux/sock_diag.h: nine words, of which these are memory in use.
		this.#words[15] = 4 * MEMINFO_WORDS;
		if (libc.getsockopt(fd, SOL_SOCKET, SO_MEMINFO, this.#wordsAt, this.#wordsAt + 60) < 0)
			return -libc.errno();
		let bytes = 0;
		for (const word of MEMINFO_HELD) bytes += this.#words[word] as number;
		return bytes;
	}

	shutdownWrite(fd: number): number {
		return libc.shutdown(fd, SHUT_WR) < 0 ? -libc.errno() : 0;
	}

	close(fd: number): number {
		// Never retried on EINTR: Linux has released the descriptor, and another thread may own the number by then.
		return libc.close(fd) < 0 ? -libc.errno() : 0;
	}

	reset(fd: number): number {
		this.#words[0] = 1;
		this.#words[1] = 0;
		libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, this.#wordsAt, 8);
		return this.close(fd);
	}

	openDatagrams(): Datagrams {
		return new LinuxDatagrams();
	}

	openPipe(): number {
		if (libc.pipe2(this.#wordsAt, O_NONBLOCK | O_CLOEXEC) < 0) return -libc.errno();
		const readEnd = this.#words[0] as number;
		this.pipeWriteEnd = this.#words[1] as number;
		libc.fcntl(this.pipeWriteEnd, F_SETPIPE_SZ, PIPE_BYTES);
		return readEnd;
	}

	splice(from: number, to: number, length: number): number {
		const count = libc.splice(from, 0, to, 0, length, SPLICE_FLAGS);
		return count < 0 ? -libc.errno() : count;
	}

	wakeOther(fd: number): void {
		wakeDescriptor(fd);
	}

	clearWake(fd: number): void {
		libc.read(fd, this.#wordsAt, 8);
	}

	/** Closes the epoll descriptor. The arena goes with the last reference to it. */
	dispose(): void {
		this.readiness.dispose();
	}
}

export class EpollReadiness implements Readiness {
	readonly #epoll: number;
	readonly #isOwn: boolean;
	// struct epoll_event is packed on x86-64 (12 bytes), aligned elsewhere (16).
	readonly #stride = process.arch === "x64" ? 3 : 4;
	readonly #data = process.arch === "x64" ? 1 : 2;
	readonly #events = new Int32Array(new ArrayBuffer(EVENTS_MAX * 16));
	readonly #eventsAt = libc.addressOf(this.#events);
	mayHaveMore = false;
	readonly #one = new Int32Array(new ArrayBuffer(16));
	readonly #oneAt = libc.addressOf(this.#one);

	constructor(given?: number) {
		this.#isOwn = given === undefined;
		this.#epoll = given ?? libc.epollCreate1(O_CLOEXEC);
		if (this.#epoll < 0) throw new Error(`epoll_create1 failed with errno ${libc.errno()}`);
	}

	add(fd: number, interest: number, slot: number, generation: number): number {
		return this.#control(EPOLL_CTL_ADD, fd, interest, slot, generation);
	}

	modify(fd: number, interest: number, slot: number, generation: number): number {
		return this.#control(EPOLL_CTL_MOD, fd, interest, slot, generation);
	}

	remove(fd: number): number {
		return this.#control(EPOLL_CTL_DEL, fd, 0, 0, 0);
	}

	wait(timeoutMs: number): number {
		const count = libc.epollWait(this.#epoll, this.#eventsAt, EVENTS_MAX, timeoutMs);
		this.mayHaveMore = count === EVENTS_MAX || count < 0;
		if (count >= 0) return count;
		const error = libc.errno();
		return error === EINTR ? 0 : -error;
	}

	flagsOf(event: number): number {
		return this.#events[event * this.#stride] as number;
	}

	slotOf(event: number): number {
		return this.#events[event * this.#stride + this.#data] as number;
	}

	generationOf(event: number): number {
		return this.#events[event * this.#stride + this.#data + 1] as number;
	}

	dispose(): void {
		if (this.#isOwn) libc.close(this.#epoll);
	}

	#control(operation: number, fd: number, interest: number, slot: number, generation: number): number {
		this.#one[0] = interest;
		this.#one[this.#data] = slot;
		this.#one[this.#data + 1] = generation;
		return libc.epollControl(this.#epoll, operation, fd, this.#oneAt) < 0 ? -libc.errno() : 0;
	}
}
