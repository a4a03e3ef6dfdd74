/**
 * Writes many small frames to its first client. Arguments: flush policy, and how many frames. Tells its port, and what it came to:
 * writes are counted at Node's own handle, and each call of it is one system call, or more where the kernel takes less at once or
 * the pieces are more than the 1,024 of one `writev`.
 */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { FrameWriter, type FrameWriterOptions } from "../../src/guard/frames.js";
import { obey, tell } from "./orders.js";

export type Policy = FrameWriterOptions["flush"] & string;

export interface FramesReport {
	readonly writes: number;
	readonly cpuUs: number;
}

export type FramesNews = { readonly port: number } | FramesReport;

/** A chunk of 64 KiB with messages of a few hundred bytes holds as many. */
const FRAMES_PER_TURN = 100;
const PAYLOAD = Buffer.alloc(64, "x");

const [, , flush, frames] = process.argv;
const server = createServer();
server.listen(0, "127.0.0.1");
await once(server, "listening");
obey(() => {});
tell({ port: (server.address() as AddressInfo).port });
const [socket] = (await once(server, "connection")) as [Socket];
socket.setNoDelay(true);
const handle = countWrites(socket);
// frames.ts passes nothing else.
const writer = new FrameWriter(socket, { flush: flush as Policy });
const half = Number(frames) / 2;
// The first half warms up.
await write(half);
const writesBefore = handle.writes;
const before = process.cpuUsage();
await write(half);
const { user, system } = process.cpuUsage(before);
tell({ writes: handle.writes - writesBefore, cpuUs: user + system } satisfies FramesReport);

async function write(count: number): Promise<void> {
	for (let turn = 0; turn < count / FRAMES_PER_TURN; turn++) {
		let goOn = true;
		for (let frame = 0; frame < FRAMES_PER_TURN; frame++) goOn = writer.write(PAYLOAD);
		if (!goOn) await writer.drained();
		// "manual" as it is meant: whole batches up to the high-water mark, across turns.
		await new Promise(setImmediate);
	}
	writer.flush();
	await writer.drained();
}

/** Counts the calls of the socket's handle, which Node shows under no public name. */
function countWrites(socket: Socket): { writes: number } {
	const counted = { writes: 0 };
	const handle: unknown = Reflect.get(socket, "_handle");
	if (typeof handle !== "object" || handle === null)
		throw new Error("this Node hides the socket's handle elsewhere");
	for (const name of ["writev", "writeBuffer", "writeLatin1String", "writeUtf8String"]) {
		const call: unknown = Reflect.get(handle, name);
		if (typeof call !== "function") continue;
		Reflect.set(handle, name, (...values: unknown[]) => {
			counted.writes++;
			return Reflect.apply(call, handle, values);
		});
	}
	return counted;
}
