/** A connection that an agent has opened: what it says, and what it makes of what the gateway says to it. */
import { ECONNRESET, ETIMEDOUT } from "../../../src/kernel/constants.js";
import {
	CANARY,
	CANARY_BYTES,
	CONTROL_ALPN,
	CONTROL_MAGIC,
	LINE_ALPN,
	LINE_PARKED,
	lineGreeting,
	lineProof,
	NONCE_BYTES,
} from "../../../src/protocol/tunnel/index.js";
import type { Random } from "../../../src/rig/random.js";
import type { SimulatedSocket } from "../descriptors.js";
import type { SimulatedKernel } from "../simulated-kernel.js";
import { violated } from "../trace.js";

/** A ticket as its agent has it, and what the simulation knows of it. */
export interface SimulatedTicket {
	readonly id: Uint8Array;
	readonly key: Uint8Array;
	readonly tunnel: number;
	readonly epoch: number;
	/** `used`: a proof of it has come to the main thread; `over`: it ended without one. */
	state: "out" | "used" | "over";
}

/** What it is, by its first words. */
type Opening = "line" | "foreign" | "control" | "garbage" | "silent";
/** What its proof is. */
type Proving = "right" | "wrong" | "cut" | "long" | "none";
type Step = "hello" | "greeting" | "nonce" | "verdict" | "parked";

export class AgentLine {
	readonly ticket: SimulatedTicket;
	readonly isThroughTls: boolean;
	/** What TLS it agrees on. */
	readonly version: string;
	readonly opening: Opening;
	readonly #random: Random;
	readonly #proving: Proving;
	/** Each message of its comes in one record, as the wire demands. */
	readonly #isWhole: boolean;
	readonly #echoes: "right" | "wrong" | "never";
	readonly #dies: number;
	#step: Step = "hello";
	/** What the gateway has said before it is a visitor's: the nonce, that it is parked, a canary. */
	#heard: number[] = [];
	/** Up to here its stream is none of a visitor's. */
	base = 0;
	/** The last turn behind which it was parked. */
	parkedTurn = 0;
	/** Where its answer to the last canary ends. */
	#echoEnd = 0;
	/** Its proof is what it must be, and has been sent, whatever follows it. */
	isProved = false;
	/** It was told that it is parked. */
	isParked = false;
	/** A visitor, or a request, has it, or had it. */
	isVisited = false;
	/** A canary is under way on it. */
	isTried = false;
	/** Nothing was sent of its visitor's PROXY header yet. */
	visitsFrom = -1;

	constructor(random: Random, ticket: SimulatedTicket, isThroughTls: boolean, isCalm: boolean) {
		this.#random = random;
		this.ticket = ticket;
		this.isThroughTls = isThroughTls;
		const odd = (chance: number): boolean => !isCalm && random.chance(chance);
		this.opening = odd(0.1) ? random.pick(["foreign", "control", "garbage", "silent"] as const) : "line";
		this.#proving = odd(0.1) ? random.pick(["wrong", "cut", "long", "none"] as const) : "right";
		this.version = odd(0.02) ? "TLSv1.2" : "TLSv1.3";
		this.#isWhole = !odd(0.05);
		this.#echoes = odd(0.2) ? random.pick(["wrong", "never"] as const) : "right";
		this.#dies = isCalm ? 0 : random.pick([0, 0, 0.002, 0.02]);
		if (!isThroughTls) this.#step = "greeting";
	}

	/** Its first words in the open, before TLS. */
	hello(): Uint8Array {
		if (!this.isThroughTls) return new Uint8Array(0);
		const alpn =
			this.opening === "foreign"
				? this.#random.pick(["h2", "sluice-line/2", ""] as const)
				: this.opening === "control"
					? CONTROL_ALPN
					: LINE_ALPN;
		const hello = clientHello(alpn);
		if (this.opening === "garbage") hello[5] = 2;
		return Buffer.concat([hello, new Uint8Array(this.#random.magnitude(300))]);
	}

	/** It has something to say although it is parked, or it has not been heard of yet. */
	get isBusy(): boolean {
		return !this.isVisited || this.isTried;
	}

	/** One thing that it does while no visitor has it. */
	act(socket: SimulatedSocket, kernel: SimulatedKernel): void {
		const random = this.#random;
		if (this.opening === "silent" && random.chance(0.95)) return;
		if (random.chance(this.#dies)) {
			this.#die(socket, kernel);
			return;
		}
		const left = socket.incoming.scripted - socket.incoming.arrived;
		if (left > 0) {
			this.#deliver(socket, kernel, left);
			return;
		}
		if (!this.isVisited) this.#goOn(socket, kernel);
		if (this.isTried) this.#answerCanary(socket, kernel);
	}

	#die(socket: SimulatedSocket, kernel: SimulatedKernel): void {
		const random = this.#random;
		if (random.chance(0.5)) kernel.kill(socket, random.pick([ECONNRESET, ETIMEDOUT]));
		else kernel.leave(socket);
	}

	#goOn(socket: SimulatedSocket, kernel: SimulatedKernel): void {
		const random = this.#random;
		switch (this.#step) {
			case "hello":
				if (socket.isOpenTls) this.#step = "greeting";
				return;
			case "greeting":
				this.#step = "nonce";
				this.#say(socket, kernel, this.#greeting());
				return;
			case "nonce":
				if (this.#heard.length < NONCE_BYTES || this.#proving === "none") return;
				this.#step = "verdict";
				this.#prove(socket, kernel);
				return;
			case "parked":
				// It has no reason to, and is not one that the gateway can go on with.
				if (random.chance(this.#dies / 2)) this.#say(socket, kernel, Uint8Array.of(random.below(256)));
		}
	}

	#greeting(): Uint8Array {
		if (!this.isThroughTls && this.opening === "control") return CONTROL_MAGIC;
		if (this.opening === "garbage" || this.opening === "foreign")
			return Buffer.from(this.#random.pick(["GET / HTTP/1.1\r\n\r\n", "SLN2xxxxxxxxxxxxxxxx", "\0\0\0\0"]));
		return lineGreeting(this.ticket.id);
	}

	#prove(socket: SimulatedSocket, kernel: SimulatedKernel): void {
		const { key, id } = this.ticket;
		const proof = lineProof(key, id, Uint8Array.from(this.#heard));
		this.#heard = [];
		if (this.#proving === "wrong") {
			const at = this.#random.below(proof.length);
			proof[at] = (proof[at] as number) ^ (1 << this.#random.below(8));
		}
		if (this.#proving === "cut") {
			this.#say(socket, kernel, proof.subarray(0, this.#random.below(proof.length)));
			if (this.#random.chance(0.5)) kernel.finish(socket);
			return;
		}
		this.#say(socket, kernel, this.#proving === "long" ? Buffer.concat([proof, Uint8Array.of(0)]) : proof);
		this.isProved = this.#proving !== "wrong";
	}

	#answerCanary(socket: SimulatedSocket, kernel: SimulatedKernel): void {
		if (this.#heard.length < CANARY_BYTES || this.#echoes === "never") return;
		const echo = Uint8Array.from(this.#heard);
		this.#heard = [];
		if (this.#echoes === "wrong") echo[CANARY_BYTES - 1] = ~(echo[CANARY_BYTES - 1] as number);
		this.#say(socket, kernel, echo);
		this.#echoEnd = this.base;
	}

	#say(socket: SimulatedSocket, kernel: SimulatedKernel, bytes: Uint8Array): void {
		if (bytes.length === 0 || socket.finished) return;
		socket.incoming.append(bytes);
		this.base = socket.incoming.scripted;
		this.#deliver(socket, kernel, bytes.length);
	}

	#deliver(socket: SimulatedSocket, kernel: SimulatedKernel, left: number): void {
		const isHello = this.#step === "hello";
		const inPieces = isHello || !this.isThroughTls ? this.#random.chance(0.2) : !this.#isWhole;
		kernel.deliverWhole(socket, inPieces ? this.#random.between(1, left) : left);
	}

	/** The gateway says something while it proves itself, or is tried. True: a canary begins. */
	hears(memory: Uint8Array, offset: number, length: number): boolean {
		for (let i = 0; i < length; i++) this.#heard.push(memory[offset + i] as number);
		if (this.#step === "verdict") {
			const [first] = this.#heard;
			if (this.#heard.length !== 1 || first !== LINE_PARKED)
				violated(`a line is told ${this.#heard} where it is to be told that it is parked`);
			if (!this.isProved) violated("a line is parked that has not proved its ticket");
			this.#heard = [];
			this.#step = "parked";
			this.isParked = true;
			return false;
		}
		if (this.#step === "parked") {
			if (this.#heard[0] !== CANARY || this.#heard.length > CANARY_BYTES)
				violated(`a parked line is told ${this.#heard}, which is no canary`);
			const isNew = !this.isTried;
			this.isTried = true;
			return isNew;
		}
		if (this.#step !== "nonce" || this.#heard.length > NONCE_BYTES)
			violated(`a line is told ${this.#heard.length} bytes before it has shown its ticket`);
		return false;
	}

	/** Its canary has come back to the gateway, if one was under way. */
	settle(socket: SimulatedSocket): void {
		if (this.isTried && this.#heard.length === 0 && socket.taken >= this.#echoEnd) this.isTried = false;
	}
}

/** A hello that asks for this protocol, or for none. */
function clientHello(alpn: string): Buffer {
	const name = Buffer.from(alpn);
	const entry = Buffer.concat([Buffer.of(name.length), name]);
	const list = Buffer.concat([u16(entry.length), entry]);
	const extension = alpn === "" ? Buffer.alloc(0) : Buffer.concat([u16(16), u16(list.length), list]);
	const body = Buffer.concat([
		u16(0x0303),
		Buffer.alloc(32, 7),
		Buffer.of(0),
		u16(2),
		u16(0x1301),
		Buffer.of(1, 0),
		u16(extension.length),
		extension,
	]);
	const message = Buffer.concat([Buffer.of(1, 0), u16(body.length), body]);
	return Buffer.concat([Buffer.of(0x16, 3, 1), u16(message.length), message]);
}

function u16(value: number): Buffer {
	return Buffer.of(value >> 8, value & 0xff);
}
