/** Signals that are held back from a process: pthread_sigmask(3). */
import { constants } from "node:os";
import * as libc from "./libc.js";

const SIG_UNBLOCK = 1;

/** glibc's and musl's sigset_t: a bit for each signal, the first one for signal 1. */
const SIGSET_BYTES = 128;

/**
 * Lets a signal through to this thread, and to threads that it starts from now on. Node blocks SIGUSR1 until its
 * inspector listens for it, and with `--disable-sigusr1` for ever: whoever has a listener for it then hears nothing.
 */
export function unblockSignal(signal: NodeJS.Signals): void {
	const set = new BigUint64Array(SIGSET_BYTES / 8);
	set[0] = 1n << BigInt(constants.signals[signal] - 1);
	libc.pthreadSigmask(SIG_UNBLOCK, libc.addressOf(set), 0);
}
