/**
 * A process becomes another program, or the same one anew: execve(2). What belongs to the process stays: its number, its parent, its
 * limits, its directory, its signal masks, and the descriptors that it was started with.
 */
import { readFileSync } from "node:fs";
import { F_GETFD, F_SETFD, FD_CLOEXEC } from "./constants.js";
import * as libc from "./libc.js";
import { descriptorTargets } from "./proc.js";

/** What this process was started with, word for word: the interpreter's name, its flags, the script and its arguments. */
export function ownArguments(): Buffer[] {
	const text = readFileSync("/proc/self/cmdline");
	const words: Buffer[] = [];
	for (let start = 0; start < text.length; ) {
		const end = text.indexOf(0, start);
		if (end < 0) break;
		words.push(text.subarray(start, end));
		start = end + 1;
	}
	return words;
}

/**
 * Runs the program at `path` in this process, with these arguments (the first is its name) and with `process.env` as it is now.
 * Returns only when that failed, and then nothing has changed.
 */
export function execute(path: string, words: readonly Buffer[]): void {
	// C strings, which end with a zero. They stay referenced until the call has returned.
	const strings = [Buffer.from(path), ...words].map((word) => new Uint8Array([...word, 0]));
	const [file = 0, ...addresses] = strings.map((string) => libc.addressOf(string));
	const pointers = BigUint64Array.from([...addresses, 0], BigInt);
	const kept = inheritedDescriptors().filter((fd) => (libc.fcntl(fd, F_GETFD, 0) & FD_CLOEXEC) !== 0);
	for (const fd of kept) libc.fcntl(fd, F_SETFD, 0);
	libc.execv(file, libc.addressOf(pointers));
	for (const fd of kept) libc.fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/**
 * The descriptors that this process was started with. Node marks the low ones as closed by execve when it starts, its standard ones
 * among them. What it opened itself is told from them by its kind: epoll and eventfd descriptors, pipes of which it has both ends, and
 * `/dev/null`.
 */
function inheritedDescriptors(): number[] {
	const targets = descriptorTargets();
	const ends = new Map<string, number>();
	for (const [fd, target] of targets) if (fd > 2) ends.set(target, (ends.get(target) ?? 0) + 1);
	return [...targets]
		.filter(([fd, target]) => {
			if (fd <= 2) return true;
			if (target.startsWith("anon_inode:") || target === "/dev/null") return false;
			return !(target.startsWith("pipe:") && (ends.get(target) ?? 0) > 1);
		})
		.map(([fd]) => fd);
}
