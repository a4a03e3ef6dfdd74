/** Measures what `docs/capacity.md` says of this machine, over loopback, within two seconds. What was opened is closed. */
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { AF_INET } from "../../kernel/constants.js";
import { halfOpenConnections } from "../../kernel/half-open.js";
import { LinuxKernel } from "../../kernel/linux.js";
import { acceptQueue, openListener, peerPort } from "../../kernel/sockets.js";
import { connect, loopback } from "../../rig/connect.js";
import { assumedConfig } from "../asked.js";
import { measure } from "../plan/measure.js";
import { readFacts } from "../read.js";
import { type Door, type Recorded, SETTINGS, type SocketBytes } from "./recorded.js";

const ARENA_BYTES = 1 << 20;
const PIECE_BYTES = 65_536;

/** More than a listener with the usual backlog of examples lets in. */
const BACKLOG = 128;
const CLIENTS = 200;
/** Over loopback a handshake is over when `connect` returns; this is for a busy machine. */
const SETTLED_MS = 300;

/** What bytes wait for is bounded by buffers; this is for kernels that would let them grow for ever. */
const PIECES_MAX = 4_096;
/** A window is opened further a moment after it was filled. */
const STILL_TAKEN_MS = 50;

export async function record(): Promise<Recorded> {
	const facts = await readFacts(null);
	const { kernel, node, cores, memoryBytes } = facts;
	const config = assumedConfig();
	const measured = measure(facts, config);
	const calls = new LinuxKernel(ARENA_BYTES);
	try {
		return {
			date: new Date().toISOString().slice(0, 10),
			machine: { kernel, node, cores, memoryBytes },
			settings: Object.fromEntries(SETTINGS.map((name) => [name, facts.settings[name] ?? ""])),
			measured,
			door: await measureDoor(calls),
			sockets: await measureBuffers(calls),
		};
	} finally {
		calls.dispose();
	}
}

/** 200 clients of a listener from which nobody accepts, and then somebody does. */
async function measureDoor(calls: LinuxKernel): Promise<Door> {
	const { fds, port } = openListener({ address: Uint8Array.of(127, 0, 0, 1), port: 0, backlog: BACKLOG }, 1);
	const listener = fds[0] as number; // one was asked for
	const first = descriptors();
	const clients: number[] = [];
	const accepted: number[] = [];
	try {
		for (let count = 0; count < CLIENTS; count++) clients.push(connect(calls, loopback(port)));
		await sleep(SETTLED_MS);
		const connected = clients.filter((fd) => (peerPort(fd) ?? 0) > 0).length;
		const halfOpen = halfOpenConnections(new Set([AF_INET])).reduce(
			(sum, each) => sum + (each.port === port ? each.count : 0),
			0,
		);
		const { depth } = acceptQueue(listener);
		const before = descriptors() - first - clients.length;
		for (let index = 0; index < depth; index++) accepted.push(calls.accept(listener, 0));
		return {
			backlog: BACKLOG,
			clients: CLIENTS,
			established: depth,
			retrying: CLIENTS - connected,
			halfOpen,
			descriptorsBefore: before,
			descriptorsAccepted: descriptors() - first - clients.length - before,
		};
	} finally {
		for (const fd of [...clients, ...accepted]) calls.reset(fd);
		calls.close(listener);
	}
}

function descriptors(): number {
	return readdirSync("/proc/self/fd").length;
}

/** A connection whose one end sends, and whose other end takes nothing. */
async function measureBuffers(calls: LinuxKernel): Promise<SocketBytes> {
	const { fds, port } = openListener({ address: Uint8Array.of(127, 0, 0, 1), port: 0, backlog: 8 }, 1);
	const listener = fds[0] as number; // one was asked for
	const near = calls.socket(AF_INET);
	calls.connect(near, loopback(port));
	await sleep(STILL_TAKEN_MS);
	const far = calls.accept(listener, 0);
	try {
		const empty = calls.socketMemory(far);
		let taken = 0;
		for (let pieces = 0; pieces < PIECES_MAX; pieces++) {
			let sent = calls.send(near, 0, PIECE_BYTES);
			if (sent <= 0) {
				await sleep(STILL_TAKEN_MS);
				sent = calls.send(near, 0, PIECE_BYTES);
			}
			if (sent <= 0) break;
			taken += sent;
		}
		return { empty, taken, full: calls.socketMemory(near) + calls.socketMemory(far) };
	} finally {
		for (const fd of [near, far]) calls.reset(fd);
		calls.close(listener);
	}
}
