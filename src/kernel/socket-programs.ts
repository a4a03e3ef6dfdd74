/** The shortest program that a socket can be given, in classic BPF: `return 0`. As a filter it lets nothing in. */
import { SO_ATTACH_FILTER, SO_ATTACH_REUSEPORT_CBPF, SO_DETACH_FILTER, SOL_SOCKET } from "./constants.js";
import * as libc from "./libc.js";

/** struct sock_filter: BPF_RET, and what it returns. */
const RETURN_0 = Uint8Array.of(0x06, 0, 0, 0, 0, 0, 0, 0);
/** struct sock_fprog: how many instructions there are, and where. */
const PROGRAM_BYTES = 16;

/** The socket receives nothing until `unmute`. */
export function mute(fd: number): boolean {
	return give(fd, SO_ATTACH_FILTER);
}

export function unmute(fd: number): boolean {
	const word = new Int32Array(1);
	return libc.setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, libc.addressOf(word), 4) === 0;
}

/** Whether the socket is one of a group that shares a port: only these may have a program that chooses among them. */
export function choosesAmongGroup(fd: number): boolean {
	return give(fd, SO_ATTACH_REUSEPORT_CBPF);
}

function give(fd: number, option: number): boolean {
	const program = new Int32Array(PROGRAM_BYTES / 4);
	const at = libc.addressOf(RETURN_0);
	program[0] = 1;
	program[2] = at | 0;
	program[3] = Math.floor(at / 2 ** 32);
	return libc.setsockopt(fd, SOL_SOCKET, option, libc.addressOf(program), PROGRAM_BYTES) === 0;
}
