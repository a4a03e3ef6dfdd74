/** Reads a stream of events, as a browser would (HTML, 9.2.6), as far as the hub uses it. */
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { Changes } from "../support/waiting.js";

export interface StreamedEvent {
	readonly type: string;
	readonly id?: string;
	readonly data: Readonly<Record<string, unknown>>;
}

export class EventStream {
	/** When it is over, however. */
	readonly ended: Promise<void>;
	/** Comments so far. */
	comments = 0;
	readonly #response: IncomingMessage;
	readonly #events: StreamedEvent[] = [];
	readonly #changes = new Changes();
	#text = "";
	#isOver = false;

	static async open(
		port: number,
		path: string,
		headers: Readonly<Record<string, string>> = {},
	): Promise<EventStream> {
		const sent = request({ host: "127.0.0.1", port, path, headers, agent: false });
		sent.end();
		const [response] = (await once(sent, "response")) as [IncomingMessage];
		if (response.statusCode !== 200) throw new Error(`${path} was answered ${response.statusCode}`);
		return new EventStream(response);
	}

	private constructor(response: IncomingMessage) {
		this.#response = response;
		response.setEncoding("utf8").on("data", (text: string) => this.#take(text));
		response.on("error", () => {});
		this.ended = new Promise((resolve) => {
			response.once("close", () => {
				this.#isOver = true;
				this.#changes.announce();
				resolve();
			});
		});
	}

	get type(): string {
		return this.#response.headers["content-type"] ?? "";
	}

	/** The next event that has not been told. */
	async next(): Promise<StreamedEvent> {
		const event = await this.#changes.until(
			() => this.#events.shift() ?? (this.#isOver ? null : undefined),
			() => "an event",
		);
		if (event === null) throw new Error("the stream is over");
		return event;
	}

	/** Waits for so many comments in all. */
	async commented(count: number): Promise<void> {
		await this.#changes.until(
			() => this.comments >= count || undefined,
			() => `${count} comments, there are ${this.comments}`,
		);
	}

	/** Takes nothing, until it goes on. */
	pause(): void {
		this.#response.pause();
	}

	resume(): void {
		this.#response.resume();
	}

	close(): void {
		this.#response.destroy();
	}

	#take(text: string): void {
		const blocks = (this.#text + text).split("\n\n");
		this.#text = blocks.pop() ?? "";
		for (const block of blocks) this.#block(block);
		this.#changes.announce();
	}

	#block(block: string): void {
		const fields = new Map<string, string>();
		for (const line of block.split("\n")) {
			if (line.startsWith(":")) this.comments++;
			else fields.set(...cut(line));
		}
		const data = fields.get("data");
		if (data === undefined) return;
		const id = fields.get("id");
		this.#events.push({
			type: fields.get("event") ?? "message",
			...(id === undefined ? {} : { id }),
			data: JSON.parse(data) as Readonly<Record<string, unknown>>,
		});
	}
}

function cut(line: string): [string, string] {
	const at = line.indexOf(":");
	return [line.slice(0, at), line.slice(at + 1).replace(/^ /, "")];
}
