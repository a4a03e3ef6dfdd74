/** The other end of a line that the reactor opens as an agent: what a gateway says there, rightly and wrongly, and what it must hear. */
import { ECONNRESET, ETIMEDOUT } from "../../../src/kernel/constants.js";
import { writeProxyV2 } from "../../../src/protocol/index.js";
import {
	CANARY,
	CANARY_BYTES,
	LINE_ALPN,
	LINE_GREETING_BYTES,
	LINE_PARKED,
	lineGreeting,
	lineProof,
	NONCE_BYTES,
	PROOF_BYTES,
} from "../../../src/protocol/tunnel/index.js";
import type { Random } from "../../../src/rig/random.js";
import { type ClientAddress, randomNamed } from "../addresses.js";
import type { SimulatedSocket } from "../descriptors.js";
import { choose } from "../prologues.js";
import type { SimulatedKernel } from "../simulated-kernel.js";
import { violated } from "../trace.js";
import type { Order } from "./agent.js";

/** Where visitors have come to: to the port of this number, at their own address. */
export const DESTINATION_PORT = 443;

/** What it does at a step: `dies` is drawn anew at each. */
type Manner = "right" | "wrong" | "partial" | "silent";
type Step = "ticket" | "nonce" | "proof" | "word" | "parked" | "visited" | "over";

/** Where it is, and how it is spoken to. */
export interface GatewayPlace {
	readonly address: ClientAddress;
	readonly port: number;
	readonly isThroughTls: boolean;
}

export class GatewayEnd {
	readonly place: GatewayPlace;
	/** What TLS it agrees on, and the certificate that it shows. */
	readonly version: string;
	readonly alpn: string;
	readonly certificate: string;
	/** It goes on with a session that was remembered, if it can. */
	readonly resumes: boolean;
	/** By the ticket that it was shown. */
	order: Order | undefined;
	/** It has said that the line is parked. */
	hasParked = false;
	/** A visitor, or a request, comes: its bytes begin here. -1: none does. */
	visitFrom = -1;
	isForRequests = false;
	/** The text of who the visitor is; `null`: nobody in particular. */
	source: string | null = null;
	/** An upstream that wants a PROXY header is to hear what this one says. */
	isPassedOn = false;
	/** What came last cannot be understood: the line must not become a session. */
	isMalformed = false;
	/** Where something begins that has been seen and is not whole, and when it was seen first; -1: nothing does. */
	begunAt = -1;
	begunMs = 0;
	readonly #random: Random;
	readonly #orderOf: (ticket: Uint8Array) => Order | undefined;
	readonly #nonces: Manner;
	readonly #words: Manner;
	/** Each message of its comes in one record, as the wire demands. */
	readonly #isWhole: boolean;
	readonly #dies: number;
	/** How likely it is to have something for a parked line. */
	readonly #busy: number;
	#step: Step = "ticket";
	#heard: number[] = [];
	#proof: Uint8Array = new Uint8Array(0);
	/** Canaries that have not come back, byte by byte. */
	readonly #echoes: number[] = [];

	constructor(
		random: Random,
		place: GatewayPlace,
		certificate: string,
		orderOf: (ticket: Uint8Array) => Order | undefined,
	) {
		this.#random = random;
		this.place = place;
		this.certificate = certificate;
		this.#orderOf = orderOf;
		const isCalm = random.chance(0.6);
		const manner = (): Manner =>
			!isCalm && random.chance(0.15) ? random.pick(["wrong", "partial", "silent"] as const) : "right";
		this.#nonces = manner();
		this.#words = manner();
		this.version = !isCalm && random.chance(0.03) ? "TLSv1.2" : "TLSv1.3";
		this.alpn = !isCalm && random.chance(0.03) ? random.pick(["", "h2"]) : LINE_ALPN;
		this.resumes = random.chance(0.7);
		this.#isWhole = isCalm || !random.chance(0.1);
		this.#dies = isCalm ? 0 : random.pick([0, 0.002, 0.02, 0.1]);
		this.#busy = random.pick([0.02, 0.2, 0.7]);
	}

	/** No visitor has come, so it is not an other end like all of them yet. */
	get isBusy(): boolean {
		return this.#step !== "visited";
	}

	/** It says what cannot be understood, or in more records than it may. */
	get isMisleading(): boolean {
		return this.isMalformed || (this.place.isThroughTls && !this.#isWhole);
	}

	// What it hears.

	/** The agent says something while no visitor has the line. */
	hears(socket: SimulatedSocket, memory: Uint8Array, offset: number, length: number): void {
		const words = Array.from(memory.subarray(offset, offset + length));
		if (this.hasParked) {
			for (const byte of words)
				if (byte !== this.#echoes.shift()) violated("what comes back is not the canary that was sent");
			return;
		}
		this.#heard.push(...words);
		if (this.#step === "ticket") this.#hearsTicket(socket);
		else if (this.#step === "proof") this.#hearsProof();
		else violated(`${length} bytes are said before the gateway has answered`);
		if (this.#heard.length > 0 && this.place.isThroughTls)
			violated("what an agent says of itself is cut into records");
	}

	#hearsTicket(socket: SimulatedSocket): void {
		if (this.#heard.length < LINE_GREETING_BYTES) return;
		const order = this.#orderOf(Uint8Array.from(this.#heard.slice(4)));
		if (order === undefined || !lineGreeting(order.ticket).equals(Uint8Array.from(this.#heard)))
			violated("a ticket is shown that nobody has ordered a line with");
		if (this.place.isThroughTls) {
			// Or the session that it goes on with was one of who has shown it.
			const isMadeSureOf = socket.secured?.certificate === order.fingerprint;
			if (!isMadeSureOf || this.alpn !== LINE_ALPN || this.version !== "TLSv1.3")
				violated("a ticket is shown to who is not the gateway that was made sure of");
		}
		order.socket = socket;
		this.order = order;
		this.#heard = [];
		this.#step = "nonce";
	}

	#hearsProof(): void {
		if (this.#heard.length < PROOF_BYTES) return;
		if (Buffer.compare(this.#proof, Uint8Array.from(this.#heard)) !== 0)
			violated("a proof is not that of its ticket");
		this.#heard = [];
		this.#step = "word";
	}

	/** All canaries have come back. */
	get isEchoed(): boolean {
		return this.#echoes.length === 0;
	}

	// What it does.

	act(socket: SimulatedSocket, kernel: SimulatedKernel): void {
		const random = this.#random;
		if (random.chance(this.#dies)) {
			this.#die(socket, kernel);
			return;
		}
		const left = socket.incoming.scripted - socket.incoming.arrived;
		if (left > 0) {
			const isHandshake = socket.incoming.arrived < socket.shakeEnd && this.place.isThroughTls;
			this.#deliver(socket, kernel, left, isHandshake || !this.place.isThroughTls || !this.#isWhole);
			return;
		}
		switch (this.#step) {
			case "nonce":
				this.#answer(socket, kernel, this.#nonces, this.#nonce());
				return;
			case "word":
				this.#answer(socket, kernel, this.#words, Uint8Array.of(LINE_PARKED));
				return;
			case "parked":
				if (random.chance(this.#busy)) this.#use(socket, kernel);
		}
	}

	#die(socket: SimulatedSocket, kernel: SimulatedKernel): void {
		const random = this.#random;
		if (random.chance(0.5)) kernel.kill(socket, random.pick([ECONNRESET, ETIMEDOUT]));
		else kernel.leave(socket);
	}

	#nonce(): Uint8Array {
		const nonce = Uint8Array.from({ length: NONCE_BYTES }, () => this.#random.below(256));
		const { key = nonce, ticket = nonce } = this.order ?? {};
		this.#proof = lineProof(key, ticket, nonce);
		return nonce;
	}

	#answer(socket: SimulatedSocket, kernel: SimulatedKernel, manner: Manner, right: Uint8Array): void {
		const random = this.#random;
		const isWord = this.#step === "word";
		switch (manner) {
			case "silent":
				return;
			case "partial":
				// Of a single byte nothing is left.
				this.#say(socket, kernel, right.subarray(0, random.below(right.length)));
				this.#step = "over";
				if (random.chance(0.5)) this.#die(socket, kernel);
				return;
			case "wrong":
				this.#step = isWord ? "over" : "proof";
				// Longer than it may be; or another word.
				this.#say(socket, kernel, isWord ? Uint8Array.of(random.pick([0, 2, 13, 71])) : right);
				if (!isWord) this.#say(socket, kernel, Uint8Array.of(random.pick([0, 2, 255])));
				return;
			default:
				this.#step = isWord ? "parked" : "proof";
				this.hasParked ||= isWord;
				this.#say(socket, kernel, right);
				// It does not wait for anything.
				if (isWord && random.chance(0.2)) this.#use(socket, kernel);
		}
	}

	/** It has something for a line that is parked. */
	#use(socket: SimulatedSocket, kernel: SimulatedKernel): void {
		const draw = this.#random.fraction();
		// Rarely more at once than are answered in a turn.
		const canaries = draw < 0.02 ? this.#random.between(10, 40) : draw < 0.3 ? 1 : 0;
		for (let count = 0; count < canaries; count++) this.#sendCanary(socket, kernel);
		if (canaries > 0) return;
		if (draw < 0.36) this.#sayGarbage(socket, kernel);
		else if (draw < 0.55) this.#sendRequest(socket, kernel);
		else this.#sendVisitor(socket, kernel);
	}

	#sendCanary(socket: SimulatedSocket, kernel: SimulatedKernel): void {
		const canary = Uint8Array.from({ length: CANARY_BYTES }, (_, at) =>
			at === 0 ? CANARY : this.#random.below(256),
		);
		this.#echoes.push(...canary);
		this.#say(socket, kernel, canary);
	}

	#sayGarbage(socket: SimulatedSocket, kernel: SimulatedKernel): void {
		const random = this.#random;
		const header = this.#header(randomNamed(random), 1);
		header[random.between(1, 12)] = 0xee;
		this.isMalformed = true;
		this.#step = "over";
		this.#say(socket, kernel, random.chance(0.5) ? header : Uint8Array.of(random.between(1, 12), 1, 2));
	}

	#sendRequest(socket: SimulatedSocket, kernel: SimulatedKernel): void {
		const method = this.#random.pick(["GET", "POST", "q"]);
		const request = Buffer.from(`${method} / HTTP/1.1\r\nHost: a.example\r\n\r\n`);
		this.isForRequests = true;
		this.#visit(socket, kernel, new Uint8Array(0), request, undefined, 0);
	}

	#sendVisitor(socket: SimulatedSocket, kernel: SimulatedKernel): void {
		const random = this.#random;
		const named = random.chance(0.15) ? undefined : randomNamed(random);
		const port = 1_024 + random.below(60_000);
		const words = random.chance(0.2) ? new Uint8Array(0) : choose(random).bytes;
		this.#visit(socket, kernel, this.#header(named, port), words, named, port);
	}

	/** Of version 2, as a gateway writes it. */
	#header(named: ClientAddress | undefined, port: number): Uint8Array {
		const header = new Uint8Array(256);
		const bytes = named?.bytes ?? new Uint8Array(0);
		const family = named === undefined ? 0 : bytes.length === 4 ? 4 : 6;
		return header.subarray(0, writeProxyV2(header, 0, family, bytes, port, bytes, DESTINATION_PORT));
	}

	#visit(
		socket: SimulatedSocket,
		kernel: SimulatedKernel,
		header: Uint8Array,
		words: Uint8Array,
		named: ClientAddress | undefined,
		port: number,
	): void {
		const { place } = this;
		this.visitFrom = socket.incoming.scripted + header.length;
		socket.named = named ?? place.address;
		socket.namedPort = named === undefined ? place.port : port;
		this.source = named === undefined ? null : textOf(named, port);
		this.#step = "visited";
		const isTogether = this.#random.chance(0.5) || header.length === 0;
		if (!isTogether) {
			this.#say(socket, kernel, header);
			this.#append(socket, words);
		} else this.#say(socket, kernel, Buffer.concat([header, words]));
	}

	#append(socket: SimulatedSocket, bytes: Uint8Array): number {
		if (bytes.length === 0 || socket.finished || socket.dead) return 0;
		socket.incoming.append(bytes);
		return bytes.length;
	}

	#say(socket: SimulatedSocket, kernel: SimulatedKernel, bytes: Uint8Array): void {
		if (this.#append(socket, bytes) === 0) return;
		const left = socket.incoming.scripted - socket.incoming.arrived;
		this.#deliver(socket, kernel, left, !this.place.isThroughTls || !this.#isWhole);
	}

	#deliver(socket: SimulatedSocket, kernel: SimulatedKernel, left: number, maySplit: boolean): void {
		const isSplit = maySplit && this.#random.chance(0.3);
		kernel.deliverWhole(socket, isSplit ? this.#random.between(1, left) : left);
	}
}

/** `203.0.113.7:53496` */
function textOf({ family, unmapped }: ClientAddress, port: number): string {
	if (family === 4) return `${unmapped.join(".")}:${port}`;
	const groups = Array.from({ length: 8 }, (_, group) =>
		(((unmapped[2 * group] ?? 0) << 8) | (unmapped[2 * group + 1] ?? 0)).toString(16),
	);
	return `[${shortened(groups)}]:${port}`;
}

/** RFC 5952: the longest run of zeros, the first of them, is left out. */
function shortened(groups: readonly string[]): string {
	let best = 0;
	let bestAt = -1;
	for (let at = 0; at < groups.length; at++) {
		let length = 0;
		while (groups[at + length] === "0") length++;
		if (length > best) {
			best = length;
			bestAt = at;
		}
	}
	if (best < 2) return groups.join(":");
	return `${groups.slice(0, bestAt).join(":")}::${groups.slice(bestAt + best).join(":")}`;
}
