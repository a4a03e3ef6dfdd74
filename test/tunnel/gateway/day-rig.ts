/**
 * A gateway's control plane and an agent, both as they run, over real sockets and in a clock of the test's. In the place of reactors stands
 * what they would do with lines: park them, lend them, replace them when they are old, and close them with their tunnel.
 */
import { createServer, type Server, type Socket } from "node:net";
import koffi from "koffi";
import { writeProxyV2 } from "../../../src/protocol/index.js";
import {
	LINE_GREETING_BYTES,
	LINE_PARKED,
	NONCE_BYTES,
	PROOF_BYTES,
} from "../../../src/protocol/tunnel/index.js";
import { Agent } from "../../../src/tunnel/agent/agent.js";
import { parseLocal } from "../../../src/tunnel/agent/schema.js";
import { startTunnelControl } from "../../../src/tunnel/gateway/control.js";
import type {
	LineCounts,
	OpenTunnel,
	TunnelControl,
	TunnelEvents,
} from "../../../src/tunnel/gateway/interfaces.js";
import type { VirtualTime } from "../../support/virtual-time.js";
import { entry, laptop, settings } from "./control-rig.js";

const libc = koffi.load(null);
const dup = libc.func("dup", "int", ["int"]);
const recv = libc.func("recv", "int", ["int", "void *", "size_t", "int"]);
/** MSG_PEEK | MSG_DONTWAIT */
const PEEK = 0x42;

const AGE_MS = 900_000;

interface Line {
	readonly socket: Socket;
	readonly tunnel: number;
	readonly sinceMs: number;
	state: "parked" | "used" | "retiring";
}

export class Day implements TunnelEvents {
	readonly time: VirtualTime;
	readonly control: TunnelControl;
	agent: Agent | undefined;
	readonly #lines = new Set<Line>();
	readonly #open = new Map<number, OpenTunnel>();
	readonly #controls = new Set<Socket>();
	readonly #listener: Server;
	readonly #service: Server;
	readonly #ports: [number, number];
	visitors = 0;

	private constructor(time: VirtualTime, listener: Server, service: Server) {
		this.time = time;
		this.#listener = listener;
		this.#service = service;
		this.#ports = [listener, service].map((server) => (server.address() as { port: number }).port) as [
			number,
			number,
		];
		this.control = startTunnelControl({
			settings: {
				...settings([entry(laptop)], "domain: example.com, ports: 20000-20003, lines: 3, plain_lines: on"),
				certificate: null,
			},
			...{ events: this, program: "sluice/test", now: () => time.nowMs, log: { info() {}, warn() {} } },
			opened: (socket) => {
				this.#controls.add(socket);
				socket.once("close", () => this.#controls.delete(socket));
			},
		});
		listener.on("connection", (socket: Socket) => void this.#accept(socket));
	}

	static async start(time: VirtualTime): Promise<Day> {
		const listener = createServer({ pauseOnConnect: true });
		const service = createServer({ allowHalfOpen: true }, (socket) => {
			socket.on("error", () => {});
			socket.pipe(socket);
		});
		for (const server of [listener, service])
			await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		return new Day(time, listener, service);
	}

	startAgent(): void {
		const { time } = this;
		const [port, service] = this.#ports;
		this.agent = new Agent(
			{
				...{ gateway: { host: "127.0.0.1", port }, identity: laptop, trust: {}, insecure: true },
				...{ proxy: undefined, drainMs: 1, retryMaxMs: 30_000 },
				tunnels: [{ kind: "tcp", name: "app", local: parseLocal(String(service)) }],
			},
			{ version: "test/1", report: () => {}, clock: () => time.nowMs },
		);
		this.agent.start();
	}

	/** What it is for is seen before anything is taken off it. */
	async #accept(socket: Socket): Promise<void> {
		const { fd } = (socket as Socket & { readonly _handle: { readonly fd: number } })._handle;
		const magic = Buffer.alloc(4);
		socket.on("error", () => {});
		await this.time.until(
			() => (recv(fd, magic, magic.length, PEEK) as number) !== -1,
			() => "the first bytes of a connection",
		);
		if (magic.toString() === "SLN1") return this.#park(socket);
		const own = dup(fd) as number;
		socket.destroy();
		this.control.accept({ fd: own, address: "127.0.0.1", inTheOpen: true });
	}

	async #park(socket: Socket): Promise<void> {
		const greeting = await this.#take(socket, LINE_GREETING_BYTES);
		if (greeting === undefined) return;
		const nonce = Buffer.alloc(NONCE_BYTES, 7);
		socket.write(nonce);
		const proof = await this.#take(socket, PROOF_BYTES);
		if (proof === undefined) return;
		const owner = this.control.lines.verify(greeting.subarray(4), nonce, proof);
		if (owner === undefined || !this.#open.has(owner.tunnel)) {
			if (owner !== undefined) this.control.lines.ended(owner.tunnel, "proving", "failed");
			socket.destroy();
			return;
		}
		const { tunnel } = owner;
		const line: Line = { socket, tunnel, sinceMs: this.time.nowMs, state: "parked" };
		socket.write(Buffer.from([LINE_PARKED]));
		this.#lines.add(line);
		this.control.lines.parked(tunnel);
		socket.resume();
		socket.on("end", () => socket.destroy());
		socket.once("close", () => this.#ended(line));
	}

	async #take(socket: Socket, count: number): Promise<Buffer | undefined> {
		let bytes: Buffer | null = null;
		await this.time.until(
			() => {
				bytes = socket.read(count) as Buffer | null;
				return bytes !== null || socket.destroyed || socket.readableEnded;
			},
			() => `${count} bytes of a line`,
		);
		return bytes ?? undefined;
	}

	#ended(line: Line): void {
		this.#lines.delete(line);
		this.control.lines.ended(line.tunnel, line.state, line.state === "retiring" ? "age" : "done");
	}

	async opened(tunnel: OpenTunnel): Promise<void> {
		this.#open.set(tunnel.number, tunnel);
	}

	closed(number: number): void {
		this.#open.delete(number);
		for (const line of this.#lines)
			if (line.tunnel === number && line.state === "parked") line.socket.destroy();
	}

	changed(): void {}
	local(): void {}

	/** Somebody comes, is answered and goes. */
	async visit(): Promise<void> {
		const line = [...this.#lines].findLast(({ state, socket }) => state === "parked" && !socket.destroyed);
		if (line === undefined) throw new Error(`no line: ${this.state()}`);
		line.state = "used";
		this.control.lines.taken(line.tunnel);
		const { socket } = line;
		let heard = 0;
		socket.on("data", (bytes: Buffer) => {
			heard += bytes.length;
		});
		const header = Buffer.alloc(64);
		const from = Uint8Array.of(203, 0, 113, 7);
		const length = writeProxyV2(header, 0, 4, from, 4_242, Uint8Array.of(192, 0, 2, 1), 443);
		socket.write(Buffer.concat([header.subarray(0, length), Buffer.alloc(1_000, 0x61)]));
		await this.time.until(
			() => heard >= 1_000 || socket.destroyed,
			() => "the echo",
		);
		socket.end();
		await this.time.until(
			() => socket.destroyed,
			() => "the end of a visitor",
		);
		if (heard !== 1_000) throw new Error(`a visitor was cut off after ${heard} bytes`);
		this.control.lines.visited(line.tunnel, "client_closed");
		this.visitors++;
	}

	/** As reactors do now and then. */
	recycle(): void {
		for (const line of this.#lines) {
			if (line.state !== "parked" || this.time.nowMs - line.sinceMs < AGE_MS) continue;
			line.state = "retiring";
			this.control.lines.retiring(line.tunnel, "parked");
			line.socket.destroy();
		}
	}

	/** The control connection breaks, as the agent's network does. */
	breakControl(): void {
		for (const socket of this.#controls) socket.resetAndDestroy();
	}

	/** What the agent says is not heard for a while. */
	async deafen(ms: number): Promise<void> {
		const deaf = [...this.#controls];
		for (const socket of deaf) socket.pause();
		await this.time.pass(ms);
		for (const socket of deaf) socket.resume();
	}

	breakLine(): void {
		const [line] = this.#lines;
		line?.socket.resetAndDestroy();
	}

	/** `undefined`: something is under way. */
	calm(): LineCounts | undefined {
		const { agents, tunnels, loggingIn } = this.control.view();
		const [tunnel] = tunnels;
		if (agents.length !== 1 || tunnels.length !== 1 || loggingIn > 0 || tunnel === undefined)
			return undefined;
		const { lines } = tunnel;
		const isCalm = tunnel.state === "up" && lines.parked === lines.depth && lines.parked === this.#lines.size;
		return isCalm && lines.asked + lines.proving + lines.used + lines.retiring === 0 ? lines : undefined;
	}

	/** Lets time pass until nothing is under way. */
	async rest(): Promise<LineCounts> {
		for (let count = 0; count < 600; count++) {
			// What was done before is heard of first.
			await this.time.pass(250);
			const lines = this.calm();
			if (lines !== undefined) return lines;
		}
		throw new Error(`no calm: ${this.state()}`);
	}

	state(): string {
		return JSON.stringify({ view: this.control.view(), lines: this.#lines.size, now: this.time.nowMs });
	}

	async end(): Promise<void> {
		const { agent } = this;
		agent?.end("the day is over");
		await agent?.ended;
		await this.control.stop();
		for (const { socket } of this.#lines) socket.destroy();
		this.#listener.close();
		this.#service.close();
	}
}
