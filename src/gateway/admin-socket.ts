/** The file of the admin port's Unix socket: made with its permissions, and removed by whom it belongs to. */
import { lstatSync, type Stats, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { closeDescriptor, openSocketFile } from "../kernel/sockets.js";
import { StartError } from "./errors.js";

/** As Node has it, which listens anew when it takes the socket over. */
const BACKLOG = 511;

export interface SocketFile {
	/** Listens already. */
	readonly fd: number;
	/** Removes the file, unless it has been replaced by another meanwhile. */
	remove(): void;
}

/**
 * Opens a listening socket at `path`. What a process that is gone has left there is replaced.
 *
 * @throws StartError where somebody listens there, or something else stands there
 */
export async function openAdminSocket(path: string, mode: string): Promise<SocketFile> {
	await clear(path);
	const fd = openSocketFile(path, Number.parseInt(mode, 8), BACKLOG);
	try {
		const made = lstatSync(path);
		return { fd, remove: () => removeSame(path, made) };
	} catch (error) {
		closeDescriptor(fd);
		throw error;
	}
}

/** Removes the file of a socket on which nobody listens any more, and nothing else. */
async function clear(path: string): Promise<void> {
	const found = lstatSync(path, { throwIfNoEntry: false });
	if (found === undefined) return;
	if (!found.isSocket())
		throw new StartError(
			`cannot listen on unix:${path} (admin): ${kindOf(found)} stands there, which is not removed; remove it, or write another path`,
		);
	const answer = await codeOfConnecting(path);
	// EAGAIN: somebody listens, and many wait.
	if (answer === undefined || answer === "EAGAIN")
		throw new StartError(
			`cannot listen on unix:${path} (admin): another process listens there (ss -xlp shows which); end it, or write another path`,
		);
	if (answer === "ECONNREFUSED") removeSame(path, found);
	else if (answer !== "ENOENT")
		throw new StartError(
			`cannot listen on unix:${path} (admin): a socket stands there, and whether anybody listens cannot be told (${answer}); remove it, or write another path`,
		);
}

/** What keeps this process from connecting; `undefined`: nothing. */
function codeOfConnecting(path: string): Promise<string | undefined> {
	return new Promise((resolve) => {
		const socket = connect(path);
		socket.once("connect", () => {
			socket.destroy();
			resolve(undefined);
		});
		socket.once("error", (error: NodeJS.ErrnoException) => resolve(String(error.code)));
	});
}

/** A number that has become free is given to the next file, so when it was made counts as well. */
function removeSame(path: string, { dev, ino, birthtimeMs }: Stats): void {
	const now = lstatSync(path, { throwIfNoEntry: false });
	if (now === undefined || now.dev !== dev || now.ino !== ino || now.birthtimeMs !== birthtimeMs) return;
	try {
		unlinkSync(path);
	} catch (error) {
		// It has gone in between; or its directory may be written no more, and then it stays, and is replaced at the next start.
		if (!["ENOENT", "EACCES", "EPERM", "EROFS"].includes(String((error as NodeJS.ErrnoException).code)))
			throw error;
	}
}

function kindOf(stats: Stats): string {
	if (stats.isSymbolicLink()) return "a symbolic link";
	if (stats.isDirectory()) return "a directory";
	return stats.isFile() ? "a file" : "something that is no socket";
}
