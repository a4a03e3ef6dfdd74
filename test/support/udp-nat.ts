/**
 * A NAT between clients and a server, all on loopback: each client has an outer port of its own, which changes on
 * command, as a home router's does that has forgotten it. It can also be a bad line: a share of the datagrams, drawn from a seed,
 * is lost, comes twice, or comes behind the next one.
 *
 *     client ◄──► inner port ◄──► outer port of this client ◄──► server
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { Random } from "../../src/rig/random.js";
import { LOOPBACK } from "./peers.js";
import type { Scenario } from "./scenario.js";
import { Changes } from "./waiting.js";

/** Shares of all datagrams, 0 to 1, in each direction. */
export interface Faults {
	readonly lost?: number;
	readonly doubled?: number;
	readonly reordered?: number;
}

export interface NatOptions extends Faults {
	readonly seed?: number;
}

/** What became of the datagrams of one direction. */
export interface Counts {
	/** How many came. */
	came: number;
	lost: number;
	doubled: number;
	reordered: number;
	/** Of those from the server: sent to a port that the client no longer has. */
	stale: number;
}

interface Client {
	readonly port: number;
	outer: Socket;
}

type Send = (bytes: Buffer) => void;

/** One that was held back and not overtaken goes after this. */
const HELD_MS = 20;

/** The kernel grants what it allows: bursts must not be lost but by the dice. */
const BUFFER_BYTES = 4 << 20;

/** One direction with its dice. */
class Line {
	readonly counts: Counts = { came: 0, lost: 0, doubled: 0, reordered: 0, stale: 0 };
	readonly #faults: Required<Faults>;
	readonly #random: Random;
	#held: { readonly send: () => void; readonly timer: NodeJS.Timeout } | undefined;

	constructor({ lost = 0, doubled = 0, reordered = 0 }: Faults, seed: number) {
		this.#faults = { lost, doubled, reordered };
		this.#random = new Random(seed);
	}

	carry(bytes: Buffer, send: Send): void {
		const { counts } = this;
		counts.came++;
		const fate = this.#fate();
		if (fate !== undefined) counts[fate]++;
		if (fate === "reordered") {
			this.#release();
			this.#held = { send: () => send(bytes), timer: setTimeout(() => this.#release(), HELD_MS) };
			return;
		}
		if (fate !== "lost") send(bytes);
		if (fate === "doubled") send(bytes);
		this.#release();
	}

	#fate(): keyof Faults | undefined {
		let at = this.#random.fraction();
		for (const fault of ["lost", "doubled", "reordered"] as const) {
			if (at < this.#faults[fault]) return fault;
			at -= this.#faults[fault];
		}
		return undefined;
	}

	/** What was held back goes on its way. */
	#release(): void {
		const held = this.#held;
		this.#held = undefined;
		clearTimeout(held?.timer);
		held?.send();
	}

	close(): void {
		clearTimeout(this.#held?.timer);
		this.#held = undefined;
	}
}

export class UdpNat {
	readonly #inner: Socket;
	#to: number;
	readonly #up: Line;
	readonly #down: Line;
	/** By their ports. */
	readonly #clients = new Map<number, Client>();
	/** Outer ports that clients had. They stay open: a router says nothing to what it no longer knows, either. */
	readonly #left: Socket[] = [];
	readonly #changes = new Changes();
	/** It has clients' datagrams wait for their outer port. */
	readonly #opening = new Map<number, Promise<Client>>();
	#isClosed = false;

	constructor(inner: Socket, to: number, { seed = 1, ...faults }: NatOptions) {
		this.#inner = inner;
		this.#to = to;
		this.#up = new Line(faults, seed);
		this.#down = new Line(faults, seed + 1);
		inner.on("message", (bytes, { port }) => void this.#fromClient(bytes, port));
	}

	/** Where clients send to. */
	get port(): number {
		return this.#inner.address().port;
	}

	/** From clients to the server. */
	get up(): Readonly<Counts> {
		return this.#up.counts;
	}

	/** From the server to clients. */
	get down(): Readonly<Counts> {
		return this.#down.counts;
	}

	/** Of the clients that there are, in the order in which they came. */
	get outerPorts(): number[] {
		return [...this.#clients.values()].map(({ outer }) => outer.address().port);
	}

	/** Waits until something holds of what came. */
	async until(holds: () => boolean): Promise<void> {
		await this.#changes.until(
			() => (holds() ? true : undefined),
			() => `what came: ${JSON.stringify({ up: this.up, down: this.down })}`,
		);
	}

	/** Clients' datagrams go to another port from now on, as if the server's address led elsewhere. */
	leadTo(port: number): void {
		this.#to = port;
	}

	/** Gives every client another outer port; what comes to the one that it had is dropped. */
	async rebind(): Promise<void> {
		for (const client of this.#clients.values()) {
			const next = await this.#open(client);
			this.#left.push(client.outer);
			client.outer = next;
		}
	}

	async #fromClient(bytes: Buffer, port: number): Promise<void> {
		const client = this.#clients.get(port) ?? (await this.#meet(port));
		if (this.#isClosed) return;
		this.#up.carry(bytes, (bytes) => this.#send(client.outer, bytes, this.#to));
		this.#changes.announce();
	}

	#meet(port: number): Promise<Client> {
		const known = this.#opening.get(port);
		if (known !== undefined) return known;
		const opening = this.#welcome(port);
		this.#opening.set(port, opening);
		return opening;
	}

	async #welcome(port: number): Promise<Client> {
		const client: Client = { port, outer: this.#inner };
		client.outer = await this.#open(client);
		this.#clients.set(port, client);
		this.#opening.delete(port);
		return client;
	}

	async #open(client: Client): Promise<Socket> {
		const outer = await openSocket();
		if (this.#isClosed) outer.close();
		else outer.on("message", (bytes) => this.#fromServer(bytes, client, outer));
		return outer;
	}

	#fromServer(bytes: Buffer, client: Client, outer: Socket): void {
		if (client.outer !== outer) this.#down.counts.stale++;
		else {
			this.#down.carry(bytes, (bytes) => this.#send(this.#inner, bytes, client.port));
			this.#changes.announce();
		}
	}

	#send(socket: Socket, bytes: Buffer, port: number): void {
		// Whoever closed its socket in the meantime is gone, as behind any router.
		if (!this.#isClosed) socket.send(bytes, port, LOOPBACK, () => {});
	}

	close(): void {
		this.#isClosed = true;
		this.#up.close();
		this.#down.close();
		const outer = [...this.#clients.values()].map((client) => client.outer);
		for (const socket of [this.#inner, ...this.#left, ...outer]) socket.close();
	}
}

async function openSocket(): Promise<Socket> {
	const socket = createSocket({
		type: "udp4",
		recvBufferSize: BUFFER_BYTES,
		sendBufferSize: BUFFER_BYTES,
	});
	socket.bind(0, LOOPBACK);
	await once(socket, "listening");
	return socket;
}

/** Starts one in front of a port; it ends with the scenario. */
export async function startNat(scenario: Scenario, to: number, options: NatOptions = {}): Promise<UdpNat> {
	const nat = new UdpNat(await openSocket(), to, options);
	scenario.defer(() => nat.close());
	return nat;
}
