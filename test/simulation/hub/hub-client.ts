/** A client of the hub: what it says, and what it makes of what it is told. */
import { ECONNRESET, ETIMEDOUT } from "../../../src/kernel/constants.js";
import type { Random } from "../../../src/rig/random.js";
import type { SimulatedSocket } from "../descriptors.js";
import { violated } from "../trace.js";
import type { Terms } from "./expected.js";
import { Following, NO_WISH, type When, type Wish } from "./following.js";
import type { HubReactor } from "./hub-reactor.js";
import type { HubSide, Span } from "./hub-side.js";
import { eventReader, framedReader, type Reader, type Told, type Unit, webSocketReader } from "./readers.js";
import type { Protocol } from "./speech.js";
import { Talk } from "./talk.js";

/** What it has asked for, and has to be answered. */
export interface Request {
	readonly type: string;
	readonly ref: string | undefined;
	readonly channel: string;
	readonly wish: Wish;
	/** When it was asked for, in its reactor's sights and by the clock; and the configuration of then. */
	readonly sight: number;
	readonly askedMs: number;
	readonly config: number;
	/** Only a fault is answered. */
	readonly isQuiet: boolean;
	/** How many bytes it had said when it was all there. */
	readonly end: number;
}

export type Phase = "asks" | "refused" | "subscribes" | "over";

const READERS: Readonly<Record<Protocol, Reader>> = {
	websocket: webSocketReader,
	events: eventReader,
	framed: framedReader,
};

export interface Nature {
	readonly protocol: Protocol;
	readonly isSecured: boolean;
	/** How likely it is, when it has its turn, to … */
	readonly reads: number;
	readonly talks: number;
	readonly resets: number;
	readonly leaves: number;
	/** What it says of itself, all in all. */
	readonly words: number;
	/** It does not answer pings, and says nothing else. */
	readonly isMute: boolean;
	/** How likely what it says is to be its last, or to be nothing that may be said. */
	readonly misbehaves: number;
}

/** One of them begins with the other. */
function isBeginOf(text: string, whole: string): boolean {
	return text.startsWith(whole) || whole.startsWith(text);
}

export class HubClient {
	readonly socket: SimulatedSocket;
	readonly reactor: number;
	readonly nature: Nature;
	phase: Phase = "asks";
	/** Its subscriptions, by channel. */
	readonly following = new Map<string, Following>();
	readonly requests: Request[] = [];
	/** Payloads of pings that are to be answered. */
	readonly pings: Buffer[] = [];
	/** Why it ends, as it was told. */
	closeCode: number | undefined;
	/** It was sent something, or has said something, last. */
	toldMs: number;
	saidMs: number;
	/** How often it has taken less than it was sent. */
	shorts = 0;
	/** When it was accepted, when it was seen to be a subscriber first, since when it takes no more, and when something of it was read last. */
	acceptedMs: number;
	subscriberMs = Number.NEGATIVE_INFINITY;
	blockedMs = Number.NEGATIVE_INFINITY;
	readMs: number;
	#read = 0;
	/** It may be closed for what it has said. */
	isAtFault = false;
	readonly #side: HubSide;
	readonly #talk: Talk;
	#bytes = Buffer.alloc(0);
	/** The first byte of what is not whole yet: what was known when it went, and before it. */
	#first: Span | undefined;
	/** Where the last byte was in its reactor's sights, and when it went. */
	#lastSight: number;
	#lastMs: number;
	#status = 0;

	constructor(side: HubSide, random: Random, socket: SimulatedSocket, reactor: number, nature: Nature) {
		this.socket = socket;
		this.reactor = reactor;
		this.nature = nature;
		this.#side = side;
		this.#lastSight = this.#here.sights.last;
		this.#lastMs = side.nowMs;
		this.toldMs = side.nowMs;
		this.saidMs = side.nowMs;
		this.acceptedMs = side.nowMs;
		this.readMs = side.nowMs;
		this.#talk = new Talk(side, random, this);
	}

	/** What it begins with. */
	begin(path: readonly string[], wish: Wish, request: Uint8Array): void {
		this.socket.incoming.append(request);
		const isFramed = this.nature.protocol === "framed";
		for (const channel of path)
			this.expect("subscribe", undefined, channel, wish, false, isFramed ? 0 : undefined);
		if (isFramed) this.phase = "subscribes";
	}

	expect(
		type: string,
		ref: string | undefined,
		channel: string,
		wish = NO_WISH,
		isQuiet = false,
		end = this.socket.incoming.scripted,
	): void {
		const { nowMs, configs } = this.#side;
		this.requests.push({
			...{ type, ref, channel, wish, isQuiet, end },
			...{ sight: this.#here.sights.last, askedMs: nowMs, config: configs.length - 1 },
		});
	}

	get #here(): HubReactor {
		return this.#side.reactors[this.reactor] ?? violated("a client has no reactor");
	}

	/** Behind each turn of its reactor. */
	looked(isSubscriber: boolean, isBlocked: boolean): void {
		if (!isBlocked) this.blockedMs = Number.NEGATIVE_INFINITY;
		else if (this.blockedMs < 0) this.blockedMs = this.#side.nowMs;
		if (isSubscriber && this.subscriberMs < 0) this.subscriberMs = this.#side.nowMs;
		const { taken } = this.socket;
		if (taken === this.#read) return;
		this.#read = taken;
		this.readMs = this.#side.nowMs;
	}

	/** What it says to TLS is taken for the hub where it was silent before. */
	get isMisread(): boolean {
		return this.nature.isSecured && this.socket.secured === undefined;
	}

	/** What may be decided upon of it at this moment. */
	whenNow(): When {
		const { sights } = this.#here;
		const { nowMs } = this.#side;
		return {
			...{ sights, from: this.#lastSight, to: sights.last, turn: sights.last, shorts: this.shorts },
			...{ fromMs: this.#lastMs, untilMs: nowMs, mayBeOlder: true },
		};
	}

	// What it does.

	act(random: Random): void {
		const { socket, nature } = this;
		const { kernel } = this.#here;
		if (socket.dead) return;
		if (socket.throttled && random.chance(0.4)) kernel.unthrottle(socket);
		if (random.chance(0.5)) kernel.endRecord(socket);
		if ((socket.resetDue && random.chance(0.5)) || random.chance(nature.resets)) {
			kernel.kill(socket, random.chance(0.85) ? ECONNRESET : ETIMEDOUT);
			return;
		}
		if (socket.queued > 0 && random.chance(nature.reads))
			kernel.acknowledge(socket, Math.min(socket.queued, random.magnitude(socket.capacity)));
		if (socket.finished) return;
		if (this.phase === "subscribes" && random.chance(nature.talks)) this.#talk.say();
		this.#write(random);
		if (random.chance(nature.leaves)) kernel.leave(socket);
	}

	#write(random: Random): void {
		const { incoming } = this.socket;
		const left = incoming.scripted - incoming.arrived;
		if (left <= 0 || !random.chance(0.7)) return;
		this.#deliver(random.chance(0.5) ? left : random.magnitude(left));
	}

	#deliver(count: number): void {
		const { kernel } = this.#here;
		kernel.deliver(this.socket, count);
		this.saidMs = this.#side.nowMs;
	}

	/** It says the rest, reads all, and ends when everybody does. */
	cooperate(leaves: boolean): void {
		const { socket } = this;
		const { kernel } = this.#here;
		if (socket.dead) return;
		kernel.unthrottle(socket);
		kernel.acknowledge(socket, socket.queued);
		kernel.endRecord(socket);
		if (socket.finished) return;
		const left = socket.incoming.scripted - socket.incoming.arrived;
		if (left > 0) this.#deliver(left);
		else if (leaves || this.closeCode !== undefined || this.phase === "refused") kernel.finish(socket);
	}

	// What it is told.

	hears(bytes: Uint8Array): void {
		const side = this.#side;
		const sight = this.#here.sights.last;
		const piece: Span = {
			...{ from: this.#lastSight, to: sight, turn: this.#here.turnSight, shorts: this.shorts },
			...{ fromMs: this.#lastMs, untilMs: side.nowMs },
		};
		if (this.#bytes.length === 0) this.#first = piece;
		this.#bytes = Buffer.concat([this.#bytes, bytes]);
		this.#lastSight = sight;
		this.#lastMs = side.nowMs;
		this.toldMs = side.nowMs;
		if (this.phase === "asks" && this.#readHead()) this.#first = piece;
		if (this.phase !== "subscribes") return;
		for (;;) {
			const found = READERS[this.nature.protocol].next(this.#bytes);
			if (found === undefined) return;
			if (this.closeCode !== undefined) violated("a client is sent more behind the end");
			this.#bytes = this.#bytes.subarray(found.length);
			if (found.unit !== undefined) this.#heard(found.unit, this.#first ?? piece);
			this.#first = piece;
		}
	}

	/** It is not told the end of what has begun. */
	get isAmid(): boolean {
		return this.phase !== "refused" && this.#bytes.length > 0 && !this.#isLast;
	}

	/** What it is in the middle of says why it ends: that may be cut. */
	get #isLast(): boolean {
		const text = this.#bytes.toString("latin1");
		switch (this.nature.protocol) {
			case "websocket":
				return text.charCodeAt(0) === 0x88;
			case "events":
				return isBeginOf(text, "event: end\n") || isBeginOf(text, "retry: ");
			default:
				return isBeginOf(text.slice(4), '{"type":"end"');
		}
	}

	#readHead(): boolean {
		const end = this.#bytes.indexOf("\r\n\r\n");
		if (end < 0) return false;
		const head = this.#bytes.subarray(0, end).toString("latin1");
		this.#bytes = this.#bytes.subarray(end + 4);
		const [, status = ""] = /^HTTP\/1\.1 (\d{3}) /.exec(head) ?? violated(`a client is answered ${head}`);
		this.#status = Number(status);
		const is = this.nature.protocol === "websocket" ? 101 : 200;
		this.phase = this.#status === is ? "subscribes" : "refused";
		this.#side.meet(`answered ${status}`);
		return true;
	}

	#heard(unit: Unit, span: Span): void {
		switch (unit.kind) {
			case "ping":
			case "heartbeat":
				this.#side.meet("heartbeats");
				this.#talk.answerHeartbeat();
				return;
			case "pong": {
				const due = this.pings.shift();
				if (due === undefined || !due.equals(unit.payload))
					violated("a ping is answered with another's words");
				this.#side.meet("pongs");
				return;
			}
			case "close":
				this.#closed(unit.code, unit.reason, this.#when(span));
				return;
			case "object":
				this.#told(unit.object, unit.content, span);
		}
	}

	#closed(code: number, reason: string, when: When): void {
		this.closeCode = code;
		this.#side.meet(`closed with ${code}`);
		const isFull = [...this.following.values()].some((following) => following.mayOverflow(when));
		if (code === 4409 && !isFull)
			violated(`a subscriber is closed because its outbox is full, and none is: ${reason}`);
		// Whoever speaks frames of a length is refused so.
		const isRefused = code === 1008 && this.nature.protocol === "framed";
		const isOwnFault = code === 1002 || code === 1007 || code === 1009 || (code === 1008 && !isRefused);
		const isSlow = reason.startsWith("the rest of its message");
		if (isOwnFault && !isSlow && !this.isMisread && !this.isAtFault)
			violated(`a client is closed with ${code}, ${reason}, and has done no wrong`);
	}

	#when(span: Span): When {
		return { ...span, sights: this.#here.sights, mayBeOlder: this.nature.isSecured };
	}

	/** In the open, what is sent of a message that nothing was sent of was chosen in this turn. */
	#chosen(span: Span): Span {
		return this.nature.isSecured ? span : { ...span, from: Math.max(span.from, span.turn) };
	}

	#told(object: Told, content: Uint8Array | undefined, span: Span): void {
		const name = String(object["channel"]);
		switch (object.type) {
			case "message":
				this.#message(object, content, this.#when(this.#chosen(span)));
				return;
			case "gap":
				this.#side.meet("gaps");
				this.#followed(name).gap(Number(object["missed"]), object["id"], this.#when(span));
				return;
			case "too_old":
				this.#side.meet("too old");
				this.#followed(name).tooOld(!this.#side.mayBeForgotten(object["after"]));
				return;
			case "subscribed":
				this.#subscribed(object, name, span);
				return;
			case "unsubscribed":
				this.#side.meet("unsubscribed");
				this.#followed(name);
				this.following.delete(name);
				if (object["reason"] === undefined) this.#answered("unsubscribe", object);
				return;
			case "ack":
				this.#side.meet("acks");
				this.#answered("publish", object);
				return;
			case "presence":
				this.#answered("presence", object);
				return;
			case "error":
				this.#side.meet(`error ${String(object["code"])}`);
				this.#answered(undefined, object);
				return;
			default:
				violated(`a client is told ${JSON.stringify(object)}`);
		}
	}

	#followed(name: string): Following {
		return this.following.get(name) ?? violated(`a client is told of ${name}, which it is not subscribed to`);
	}

	#message(object: Told, content: Uint8Array | undefined, when: When): void {
		const { ledger } = this.#side;
		const following = this.#followed(String(object["channel"]));
		const [epoch, sequence] = String(object["id"]).split(":");
		const message = ledger.messages.get(Number.parseInt(sequence ?? "", 36));
		if (message === undefined || epoch !== this.#side.epoch.toString(36))
			violated(`a client is sent a message that was not published: ${JSON.stringify(object)}`);
		const { data, key, channel } = message;
		const isSame =
			typeof data === "string"
				? object["data"] === data && content === undefined
				: content !== undefined && Buffer.compare(content, data) === 0;
		if (!isSame || object["key"] !== key || channel.name !== object["channel"])
			violated(`a client is sent another message than was published: ${JSON.stringify(object)}`);
		following.message(message, when);
		this.#side.meet("messages");
	}

	#subscribed(object: Told, name: string, span: Span): void {
		const request = this.#answered("subscribe", object);
		if (request.channel !== name) violated(`a client asks for ${request.channel}, and is told of ${name}`);
		this.#side.meet("subscribed");
		if (this.following.has(name)) return;
		const side = this.#side;
		const { wish, config, sight, askedMs } = request;
		// It was decided upon at any time since; who takes nothing is told later.
		const when = this.#when({ ...span, from: sight, fromMs: askedMs });
		this.following.set(
			name,
			new Following(
				side.ledger.channel(name),
				side.epoch,
				object,
				wish,
				side.replaysOf(name, config),
				when,
				() => this.#termsOf(name, config),
			),
		);
	}

	/** What an outbox may have is of what waits for a client that takes no more, or for its pace. */
	#termsOf(name: string, config: number): Terms[] {
		const terms = this.#side.termsOf(name, config);
		const paced = terms.filter(({ paceMs }) => paceMs > 0);
		const free = terms
			.filter(({ paceMs }) => paceMs === 0)
			.map((each) => ({ ...each, messages: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }));
		return [...(this.#here.kernel.full.has(this.socket) ? terms : paced), ...free];
	}

	/** `type`: undefined: any. */
	#answered(type: string | undefined, object: Told): Request {
		const ref = object["ref"];
		for (;;) {
			const request = this.requests.shift();
			if (request === undefined)
				violated(`a client is answered, and has not asked: ${JSON.stringify(object)}`);
			if (request.ref === ref && (type === undefined ? true : request.type === type)) {
				if (this.socket.incoming.arrived < request.end)
					violated(
						`a client is answered before it has asked ${JSON.stringify([request, object, this.socket.incoming.arrived, this.requests])}`,
					);
				return request;
			}
			if (!request.isQuiet)
				violated(`a client asks ${JSON.stringify(request)}, and is answered ${JSON.stringify(object)}`);
		}
	}
}
