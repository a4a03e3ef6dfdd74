import { SystemError } from "../kernel/sockets.js";

/** Something outside the configuration keeps the gateway from starting. The message is one line, and says what to do. */
export class StartError extends Error {
	override readonly name: string = "StartError";

	/** A listener or the admin port could not be opened. */
	static listening(name: string, port: number, cause: unknown): StartError {
		const code =
			cause instanceof SystemError ? cause.code : String((cause as NodeJS.ErrnoException).code ?? cause);
		return new StartError(`cannot listen on ${name}: ${advice(code, port)}`, { cause });
	}

	/** A reload asks for the address of the admin pages, which move at a restart only. */
	static heldByAdmin(name: string): StartError {
		return new StartError(
			`cannot listen on ${name}: this gateway's own admin pages have the port until a restart, whatever "admin" says now; restart it, or give the listener another port`,
		);
	}
}

function advice(code: string, port: number): string {
	switch (code) {
		case "EADDRINUSE":
			return `port ${port} is in use by another process (ss -ltnp shows which)`;
		case "EACCES":
		case "EPERM":
			return `ports below 1024 need a right: run as root, or give CAP_NET_BIND_SERVICE (AmbientCapabilities= in the unit)`;
		case "EADDRNOTAVAIL":
			return "this machine has no such address (ip addr shows those it has)";
		case "EAFNOSUPPORT":
			return "this machine has no IPv6";
		case "EMFILE":
		case "ENFILE":
			return "no descriptor is left (ulimit -n)";
		default:
			return code;
	}
}
