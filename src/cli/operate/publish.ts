/** `sluice publish`: one message, or each line of standard input as one. */
import { isUtf8 } from "node:buffer";
import type { Published } from "../../admin/hub-view.js";
import { BYTES_TYPE, LINES_BYTES, LINES_TYPE } from "../../admin/publications.js";
import { channelPath } from "./channels.js";
import { AdminClient, type Sent } from "./client.js";
import { OperateError, type Where } from "./operate-error.js";
import { json } from "./table.js";

/** No hub takes a longer message. */
const MESSAGE_MAX_BYTES = 1_048_576;
const TEXT_TYPE = "text/plain; charset=utf-8";

export interface PublishOptions extends Where {
	readonly key?: string;
	readonly low?: boolean;
	readonly bytes?: boolean;
}

/** `input`: standard input, asked for where there is no message. */
export async function publish(
	channel: string,
	message: string | undefined,
	options: PublishOptions,
	input: () => AsyncIterable<Buffer>,
): Promise<string> {
	const publisher = new Publisher(channel, options);
	const type = options.bytes === true ? BYTES_TYPE : TEXT_TYPE;
	if (message === undefined && options.bytes !== true) return publishLines(publisher, input(), options);
	const published = await publisher.send({ type, bytes: message ?? (await wholeOf(input())) });
	return options.json === true ? json(published) : `${published.id}\n`;
}

class Publisher {
	readonly #client: AdminClient;
	readonly #path: string;
	readonly #query: URLSearchParams;

	constructor(channel: string, options: PublishOptions) {
		this.#client = new AdminClient(options);
		this.#path = channelPath(channel);
		this.#query = new URLSearchParams({
			...(options.key === undefined ? {} : { key: options.key }),
			...(options.low === true ? { priority: "low" } : {}),
		});
	}

	send(sent: Sent): Promise<Published> {
		return this.#client.send(this.#path, this.#query, sent);
	}
}

async function wholeOf(input: AsyncIterable<Buffer>): Promise<Buffer> {
	const parts: Buffer[] = [];
	let bytes = 0;
	for await (const part of input) {
		bytes += part.length;
		if (bytes > MESSAGE_MAX_BYTES)
			throw new OperateError(`this is more than ${MESSAGE_MAX_BYTES} bytes, which no message may have`);
		parts.push(part);
	}
	return Buffer.concat(parts);
}

/**
 * One request is under way at a time, so lines keep their order, and what comes meanwhile waits where it comes from. It goes together
 * then: who writes fast needs few requests, and who writes slowly waits for none.
 */
async function publishLines(
	publisher: Publisher,
	input: AsyncIterable<Buffer>,
	options: PublishOptions,
): Promise<string> {
	const sender = new LineSender(publisher);
	for await (const lines of linesOf(input)) {
		for (const line of lines) await sender.add(line);
		await sender.flush();
	}
	const { count, lastId } = sender;
	if (options.json === true) return json({ id: lastId, published: count });
	const last = lastId === null ? "" : `, the last one ${lastId}`;
	return `${count} ${count === 1 ? "message" : "messages"}${last}\n`;
}

/** Whole lines, as many as came at once. */
async function* linesOf(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer[]> {
	let parts: Buffer[] = [];
	let bytes = 0;
	let number = 1;
	for await (const chunk of input) {
		const lines: Buffer[] = [];
		let from = 0;
		for (let end = chunk.indexOf("\n"); end >= 0; end = chunk.indexOf("\n", from)) {
			lines.push(Buffer.concat([...parts, chunk.subarray(from, end)]));
			parts = [];
			bytes = 0;
			from = end + 1;
		}
		number += lines.length;
		if (from < chunk.length) parts.push(chunk.subarray(from));
		bytes += chunk.length - from;
		if (lines.length > 0) yield lines;
		if (bytes > MESSAGE_MAX_BYTES)
			throw new OperateError(
				`line ${number} has more than ${MESSAGE_MAX_BYTES} bytes, which no message may have`,
			);
	}
	if (bytes > 0) yield [Buffer.concat(parts)];
}

/** Lines that go together, in order. */
class LineSender {
	readonly #publisher: Publisher;
	#waiting: string[] = [];
	#bytes = 0;
	count = 0;
	lastId: string | null = null;

	constructor(publisher: Publisher) {
		this.#publisher = publisher;
	}

	async add(line: Buffer): Promise<void> {
		if (!isUtf8(line)) {
			await this.flush();
			throw new OperateError(
				`line ${this.count + 1} is no UTF-8: --bytes publishes all of standard input as one message of bytes`,
			);
		}
		const text = line.toString("utf8");
		const bytes = Buffer.byteLength(objectOf(text)) + 1;
		if (this.#bytes + bytes > LINES_BYTES) await this.flush();
		this.#waiting.push(text);
		this.#bytes += bytes;
	}

	async flush(): Promise<void> {
		const lines = this.#waiting;
		const [first] = lines;
		if (first === undefined) return;
		this.#waiting = [];
		this.#bytes = 0;
		try {
			const { id } = await this.#publisher.send(
				lines.length === 1
					? { type: TEXT_TYPE, bytes: first }
					: { type: LINES_TYPE, bytes: lines.map(objectOf).join("\n") },
			);
			this.lastId = id;
			this.count += lines.length;
		} catch (error) {
			throw error instanceof OperateError ? this.#failure(error, lines.length) : error;
		}
	}

	/** Which line it was. Without an answer nobody knows what has become of those that were under way. */
	#failure({ message, refusal }: OperateError, lines: number): OperateError {
		const from = this.count + 1;
		if (refusal !== undefined)
			return new OperateError(`line ${from + (refusal.published ?? 0)}: ${message}`, refusal);
		const which = lines === 1 ? `line ${from}` : `lines ${from} to ${from + lines - 1}`;
		return new OperateError(`${which} may have been published, or not: ${message}`);
	}
}

function objectOf(data: string): string {
	return JSON.stringify({ data });
}
