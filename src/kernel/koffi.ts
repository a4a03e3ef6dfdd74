/**
 * koffi, the way to libc and OpenSSL. An optional dependency, loaded where it can be used: parsers, configuration and all
 * that is only imported work on every system, without it.
 */
import { createRequire } from "node:module";

export type Koffi = typeof import("koffi");

/** System calls cannot be made here. The message is a sentence that says what is needed. */
export class SystemCallsMissing extends Error {
	override readonly name = "SystemCallsMissing";
	readonly code = "SYSTEM_CALLS_MISSING";
}

const loaded: Koffi | string = isSupported() ? load() : "";

/** `undefined` where system calls cannot be made: `whyNoSystemCalls` says why. */
export const koffi: Koffi | undefined = typeof loaded === "string" ? undefined : loaded;

/** What a gateway needs and this machine lacks; `undefined` when it lacks nothing. */
export function whyNoSystemCalls(): string | undefined {
	// epoll, splice and accept4 are the kernel's, not Node's.
	if (!isSupported())
		return `a gateway needs Linux on x64 or arm64 (this is ${process.platform} on ${process.arch})`;
	return typeof loaded === "string" ? loaded : undefined;
}

/** A call that cannot be made. */
export function failMissing(): never {
	throw new SystemCallsMissing(whyNoSystemCalls() ?? "this system has no such call");
}

function isSupported(): boolean {
	return process.platform === "linux" && (process.arch === "x64" || process.arch === "arm64");
}

function load(): Koffi | string {
	try {
		return createRequire(import.meta.url)("koffi") as Koffi;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND")
			return "a gateway needs the package koffi, through which it makes system calls: npm install koffi@3.3.4 beside sluice (npm leaves it out with --omit=optional)";
		const [reason] = String((error as Error).message).split("\n", 1);
		return `a gateway needs the package koffi, through which it makes system calls, and it cannot be loaded: ${reason}`;
	}
}
