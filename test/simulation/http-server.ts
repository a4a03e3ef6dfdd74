/** An upstream connection that takes requests: what it was sent, and how it answers, if at all. */
import { ECONNRESET } from "../../src/kernel/constants.js";
import type { Random } from "../../src/rig/random.js";
import type { SimulatedSocket } from "./descriptors.js";
import { HeadReader } from "./heads.js";
import type { HttpClient } from "./http-client.js";
import type { ScriptedRequest } from "./requests.js";
import { interimResponse, randomResponse, type ScriptedResponse } from "./responses.js";
import type { SimulatedKernel } from "./simulated-kernel.js";

/** What is waited for before a request is answered. */
type Patience = "whole" | "head" | "for ever";

/** Answers by id, of all upstreams. */
export type Responses = Map<string, ScriptedResponse>;

export class HttpServer {
	readonly reader = new HeadReader();
	/** Requests of which it was sent something. Only the last can be unfinished. */
	readonly asked: ScriptedRequest[] = [];
	/** The head of the last one has come. */
	hasHead = true;
	/** How far it has come, as a place in its client's stream, or of chunks in what goes on of them; and whether that is its end. */
	position = 0;
	/** Trailers of the last one go to this upstream. */
	keepsTrailers = false;
	isWhole = true;
	/** Answers, each the last of its request's: whoever counts them knows which is whose. */
	readonly responses: ScriptedResponse[] = [];
	/** It said something that nobody asked for, and that could not be told from an answer. */
	confused = false;
	/** The client that is authenticated on it: nobody else's request may come on it. */
	owner: HttpClient | undefined = undefined;
	/** What is said or sent on it next may belong to nobody: it is not to be lent again. */
	spoilt = false;
	/** It has sent what no gateway may pass on, or not to its end. */
	faulty = false;

	readonly #random: Random;
	readonly #all: Responses;
	readonly #bulk: boolean;
	/** How likely it is, when it has its turn, to say something unasked, or to end although it need not. */
	readonly #blurts: number;
	readonly #leaves: number;
	/** How likely an answer is to be cut. */
	readonly #cuts: number;
	#patience: Patience = "whole";
	#pace = 1;
	#interims = 0;
	/** Requests that it has answered. */
	#answered = 0;
	/** It ends there, whatever it was about to say: -1: nowhere. */
	#cutAt = -1;

	constructor(random: Random, all: Responses, bulk: boolean) {
		this.#random = random;
		this.#all = all;
		this.#bulk = bulk;
		this.#blurts = random.chance(0.8) ? 0 : 0.05;
		this.#leaves = random.pick([0, 0, 0.01, 0.1]);
		this.#cuts = random.pick([0, 0.02, 0.02, 0.3]);
	}

	/** The head of a request has come: what becomes of it? */
	decide(): void {
		const random = this.#random;
		const draw = random.fraction();
		this.#patience = draw < 0.85 ? "whole" : draw < 0.98 ? "head" : "for ever";
		this.#pace = random.pick([1, 0.7, 0.3, 0.03]);
		this.#interims = random.chance(0.12) ? random.between(1, 3) : 0;
	}

	/** Nobody waits for an answer, and nothing of one is left to say. */
	#isIdle(socket: SimulatedSocket): boolean {
		return this.#answered === this.asked.length && socket.incoming.arrived >= socket.incoming.scripted;
	}

	/** One thing that it does. `calm`: it answers what it can, and then it ends. */
	act(socket: SimulatedSocket, kernel: SimulatedKernel, room: number, calm: boolean): void {
		const random = this.#random;
		const { incoming, temper } = socket;
		if (this.#answered < this.asked.length && this.hasHead && (calm || random.chance(this.#pace)))
			this.#answer(socket);
		const end = this.#cutAt < 0 ? this.#end(socket) : this.#cutAt;
		const left = Math.min(end - incoming.arrived, room);
		if (left > 0) {
			const burst = calm || random.chance(0.5) ? left : random.magnitude(temper.burst);
			kernel.deliver(socket, Math.min(left, burst));
			// The end may come with the last bytes.
			if (this.#cutAt >= 0 && incoming.arrived === end && random.chance(0.5)) this.#cut(socket, kernel);
			return;
		}
		if (room <= 0) return;
		if (this.#cutAt >= 0) {
			this.#cut(socket, kernel);
			return;
		}
		const last = this.responses.at(-1);
		if (calm || (last?.closes === true && random.chance(0.5))) this.#finish(socket, kernel);
		else if (last?.closes === true) return;
		else if (this.#isUpgraded) {
			if (!temper.staysOpen && random.chance(0.3)) this.#finish(socket, kernel);
		} else if (this.#isIdle(socket)) this.#whileIdle(socket, kernel);
		else if (this.#patience !== "for ever" && random.chance(this.#leaves)) this.#leave(socket, kernel);
	}

	#cut(socket: SimulatedSocket, kernel: SimulatedKernel): void {
		if (this.#random.chance(0.5)) kernel.kill(socket, ECONNRESET);
		else this.#finish(socket, kernel);
	}

	get #isUpgraded(): boolean {
		return this.responses.at(-1)?.status === 101;
	}

	/** Behind a 101 it says what nobody has scripted. */
	#end({ incoming, temper }: SimulatedSocket): number {
		return incoming.scripted + (this.#isUpgraded ? temper.budget : 0);
	}

	#answer(socket: SimulatedSocket): void {
		const random = this.#random;
		const request = this.asked.at(-1);
		if (request === undefined || this.#patience === "for ever" || this.#isUpgraded) return;
		if (this.responses.at(-1)?.closes === true) return; // it has said its last
		if (request.expects && !this.isWhole && random.chance(0.3))
			this.#say(socket, interimResponse(random, this.#id(), request, socket, 100));
		if (this.#patience === "whole" && !this.isWhole) return;
		for (; this.#interims > 0; this.#interims--)
			this.#say(
				socket,
				interimResponse(random, this.#id(), request, socket, random.pick([100, 103] as const)),
			);
		const answer = randomResponse(random, this.#id(), request, socket, this.#bulk);
		this.#answered++;
		this.#say(socket, answer);
		if (answer.response.fault !== "none") this.faulty = true;
		if (random.chance(this.#cuts)) {
			this.#cutAt = answer.response.start + random.below(answer.text.length + 1);
			this.faulty = true;
		} else if (!answer.response.closes && random.chance(4 * this.#blurts))
			this.#say(socket, randomResponse(random, this.#id(), undefined, socket, false));
	}

	/** An end at any moment, an answer that nobody asked for. */
	#whileIdle(socket: SimulatedSocket, kernel: SimulatedKernel): void {
		const random = this.#random;
		if (random.chance(this.#leaves)) this.#leave(socket, kernel);
		else if (random.chance(this.#blurts)) this.#blurt(socket, kernel);
	}

	/** It has answered, and could be asked again. */
	mayStir(socket: SimulatedSocket): boolean {
		if (socket.dead || socket.finished || this.asked.length === 0 || !this.#isIdle(socket)) return false;
		return this.responses.at(-1)?.closes === false && !this.#isUpgraded;
	}

	/** It ends or speaks all the same, at a moment that somebody else chooses. */
	stir(socket: SimulatedSocket, kernel: SimulatedKernel): void {
		if (this.#random.chance(0.5)) this.#leave(socket, kernel);
		else this.#blurt(socket, kernel);
	}

	#leave(socket: SimulatedSocket, kernel: SimulatedKernel): void {
		if (this.#random.chance(0.3)) kernel.kill(socket, ECONNRESET);
		else this.#finish(socket, kernel);
	}

	#blurt(socket: SimulatedSocket, kernel: SimulatedKernel): void {
		this.#say(socket, randomResponse(this.#random, this.#id(), undefined, socket, false));
		kernel.deliver(socket, socket.incoming.scripted - socket.incoming.arrived);
	}

	#finish(socket: SimulatedSocket, kernel: SimulatedKernel): void {
		const last = this.responses.at(-1);
		const { arrived } = socket.incoming;
		// That is the end of an answer that only the stream ends.
		const mayEnd = socket.shakeEnd === Number.POSITIVE_INFINITY || socket.saysGoodbye;
		if (last?.framing === "close" && mayEnd && arrived >= last.headEnd)
			last.end = Math.min(last.end, arrived);
		kernel.leave(socket);
	}

	#say(socket: SimulatedSocket, { text, response }: { text: string; response: ScriptedResponse }): void {
		socket.incoming.append(Buffer.from(text, "latin1"));
		this.#all.set(response.id, response);
		if (response.spoils) this.spoilt = true;
		if (!response.isInterim) this.responses.push(response);
	}

	#id(): string {
		return `a${this.#all.size}`;
	}
}
