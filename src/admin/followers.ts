/**
 * Who follows a channel by the admin port: a stream of events (`docs/hub-wire.md`), from some point of the channel's log on.
 *
 *     what its log has, page by page, each when the one before it has been taken ──► then what is published, as it is published
 *
 * What waits for a follower is bounded. One that is too slow hears nothing more, has what waits, is told why, and may come back behind the
 * last id that it has had; one that does not read at all is closed. Few may follow: it is for operators and programs of theirs, and
 * thousands subscribe over a listener.
 */
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { setImmediate } from "node:timers/promises";
import { Outbox } from "../guard/outbox.js";
import {
	type HistoryMessage,
	type HubDesk,
	type HubFollower,
	type HubHistory,
	HubRefusal,
} from "../hub/desk.js";
import { TokenWatch } from "./token-watch.js";
import type { AdminTokens } from "./view.js";

/** Each has a descriptor, of the few that `limits.fd_reserve` keeps. */
export const FOLLOWERS_MAX = 16;
/** A follower that has gone without a word is found by it, and what is between stays open. */
const HEARTBEAT_MS = 15_000;
/** What waits may have so many bytes; one message more may be there, as long as it is. */
const WAITING_BYTES = 1_048_576;
/** A character may be six of JSON. */
const ESCAPED_BYTES = 6;
/** The bound is that in bytes, also of the shortest messages. */
const WAITING_MESSAGES = 20_000;
/** It takes nothing for so long. */
const WRITE_MS = 10_000;
/** What waits at its end has so long, however slowly it is taken. */
const ENDING_MS = 30_000;
/** Room for what is said beside messages, above all the end. */
const NOTICES = { bytes: 65_536, messages: 64 } as const;

/**
 * Of the log, at a time: each time it is walked. Six times as many bytes, what stands around so many messages, and what may wait before
 * another page is asked for come to less than may wait.
 */
const PAGE = { limit: 4_096, bytes: 65_536 } as const;
const WAITING_LOW_BYTES = 131_072;

/** As those of WebSocket. */
const GOING_AWAY = 1_001;
const TOO_SLOW = 4_409;
const RETRY_MS = 1_000;

/** Who follows what, from where on. */
export interface Following {
	readonly desk: HubDesk;
	readonly channel: string;
	/** So many of the last messages first. */
	readonly history: number;
	/** Or those behind this id, which goes before. */
	readonly after: string | undefined;
	readonly operator: string;
}

/** Hears of followers that are too slow: `outbox_full`, or `stall_timeout` where they take nothing. */
export type TellOfSlow = (following: Following, reason: string) => void;

export class Followers {
	readonly #followers = new Set<Follower>();
	readonly #tellOfSlow: TellOfSlow;
	readonly #heartbeatMs: number;
	readonly #tokens: TokenWatch;
	#heartbeat: NodeJS.Timeout | undefined;

	/** `tokens`: those in force; `heartbeatMs`: also how soon it is noticed that they are others. */
	constructor(tellOfSlow: TellOfSlow, tokens: () => AdminTokens, heartbeatMs = HEARTBEAT_MS) {
		this.#tellOfSlow = tellOfSlow;
		this.#tokens = new TokenWatch(tokens);
		this.#heartbeatMs = heartbeatMs;
	}

	get size(): number {
		return this.#followers.size;
	}

	get hasRoom(): boolean {
		return this.size < FOLLOWERS_MAX;
	}

	/** Answers with the stream. @throws HubRefusal before anything is written */
	begin(response: ServerResponse, headers: OutgoingHttpHeaders, following: Following): void {
		this.#dismiss();
		const follower = new Follower(following, () => this.#tellOfSlow(following, "outbox_full"));
		follower.begin(response, headers);
		this.#followers.add(follower);
		this.#heartbeat ??= setInterval(() => {
			this.#dismiss();
			for (const each of this.#followers) each.say(":\n\n");
		}, this.#heartbeatMs).unref();
		follower.outbox.onClose((reason) => this.#left(follower, reason));
	}

	#left(follower: Follower, reason: string): void {
		this.#followers.delete(follower);
		follower.leave();
		if (reason === "stall_timeout") this.#tellOfSlow(follower.following, reason);
		if (this.size > 0) return;
		clearInterval(this.#heartbeat);
		this.#heartbeat = undefined;
	}

	#dismiss(): void {
		if (this.#tokens.take()) this.end("the tokens of the admin port are others now");
	}

	/** Each is told why, as far as it reads. */
	end(reason: string): void {
		for (const follower of [...this.#followers]) follower.end(reason);
	}
}

class Follower implements HubFollower {
	readonly following: Following;
	#outbox: Outbox | undefined;
	#unfollow: (() => void) | undefined;
	#response: ServerResponse | undefined;
	#isEnding = false;
	#bytesMax = 0;
	readonly #isTooSlow: () => void;

	constructor(following: Following, isTooSlow: () => void) {
		this.following = following;
		this.#isTooSlow = isTooSlow;
	}

	/** There is one as soon as it has begun. */
	get outbox(): Outbox {
		if (this.#outbox === undefined) throw new Error("it has not begun");
		return this.#outbox;
	}

	begin(response: ServerResponse, headers: OutgoingHttpHeaders): void {
		const { desk, channel, history, after } = this.following;
		const lastId = desk.channel(channel)?.lastId ?? null;
		const page = { ...PAGE, after, limit: after === undefined ? history : PAGE.limit };
		const first = after === undefined && history === 0 ? undefined : desk.history(channel, page);
		// Nothing is heard before this turn ends.
		if (first === undefined) this.#follow();
		response.writeHead(200, { ...headers, "content-type": "text/event-stream; charset=utf-8" });
		this.#response = response;
		this.#bytesMax = WAITING_BYTES + ESCAPED_BYTES * desk.messageBytesMax;
		this.#outbox = new Outbox(response, {
			...{ policy: "disconnect", write: WRITE_MS },
			bytesMax: this.#bytesMax + NOTICES.bytes,
			messagesMax: WAITING_MESSAGES + NOTICES.messages,
		});
		this.say(`retry: ${RETRY_MS}\n${eventOf("subscribed", { channel, id: lastId })}`);
		if (first !== undefined) void this.#catchUp(first);
	}

	/** Tells what the log has, until it has no more; then it is heard of what comes, within the same turn, so that nothing is missed. */
	async #catchUp(first: HubHistory): Promise<void> {
		const { desk, channel } = this.following;
		let { after } = this.following;
		let page = first;
		try {
			while (!this.outbox.isClosed && !this.#isEnding) {
				if (page.tooOld) this.say(eventOf("too_old", { channel, after, id: page.messages[0]?.id ?? null }));
				for (const message of page.messages) this.heard(message);
				if (page.messages.length === 0) {
					this.#follow();
					return;
				}
				after = page.messages.at(-1)?.id ?? after;
				await (this.outbox.bytes > WAITING_LOW_BYTES ? this.outbox.flushed() : setImmediate());
				page = desk.history(channel, { ...PAGE, after });
			}
		} catch (error) {
			// It is closed; or a reload has taken the channel, or what it needs.
			this.end(error instanceof HubRefusal ? error.message : "it could not go on");
		}
	}

	#follow(): void {
		this.#unfollow = this.following.desk.follow(this.following.channel, this);
	}

	heard({ channel, id, key, data, base64 }: HistoryMessage): void {
		if (this.#isEnding) return;
		const event = `id: ${id}\n${eventOf("message", { channel, key, data, base64 })}`;
		const { bytes, size } = this.outbox;
		if (bytes + Buffer.byteLength(event) <= this.#bytesMax && size < WAITING_MESSAGES) {
			this.say(event);
			return;
		}
		this.#isTooSlow();
		this.end("it reads more slowly than is published: go on behind the last id", TOO_SLOW);
	}

	ended(reason: string): void {
		this.end(reason);
	}

	say(text: string): void {
		this.#outbox?.send(text);
	}

	/** Says so behind all that waits. */
	end(reason: string, code = GOING_AWAY): void {
		if (this.#isEnding) return;
		this.#isEnding = true;
		this.leave();
		this.say(eventOf("end", { code, reason, retry_after_ms: RETRY_MS }));
		const late = setTimeout(() => this.#outbox?.close(), ENDING_MS).unref();
		this.#outbox?.onClose(() => clearTimeout(late));
		this.#outbox?.flushed().then(
			() => this.#response?.end(),
			// It is closed already.
			() => {},
		);
	}

	/** Hears nothing more. */
	leave(): void {
		this.#unfollow?.();
		this.#unfollow = undefined;
	}
}

/** JSON has no line ends. Without a type it is a message. */
function eventOf(type: string, data: Readonly<Record<string, unknown>>): string {
	return `${type === "message" ? "" : `event: ${type}\n`}data: ${JSON.stringify(data)}\n\n`;
}
