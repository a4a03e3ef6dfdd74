/**
 * What a frame costs the writer under each flush policy: `npm run build && node dist/bench/library/frames.js`. Small frames go
 * over a loopback connection to another process, a turn's worth at a time, as answers to what one read brought would. Writes
 * are counted at Node's own handle: each call of it is one system call, or more where the kernel takes less at once or the
 * pieces are more than the 1,024 of one `writev`.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { FrameWriter, type FrameWriterOptions } from "sluice/frames";

const FRAMES = 200_000;
/** 100 per turn: a chunk of 64 KiB with messages of a few hundred bytes holds as many. */
const FRAMES_PER_TURN = 100;
const PAYLOAD_BYTES = 64;
const ROUNDS = 5;

const POLICIES = ["immediate", "tick", "manual"] as const;

interface Measure {
	readonly writes: number;
	readonly cpuUs: number;
}

async function measure(flush: FrameWriterOptions["flush"] & string): Promise<Measure> {
	const server = createServer();
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const reader = fork(fileURLToPath(import.meta.url), [
		"read",
		String((server.address() as AddressInfo).port),
	]);
	const exited = once(reader, "exit");
	const [socket] = (await once(server, "connection")) as [Socket];
	socket.setNoDelay(true);
	const handle = countWrites(socket);
	const writer = new FrameWriter(socket, { flush });
	const payload = Buffer.alloc(PAYLOAD_BYTES, "x");
	const before = process.cpuUsage();
	for (let turn = 0; turn < FRAMES / FRAMES_PER_TURN; turn++) {
		let goOn = true;
		for (let frame = 0; frame < FRAMES_PER_TURN; frame++) goOn = writer.write(payload);
		if (!goOn) await writer.drained();
		// "manual" as it is meant: whole batches up to the high-water mark, across turns.
		await new Promise(setImmediate);
	}
	writer.end();
	await once(socket, "finish");
	const { user, system } = process.cpuUsage(before);
	socket.destroy();
	server.close();
	await exited;
	return { writes: handle.writes, cpuUs: user + system };
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

function median(values: readonly number[]): number {
	return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** The other end, in a process of its own so that its CPU is not counted. */
async function read(port: number): Promise<void> {
	const { connect } = await import("node:net");
	connect(port, "127.0.0.1").resume();
}

const [, , role, port] = process.argv;
if (role === "read") {
	await read(Number(port));
} else {
	console.log(
		`${FRAMES} frames of ${PAYLOAD_BYTES} bytes, ${FRAMES_PER_TURN} per turn; median of ${ROUNDS} rounds`,
	);
	console.log("| flush | writes per 1,000 frames | CPU per frame |");
	console.log("| --- | ---: | ---: |");
	for (const flush of POLICIES) {
		const found: Measure[] = [];
		// The first round warms up.
		for (let round = 0; round <= ROUNDS; round++) found.push(await measure(flush));
		const rounds = found.slice(1);
		const writes = (median(rounds.map((one) => one.writes)) * 1000) / FRAMES;
		const cpuUs = median(rounds.map((one) => one.cpuUs)) / FRAMES;
		console.log(`| \`${flush}\` | ${writes.toFixed(1)} | ${cpuUs.toFixed(2)} µs |`);
	}
}
