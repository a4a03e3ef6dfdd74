/**
 * What subscribers that do not read cost the others, and the server: `npm run build && node dist/bench/library/broadcast.js`.
 * The same text goes to 2,000 and to 10,000 WebSockets over loopback, 5 % of which never read, once by a plain loop over
 * `ws.send` and once by a Broadcast. The kernel's buffers of those that do not read are filled before, so that all is seen
 * which the process itself keeps. Server and clients are processes of their own. It takes some two minutes, and needs
 * `ulimit -n` above 10,000. Numbers of subscribers as arguments replace those.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import WebSocket, { WebSocketServer } from "ws";
import { Broadcast, Message, Outbox } from "../../src/guard/outbox.js";

const SUBSCRIBERS = [2_000, 10_000];
/** One in so many does not read. */
const DEAF = 20;
const CLIENTS_PER_PROCESS = 2_500;
const MESSAGES = 30;
const TEXT_BYTES = 32 * 1024;
/** To all subscribers together, so that two cores have time for it. */
const PER_SECOND = 8_000;
const BYTES_MAX = 256 * 1024;
/** One message, so that no more than one of them is left in the process. */
const FILLER = Buffer.alloc(256 * 1024);
const FILL_LOOK_MS = 10;
const FILL_LOOKS = 20;
/** Clients that connect at a time: fewer than the listener's backlog. */
const AT_ONCE = 100;
/** No run takes so long. */
const PATIENCE_MS = 180_000;

const MODES = ["ws.send", "Broadcast"] as const;
type Mode = (typeof MODES)[number];

interface ServerReport {
	readonly rssBefore: number;
	readonly rssMost: number;
	/** Waiting for all peers together, each counting its own. */
	readonly waitingMost: number;
	/** The largest of all. */
	readonly largest: number;
	/** Each message once; 0: not known. */
	readonly retainedMost: number;
	readonly dropped: number;
	readonly cpuMs: number;
}

async function main(counts: readonly number[]): Promise<void> {
	console.log(`${MESSAGES} texts of ${TEXT_BYTES} B, one in ${DEAF} does not read, bound ${BYTES_MAX} B`);
	for (const subscribers of counts)
		for (const mode of MODES) {
			const { report, latencies } = await measure(mode, subscribers);
			latencies.sort();
			const at = (part: number): string =>
				(latencies[Math.floor((latencies.length - 1) * part)] ?? Number.NaN).toFixed(0);
			const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
			console.log(
				`${subscribers} by ${mode}: healthy got ${latencies.length}, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms; ` +
					`memory ${mib(report.rssBefore)} → ${mib(report.rssMost)}; CPU ${report.cpuMs.toFixed(0)} ms; ` +
					`waiting ${mib(report.waitingMost)} in all, ${report.largest} B for one; ` +
					`retained ${mib(report.retainedMost)}; dropped ${report.dropped}`,
			);
		}
}

async function measure(
	mode: Mode,
	subscribers: number,
): Promise<{ report: ServerReport; latencies: Float64Array }> {
	const children: ChildProcess[] = [];
	const start = (...parts: string[]): ChildProcess => {
		const child = fork(fileURLToPath(import.meta.url), parts, { serialization: "advanced" });
		children.push(child);
		return child;
	};
	const signal = AbortSignal.timeout(PATIENCE_MS);
	const next = async (child: ChildProcess): Promise<unknown> => (await once(child, "message", { signal }))[0];
	try {
		const server = start("serve", mode, String(subscribers));
		const port = (await next(server)) as number;
		const report = next(server) as Promise<ServerReport>;
		const clients: ChildProcess[] = [];
		for (let first = 0; first < subscribers; first += CLIENTS_PER_PROCESS) {
			const count = Math.min(CLIENTS_PER_PROCESS, subscribers - first);
			const client = start("subscribe", String(port), String(count));
			clients.push(client);
			await next(client);
		}
		server.send("go");
		const said = await report;
		const parts: Float64Array[] = [];
		for (const client of clients) {
			client.send("report");
			parts.push((await next(client)) as Float64Array);
		}
		const latencies = new Float64Array(parts.reduce((length, part) => length + part.length, 0));
		let offset = 0;
		for (const part of parts) {
			latencies.set(part, offset);
			offset += part.length;
		}
		return { report: said, latencies };
	} finally {
		const exits = children.filter(({ exitCode }) => exitCode === null).map((child) => once(child, "exit"));
		for (const child of children) child.kill("SIGKILL");
		await Promise.all(exits);
	}
}

async function serve(mode: Mode, subscribers: number): Promise<void> {
	const topic = new Broadcast();
	const outboxes: Outbox[] = [];
	const sockets: WebSocket[] = [];
	const server = new WebSocketServer({
		port: 0,
		host: "127.0.0.1",
		backlog: 1_024,
		perMessageDeflate: false,
	});
	const filled: Promise<void>[] = [];
	server.on("connection", (socket, { url }) => {
		sockets.push(socket);
		if (url === "/deaf") filled.push(fill(socket));
		if (mode === "ws.send") return;
		// Nobody is closed: what is measured is what the deaf ones hold as long as they are there.
		const outbox = new Outbox(socket, { bytesMax: BYTES_MAX, write: "1h" });
		outboxes.push(outbox);
		topic.add(outbox);
	});
	await once(server, "listening");
	process.send?.((server.address() as AddressInfo).port);
	await once(process, "message");
	await Promise.all(filled);

	const rssBefore = process.memoryUsage.rss();
	const cpu = process.cpuUsage();
	let [rssMost, waitingMost, largest, retainedMost] = [0, 0, 0, 0];
	const look = (): void => {
		const each =
			mode === "ws.send"
				? sockets.map((socket) => socket.bufferedAmount)
				: outboxes.map(({ bytes }) => bytes);
		rssMost = Math.max(rssMost, process.memoryUsage.rss());
		waitingMost = Math.max(
			waitingMost,
			each.reduce((sum, bytes) => sum + bytes, 0),
		);
		for (const bytes of each) largest = Math.max(largest, bytes);
		retainedMost = Math.max(retainedMost, Message.retained.bytes);
	};
	for (let i = 0; i < MESSAGES; i++) {
		const dueMs = performance.now() + (subscribers / PER_SECOND) * 1_000;
		const text = String(process.hrtime.bigint()).padEnd(TEXT_BYTES);
		if (mode === "ws.send") for (const socket of sockets) socket.send(text);
		else topic.send(text);
		look();
		await wait(Math.max(0, dueMs - performance.now()));
		look();
	}
	// For what is still on its way.
	await wait(2_000);
	const { user, system } = process.cpuUsage(cpu);
	const dropped = outboxes.reduce((sum, outbox) => sum + outbox.dropped.messages, 0);
	const cpuMs = (user + system) / 1_000;
	process.send?.({ rssBefore, rssMost, waitingMost, largest, retainedMost, dropped, cpuMs });
}

/** Until the kernel has taken nothing for a while. */
async function fill(socket: WebSocket): Promise<void> {
	for (let quiet = 0; quiet < FILL_LOOKS; ) {
		await wait(FILL_LOOK_MS);
		if (socket.bufferedAmount > 0) quiet++;
		else {
			quiet = 0;
			socket.send(FILLER);
		}
	}
}

async function subscribe(port: number, count: number): Promise<void> {
	const latencies: number[] = [];
	for (let first = 0; first < count; first += AT_ONCE) {
		const opened: Promise<unknown>[] = [];
		for (let i = first; i < Math.min(count, first + AT_ONCE); i++) {
			const client = new WebSocket(`ws://127.0.0.1:${port}/${i % DEAF === 0 ? "deaf" : ""}`, {
				perMessageDeflate: false,
			});
			opened.push(once(client, "open"));
			if (i % DEAF === 0) client.once("open", () => client.pause());
			// CLOCK_MONOTONIC is the same for all processes.
			client.on("message", (data: Buffer) => {
				const sentNs = BigInt(data.toString("latin1", 0, 24).trim());
				latencies.push(Number(process.hrtime.bigint() - sentNs) / 1e6);
			});
		}
		await Promise.all(opened);
	}
	process.send?.("ready");
	await once(process, "message");
	process.send?.(Float64Array.from(latencies));
}

const [role, ...parts] = process.argv.slice(2);
if (role === "serve") await serve(parts[0] as Mode, Number(parts[1]));
else if (role === "subscribe") await subscribe(Number(parts[0]), Number(parts[1]));
else {
	const counts = process.argv.slice(2).map(Number);
	await main(counts.length > 0 ? counts : SUBSCRIBERS);
}
