/** A client that sends requests, and what it knows of their answers: of each only what was sent to it. */

import type { Random } from "../../src/rig/random.js";
import { HeadReader } from "./heads.js";
import type { ScriptedRequest } from "./requests.js";
import type { ScriptedResponse } from "./responses.js";

export class HttpClient {
	readonly requests: readonly ScriptedRequest[];
	/** Bytes of all requests, and of the PROXY header in front of them. */
	readonly scripted: number;
	/** How many requests it sends without having the answers to those before. */
	readonly #ahead: number;
	/** It speaks behind an upgrade before that is granted. */
	readonly #hasty: boolean;

	readonly reader = new HeadReader();
	/** Requests that are answered to the end. */
	answered = 0;
	/** It need not wait any longer to send the body that it announced. */
	continued = false;
	/** The answer whose body is coming, and how far it has come, as a place in its upstream's stream. */
	response: ScriptedResponse | undefined;
	position = 0;
	/** Of that answer's chunks only what is in them comes, because it speaks 1.0. */
	decodes = false;
	/** What is still to come of an answer of the gateway's own; and how many bytes of a last one were sent. */
	ownLeft = 0;
	own = 0;
	/** The status of the latest of these; 0: there was none. */
	lastOwn = 0;
	/** The answer at hand says that it is the last. */
	closes = false;
	/** The last one has come. */
	ended = false;
	/** A 101 has come: what follows is no HTTP. */
	upgraded = false;
	/** Bytes sent to upstreams for its requests. */
	forwarded = 0;
	/** It has an answer that nobody could tell from its own: from here on nothing is known. */
	confused = false;

	constructor(random: Random, requests: readonly ScriptedRequest[], scripted: number) {
		this.requests = requests;
		this.scripted = scripted;
		this.#ahead = random.pick([1, 1, 2, 16]);
		this.#hasty = random.chance(0.3);
	}

	/** The request that is to be answered next. */
	get current(): ScriptedRequest | undefined {
		return this.requests[this.answered];
	}

	/** Nothing of an answer has come that has not come whole. */
	get isBetween(): boolean {
		const isWithin = this.response !== undefined || this.ownLeft > 0 || this.reader.text !== "";
		return !isWithin && !this.ended && !this.upgraded;
	}

	/** It waits for nothing any more. */
	get isDone(): boolean {
		return this.ended || this.confused || (this.answered === this.requests.length && !this.upgraded);
	}

	/** Where the request that is answered next begins in its stream, or what is behind the last. */
	get nextStart(): number {
		return this.current?.start ?? this.scripted;
	}

	/** Up to where in its stream it has reason to write. `budget`: what it says behind an upgrade. */
	allowance(random: Random, budget: number): number {
		for (const [index, request] of this.requests.entries()) {
			if (index >= this.answered + this.#ahead) return request.start;
			if (!request.expects || index < this.answered) continue;
			// Nobody waits for ever.
			if (index === this.answered && random.chance(0.02)) this.continued = true;
			if (index > this.answered || !this.continued) return request.headEnd;
		}
		const speaks = this.requests.at(-1)?.upgrades === true && (this.upgraded || this.#hasty);
		return speaks ? this.scripted + budget : this.scripted;
	}
}
