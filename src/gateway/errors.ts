import { dirname } from "node:path";
import { SystemError } from "../kernel/sockets.js";

/** Something outside the configuration keeps the gateway from starting. The message is one line, and says what to do. */
export class StartError extends Error {
	override readonly name: string = "StartError";

	/** A listener or the admin port could not be opened. */
	static listening(name: string, port: number, cause: unknown): StartError {
		return new StartError(`cannot listen on ${name}: ${advice(codeOf(cause), port)}`, { cause });
	}

	/** The file of a socket could not be made. */
	static atFile(name: string, path: string, cause: unknown): StartError {
		return cause instanceof StartError
			? cause
			: new StartError(`cannot listen on ${name}: ${adviceForFile(codeOf(cause), path)}`, { cause });
	}

	/** A reload asks for the address of the admin pages, which move at a restart only. */
	static heldByAdmin(name: string): StartError {
		return new StartError(
			`cannot listen on ${name}: this gateway's own admin pages have the port until a restart, whatever "admin" says now; restart it, or give the listener another port`,
		);
	}

	/** A socket that this process was given is bound so that the listener cannot be. */
	static heldByManager(name: string, obstacle: string): StartError {
		return new StartError(
			`cannot listen on ${name}: ${obstacle}; write the same address in both, or take the socket out of its unit`,
		);
	}
}

function codeOf(cause: unknown): string {
	return cause instanceof SystemError ? cause.code : String((cause as NodeJS.ErrnoException).code ?? cause);
}

function adviceForFile(code: string, path: string): string {
	switch (code) {
		case "ENOENT":
		case "ENOTDIR":
			return `there is no directory ${dirname(path)}: make it (RuntimeDirectory= in the unit)`;
		case "EACCES":
		case "EPERM":
		case "EROFS":
			return `this user may make no file in ${dirname(path)} (ls -ld shows who may)`;
		case "EADDRINUSE":
			return "another process has made the file meanwhile; end it, or write another path";
		case "EMFILE":
		case "ENFILE":
			return NO_DESCRIPTOR;
		default:
			return code;
	}
}

const NO_DESCRIPTOR = "no descriptor is left (ulimit -n)";

function advice(code: string, port: number): string {
	switch (code) {
		case "EADDRINUSE":
			return `port ${port} is in use by another process (ss -ltunp shows which)`;
		case "EACCES":
		case "EPERM":
			return `ports below 1024 need a right: run as root, or give CAP_NET_BIND_SERVICE (AmbientCapabilities= in the unit)`;
		case "EADDRNOTAVAIL":
			return "this machine has no such address (ip addr shows those it has)";
		case "EAFNOSUPPORT":
			return "this machine has no IPv6";
		case "EMFILE":
		case "ENFILE":
			return NO_DESCRIPTOR;
		default:
			return code;
	}
}
