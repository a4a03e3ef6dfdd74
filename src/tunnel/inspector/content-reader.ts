/** What follows a head: its content, as it is framed, and the trailers behind it. */
import { causeName } from "../../protocol/http/causes.js";
import { ChunkedScanner } from "../../protocol/http/chunked.js";
import { FRAMING_CHUNKED, FRAMING_CLOSE, FRAMING_LENGTH } from "../../protocol/http/framing.js";
import { TrailerEnd } from "../../protocol/http/trailer-end.js";
import { COMPLETE, MALFORMED } from "../../protocol/verdict.js";
import { type HalfMessage, TRAILERS_MAX_BYTES } from "./exchange.js";
import { LostTrack } from "./head-reader.js";

/** The scanner moves what it walks over, and what passes belongs to the sockets: it is given a copy, piece by piece. */
const SCRATCH = Buffer.allocUnsafeSlow(65_536);

type Phase = "length" | "chunks" | "trailers" | "close" | "over";

export class ContentReader {
	readonly #what: string;
	readonly #chunks = new ChunkedScanner();
	readonly #trailers = new TrailerEnd();
	#phase: Phase = "over";
	#left = 0;

	/** `what`: the request, the answer. */
	constructor(what: string) {
		this.#what = what;
	}

	get isOver(): boolean {
		return this.#phase === "over";
	}

	/** It lasts until the end of the connection. */
	get endsWithConnection(): boolean {
		return this.#phase === "close";
	}

	begin(framing: number, length: number): void {
		this.#phase = "over";
		if (framing === FRAMING_CLOSE) this.#phase = "close";
		else if (framing === FRAMING_LENGTH && length > 0) {
			this.#phase = "length";
			this.#left = length;
		} else if (framing === FRAMING_CHUNKED) {
			this.#phase = "chunks";
			this.#chunks.load(0, 0, 0, true);
		}
	}

	end(): void {
		this.#phase = "over";
	}

	/**
	 * Takes what belongs to it from bytes[start, …), and returns the position behind.
	 *
	 * @throws LostTrack
	 */
	take(bytes: Buffer, start: number, message: HalfMessage): number {
		let position = start;
		while (position < bytes.length && !this.isOver) position = this.#step(bytes, position, message);
		return position;
	}

	#step(bytes: Buffer, start: number, { body, trailers }: HalfMessage): number {
		switch (this.#phase) {
			case "length": {
				const end = Math.min(bytes.length, start + this.#left);
				body.append(bytes, start, end);
				this.#left -= end - start;
				if (this.#left === 0) this.#phase = "over";
				return end;
			}
			case "chunks":
				return this.#takeChunks(bytes, start, body);
			case "trailers": {
				const found = this.#trailers.find(bytes, start, bytes.length);
				const end = found < 0 ? bytes.length : found;
				trailers.append(bytes, start, end);
				if (trailers.total > TRAILERS_MAX_BYTES)
					throw new LostTrack(`the trailers of ${this.#what} are too long`);
				if (found >= 0) this.#phase = "over";
				return end;
			}
			default:
				body.append(bytes, start, bytes.length);
				return bytes.length;
		}
	}

	#takeChunks(bytes: Buffer, start: number, body: HalfMessage["body"]): number {
		const count = bytes.copy(SCRATCH, 0, start);
		const verdict = this.#chunks.scan(SCRATCH, 0, count);
		body.append(SCRATCH, 0, this.#chunks.keptBytes);
		if (verdict === MALFORMED)
			throw new LostTrack(
				`the chunks of ${this.#what} are not well-formed: ${causeName(this.#chunks.cause)}`,
			);
		if (verdict === COMPLETE) {
			this.#phase = "trailers";
			this.#trailers.reset();
		}
		return start + this.#chunks.position;
	}
}
