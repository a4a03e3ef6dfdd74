/** `sluice subscribe`: what is published to a channel, a JSON object a line, until it is ended. */
import type { IncomingMessage } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { channelPath } from "./channels.js";
import { AdminClient } from "./client.js";
import { eventsOf, type StreamedEvent } from "./event-stream.js";
import { OperateError, type Where } from "./operate-error.js";

/** A stream that says nothing for so long is dead: the gateway sends a comment every 15 s. */
const SILENCE_MS = 45_000;
const RETRY_FIRST_MS = 250;
const RETRY_LONGEST_MS = 5_000;
/** Answers that asking again does not change. */
const FINAL: ReadonlySet<number> = new Set([400, 401, 403, 404, 405]);

export interface SubscribeOptions extends Where {
	readonly history?: string;
	readonly after?: string;
	readonly count?: string;
}

/** Where it is told. */
export interface Told {
	/** Resolves when more can be taken. */
	lines(text: string): Promise<void>;
	/** What is no message. */
	note(text: string): void;
}

/** Resolves when so many have been told as were asked for, or when the signal ends it. @throws OperateError */
export async function subscribe(
	channel: string,
	options: SubscribeOptions,
	told: Told,
	signal: AbortSignal,
): Promise<void> {
	const count = options.count === undefined ? Number.POSITIVE_INFINITY : Number(options.count);
	if (!(count > 0)) throw new OperateError(`--count ${options.count}: expected a whole number`);
	const { history, after } = options;
	await new Subscription(channel, options, told, signal, count, { history, after }).run();
}

/** Of a channel that has had no message yet: all that has come meanwhile, as far as its log is asked for. */
const FIRST: From = { history: "1000" };

/** With neither, from now on. */
interface From {
	readonly history?: string | undefined;
	readonly after?: string | undefined;
}

class Subscription {
	readonly #client: AdminClient;
	readonly #channel: string;
	readonly #told: Told;
	readonly #signal: AbortSignal;
	/** Messages that are still wanted. */
	#wanted: number;
	/** Where it goes on when the stream has broken: as it was told to, until a message has come. */
	#from: From;
	/** Where the stream began: behind the last message that there was, or in front of the first one. */
	#start: From = FIRST;
	#retryMs = RETRY_FIRST_MS;
	#hasBegun = false;
	/** Why it was broken last; empty: it is not. */
	#why = "";

	constructor(channel: string, where: Where, told: Told, signal: AbortSignal, wanted: number, from: From) {
		this.#client = new AdminClient(where);
		this.#channel = channel;
		this.#told = told;
		this.#signal = signal;
		this.#wanted = wanted;
		this.#from = from;
	}

	async run(): Promise<void> {
		while (!this.#isOver) {
			const why = await this.#followOnce(this.#from);
			if (this.#isOver) return;
			// Once, and not for each time that it is refused.
			if (why !== this.#why) this.#told.note(`${why}; trying again`);
			this.#why = why;
			await this.#pause();
		}
	}

	get #isOver(): boolean {
		return this.#wanted === 0 || this.#signal.aborted;
	}

	/** Until it breaks; returns why. @throws OperateError where it cannot be had */
	async #followOnce(from: From): Promise<string> {
		const { history, after } = from;
		const query = new URLSearchParams({
			follow: "1",
			...(history === undefined ? {} : { history }),
			...(after === undefined ? {} : { after }),
		});
		let stream: IncomingMessage | undefined;
		try {
			stream = await this.#client.open(channelPath(this.#channel), query, this.#signal);
			stream.setTimeout(SILENCE_MS, () => stream?.destroy(new Error("it has been silent for too long")));
			return await this.#tellAll(stream, history === undefined && after === undefined);
		} catch (error) {
			if (this.#isOver) return "";
			if (!(error instanceof OperateError)) return `the stream broke: ${(error as Error).message}`;
			if (!this.#hasBegun || FINAL.has(error.refusal?.status ?? 0)) throw error;
			return error.message;
		} finally {
			stream?.destroy();
		}
	}

	/** `fromNow`: nothing of what was published before is wanted. */
	async #tellAll(stream: IncomingMessage, fromNow: boolean): Promise<string> {
		for await (const events of eventsOf(stream.setEncoding("utf8"))) {
			if (this.#signal.aborted) return "";
			const why = await this.#tell(events, fromNow);
			if (why !== undefined || this.#wanted === 0) return why ?? "";
		}
		return "the stream ended";
	}

	/** Lines that came together are written together. Returns why there will be no more. */
	async #tell(events: readonly StreamedEvent[], fromNow: boolean): Promise<string | undefined> {
		const messages: StreamedEvent[] = [];
		for (const event of events) {
			const { type, data } = event;
			if (type === "message" && messages.length < this.#wanted) messages.push(event);
			else if (type === "subscribed") this.#begin(data["id"], fromNow);
			else if (type !== "message") {
				await this.#print(messages.splice(0));
				if (type === "end") return `the gateway ended the stream: ${data["reason"]}`;
				this.#note(event);
			}
		}
		await this.#print(messages);
		return undefined;
	}

	async #print(messages: readonly StreamedEvent[]): Promise<void> {
		const last = messages.at(-1);
		if (last === undefined) return;
		const lines = messages.map(({ id, data: { channel, ...rest } }) =>
			JSON.stringify({ channel, id, ...rest }),
		);
		await this.#told.lines(`${lines.join("\n")}\n`);
		this.#from = { after: last.id };
		this.#wanted -= messages.length;
	}

	#begin(id: unknown, fromNow: boolean): void {
		this.#hasBegun = true;
		this.#why = "";
		this.#retryMs = RETRY_FIRST_MS;
		this.#start = typeof id === "string" ? { after: id } : FIRST;
		if (fromNow) this.#from = this.#start;
	}

	#note({ type, data }: StreamedEvent): void {
		if (type === "gap") this.#told.note(`${data["missed"]} messages of ${data["channel"]} are missing`);
		if (type !== "too_old") return;
		this.#told.note(gapBetween(data));
		// The id that it asked with is of another start of the gateway.
		if (data["id"] === null) this.#from = this.#start;
	}

	/** Longer each time, and never as long as that of another that was cut in the same moment. */
	async #pause(): Promise<void> {
		const ms = this.#retryMs * (0.5 + Math.random() / 2);
		this.#retryMs = Math.min(2 * this.#retryMs, RETRY_LONGEST_MS);
		await wait(ms, undefined, { signal: this.#signal }).catch(() => {});
	}
}

function gapBetween({ channel, after, id }: StreamedEvent["data"]): string {
	const until = id === null ? "what comes now" : String(id);
	return `messages of ${channel} may be missing between ${after} and ${until}: the log does not reach back so far`;
}
