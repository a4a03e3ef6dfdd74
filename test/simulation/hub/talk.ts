/** What a client says once it is a subscriber: requests, pings, and what it must not say. */
import type { Random } from "../../../src/rig/random.js";
import { NO_WISH, type Wish } from "./following.js";
import type { HubClient } from "./hub-client.js";
import { NAMES } from "./hub-plans.js";
import type { HubSide } from "./hub-side.js";
import { fragmentsOf, framedOf, frameOf, OPCODE, withHeader } from "./speech.js";

export class Talk {
	readonly #side: HubSide;
	readonly #random: Random;
	readonly #client: HubClient;
	#left: number;
	#refs = 0;
	/** It has said its last. */
	#isOver = false;

	constructor(side: HubSide, random: Random, client: HubClient) {
		this.#side = side;
		this.#random = random;
		this.#client = client;
		this.#left = client.nature.words;
	}

	/** One more thing. */
	say(): void {
		const random = this.#random;
		const { protocol, isMute } = this.#client.nature;
		if (this.#isOver || isMute || this.#left <= 0 || protocol === "events") return;
		this.#left--;
		if (random.chance(this.#client.nature.misbehaves)) {
			if (random.chance(0.4)) this.#close();
			else this.#garbage();
			return;
		}
		const kind = random.below(100);
		if (kind < 30) this.#subscribe();
		else if (kind < 45) this.#ask("unsubscribe", { channel: random.pick(NAMES) });
		else if (kind < 75) this.#publish();
		else if (kind < 82) this.#ask("presence", { channel: random.pick(NAMES) });
		else if (kind < 86) this.#ask(random.pick(["nonsense", "subscribe", "publish"]), {});
		else this.#ping();
	}

	answerHeartbeat(): void {
		const { protocol, isMute } = this.#client.nature;
		if (this.#isOver || isMute || protocol === "events" || this.#client.socket.finished) return;
		this.#append(
			protocol === "framed" ? Buffer.alloc(4) : frameOf(this.#random, OPCODE.pong, Buffer.alloc(0)),
		);
	}

	#subscribe(): void {
		const { wish, fields } = this.#side.randomWish();
		this.#ask("subscribe", { channel: this.#random.pick(NAMES), ...fields }, wish);
	}

	#ask(type: string, fields: { readonly channel?: string }, wish: Wish = NO_WISH): void {
		const ref = `r${this.#refs++}`;
		this.#text({ type, ...fields, ref });
		this.#client.expect(type, ref, fields.channel ?? "", wish);
	}

	#publish(): void {
		const random = this.#random;
		const { data, key, priority } = this.#side.randomMessage();
		const ref = random.chance(0.7) ? `r${this.#refs++}` : undefined;
		const channel = random.pick(NAMES);
		const header = {
			...{ type: "publish", channel },
			...(key === undefined ? {} : { key }),
			...(priority === undefined ? {} : { priority }),
			...(ref === undefined ? {} : { ref }),
		};
		if (typeof data === "string") this.#text({ ...header, data });
		else this.#binary(withHeader(header, data));
		this.#client.expect("publish", ref, channel, NO_WISH, ref === undefined);
	}

	#text(object: object): void {
		const bytes = Buffer.from(JSON.stringify(object));
		const { protocol } = this.#client.nature;
		this.#noteSize(bytes);
		this.#append(protocol === "framed" ? framedOf(bytes, false) : this.#message(OPCODE.text, bytes));
	}

	#binary(bytes: Buffer): void {
		const { protocol } = this.#client.nature;
		this.#noteSize(bytes);
		this.#append(protocol === "framed" ? framedOf(bytes, true) : this.#message(OPCODE.binary, bytes));
	}

	/** Larger than a message may be. */
	#noteSize({ length }: Buffer): void {
		if (length > this.#side.messageBytesMin) this.#client.isAtFault = true;
	}

	#message(opcode: number, bytes: Buffer): Buffer {
		return this.#random.chance(0.25)
			? fragmentsOf(this.#random, opcode, bytes)
			: frameOf(this.#random, opcode, bytes);
	}

	#ping(): void {
		if (this.#client.nature.protocol === "framed") {
			this.#append(Buffer.alloc(4));
			return;
		}
		const payload = Buffer.alloc(this.#random.below(126), this.#random.below(256));
		this.#append(frameOf(this.#random, OPCODE.ping, payload));
		this.#client.pings.push(payload);
	}

	#close(): void {
		if (this.#client.nature.protocol === "framed") return;
		const code = Buffer.from([3, 0xe8]);
		this.#append(frameOf(this.#random, OPCODE.close, this.#random.chance(0.3) ? Buffer.alloc(0) : code));
		this.#isOver = true;
	}

	/** It breaks the protocol, now or when it says more. */
	#garbage(): void {
		const random = this.#random;
		const bytes = Buffer.from(Array.from({ length: random.between(1, 40) }, () => random.below(256)));
		this.#client.isAtFault = true;
		this.#append(bytes);
		this.#isOver = true;
	}

	#append(bytes: Uint8Array): void {
		this.#client.socket.incoming.append(bytes);
	}
}
