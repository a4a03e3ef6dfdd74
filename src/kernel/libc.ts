/**
 * libc, called through koffi. Addresses are passed as plain numbers (koffi's cheapest
 * argument: 24 ns a call against 80 with a Buffer); they come from `addressOf`, and the
 * memory behind them must stay referenced for as long as it is used.
 */
import { failMissing, koffi } from "./koffi.js";

/** Without koffi everything here can be imported, and nothing can be called. */
const libc = koffi?.load(null);

type Call<Arguments extends number[]> = (...args: Arguments) => number;

function declare<Arguments extends number[]>(name: string, types: string[]): Call<Arguments> {
	return libc === undefined ? failMissing : (libc.func(name, "int", types) as Call<Arguments>);
}

/** A function that only some C libraries have (glibc, not musl). */
function declareOptional<Arguments extends number[]>(
	name: string,
	types: string[],
): Call<Arguments> | undefined {
	try {
		return declare<Arguments>(name, types);
	} catch {
		return undefined;
	}
}

const ADDRESS = "uintptr_t";

/** `int socket(int domain, int type, int protocol)` */
export const socket = declare<[number, number, number]>("socket", ["int", "int", "int"]);
export const bind = declare<[number, number, number]>("bind", ["int", ADDRESS, "int"]);
export const listen = declare<[number, number]>("listen", ["int", "int"]);
export const accept4 = declare<[number, number, number, number]>("accept4", ["int", ADDRESS, ADDRESS, "int"]);
export const connect = declare<[number, number, number]>("connect", ["int", ADDRESS, "int"]);
export const getsockname = declare<[number, number, number]>("getsockname", ["int", ADDRESS, ADDRESS]);
export const getpeername = declare<[number, number, number]>("getpeername", ["int", ADDRESS, ADDRESS]);
export const setsockopt = declare<[number, number, number, number, number]>("setsockopt", [
	"int",
	"int",
	"int",
	ADDRESS,
	"int",
]);
export const getsockopt = declare<[number, number, number, number, number]>("getsockopt", [
	"int",
	"int",
	"int",
	ADDRESS,
	ADDRESS,
]);
/** The results of recv, send and splice are `ssize_t`; no length here exceeds 2^31, so `int` holds them. */
export const recv = declare<[number, number, number, number]>("recv", ["int", ADDRESS, "size_t", "int"]);
export const send = declare<[number, number, number, number]>("send", ["int", ADDRESS, "size_t", "int"]);
export const recvmmsg = declare<[number, number, number, number, number]>("recvmmsg", [
	"int",
	ADDRESS,
	"uint",
	"int",
	ADDRESS,
]);
export const sendmmsg = declare<[number, number, number, number]>("sendmmsg", [
	"int",
	ADDRESS,
	"uint",
	"int",
]);
export const splice = declare<[number, number, number, number, number, number]>("splice", [
	"int",
	ADDRESS,
	"int",
	ADDRESS,
	"size_t",
	"uint",
]);
export const shutdown = declare<[number, number]>("shutdown", ["int", "int"]);
export const close = declare<[number]>("close", ["int"]);
export const pipe2 = declare<[number, number]>("pipe2", [ADDRESS, "int"]);
export const fcntl = declare<[number, number, number]>("fcntl", ["int", "int", "int"]);
export const ioctl = declare<[number, number, number]>("ioctl", ["int", "ulong", ADDRESS]);
export const read = declare<[number, number, number]>("read", ["int", ADDRESS, "size_t"]);
export const write = declare<[number, number, number]>("write", ["int", ADDRESS, "size_t"]);
export const clockGettime = declare<[number, number]>("clock_gettime", ["int", "uintptr_t"]);
export const eventfd = declare<[number, number]>("eventfd", ["uint", "int"]);
export const epollCreate1 = declare<[number]>("epoll_create1", ["int"]);
export const epollControl = declare<[number, number, number, number]>("epoll_ctl", [
	"int",
	"int",
	"int",
	ADDRESS,
]);
export const epollWait = declare<[number, number, number, number]>("epoll_wait", [
	"int",
	ADDRESS,
	"int",
	"int",
]);
export const getrlimit = declare<[number, number]>("getrlimit", ["int", ADDRESS]);
export const setrlimit = declare<[number, number]>("setrlimit", ["int", ADDRESS]);
export const mallopt = declareOptional<[number, number]>("mallopt", ["int", "int"]);
export const mallocTrim = declareOptional<[number]>("malloc_trim", ["size_t"]);
export const pthreadSigmask = declare<[number, number, number]>("pthread_sigmask", ["int", ADDRESS, ADDRESS]);
export const execv = declare<[number, number]>("execv", [ADDRESS, ADDRESS]);
/** Ends the process without running exit handlers: for a second signal, when something may be stuck. */
export const exitNow = declare<[number]>("_exit", ["int"]);

/** Where the bytes of a view lie. ArrayBuffers are allocated off the JavaScript heap and do not move. */
export function addressOf(view: ArrayBufferView): number {
	return koffi === undefined ? failMissing() : Number(koffi.address(view));
}

// errno is a thread-local int. Its address is asked for once per thread, and its value
// read through a view: 4 ns against 30 for koffi.errno().
const errnoView = new Int32Array(
	koffi === undefined || libc === undefined
		? new ArrayBuffer(4)
		: koffi.view(libc.func("__errno_location", "void *", [])() as bigint, 4),
);

/** Before a call that may end in more ways than its result tells. */
export function clearErrno(): void {
	errnoView[0] = 0;
}

/** The error of the last call that returned -1 in this thread. */
export function errno(): number {
	return errnoView[0] as number; // a view of exactly one element
}
