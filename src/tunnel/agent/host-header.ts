/**
 * Requests on their way to a local server that knows itself by another name: the Host of each head is replaced, and all else passes
 * as it came. The gateway sends one request after the other, written in its own words.
 */
import { ChunkedScanner } from "../../protocol/http/chunked.js";
import { FIELD_HOST } from "../../protocol/http/field-names.js";
import { FRAMING_CHUNKED, FRAMING_LENGTH } from "../../protocol/http/framing.js";
import { HEAD_LIMIT_BYTES } from "../../protocol/http/head-end.js";
import { parseRequest, RequestHead } from "../../protocol/http/request.js";
import { TrailerEnd } from "../../protocol/http/trailer-end.js";
import { lineUse } from "../../protocol/tunnel/index.js";
import { COMPLETE, MALFORMED } from "../../protocol/verdict.js";

const NOTHING = Buffer.alloc(0);

type Phase = "head" | "length" | "chunks" | "trailers" | "upgraded" | "tunnel";

export class HostHeader {
	readonly #host: Buffer;
	readonly #head = new RequestHead();
	readonly #chunks = new ChunkedScanner();
	#phase: Phase = "head";
	/** What has come of a head. */
	#partial = NOTHING;
	/** Of a body with a length. */
	#left = 0;
	readonly #trailers = new TrailerEnd();

	constructor(host: string) {
		this.#host = Buffer.from(host);
	}

	/** Throws when it is no request. */
	change(bytes: Buffer): Buffer {
		const out: Buffer[] = [];
		let rest = bytes;
		while (rest.length > 0) {
			const taken = this.#step(rest, out);
			rest = rest.subarray(taken);
		}
		return out.length === 1 ? (out[0] ?? NOTHING) : Buffer.concat(out);
	}

	/** How many of the bytes belong to what is at hand. */
	#step(bytes: Buffer, out: Buffer[]): number {
		switch (this.#phase) {
			case "head":
				return this.#readHead(bytes, out);
			case "length":
				return this.#pass(bytes, Math.min(this.#left, bytes.length), out, (taken) => {
					this.#left -= taken;
					if (this.#left === 0) this.#phase = "head";
				});
			case "chunks":
				return this.#passChunks(bytes, out);
			case "trailers":
				return this.#pass(bytes, this.#trailerBytes(bytes), out);
			case "upgraded":
				// No frame of a WebSocket begins with a letter: the upgrade was refused, and this is the next request.
				this.#phase = lineUse(bytes, 0) === "requests" ? "head" : "tunnel";
				return 0;
			case "tunnel":
				return this.#pass(bytes, bytes.length, out);
		}
	}

	#pass(bytes: Buffer, count: number, out: Buffer[], then: (taken: number) => void = () => {}): number {
		out.push(bytes.subarray(0, count));
		then(count);
		return count;
	}

	#readHead(bytes: Buffer, out: Buffer[]): number {
		const before = this.#partial.length;
		const whole = before === 0 ? bytes : Buffer.concat([this.#partial, bytes]);
		const head = this.#head;
		const verdict = parseRequest(whole, 0, whole.length, head);
		if (verdict === MALFORMED || (verdict !== COMPLETE && whole.length >= HEAD_LIMIT_BYTES))
			throw new Error("no request");
		if (verdict !== COMPLETE) {
			this.#partial = Buffer.from(whole);
			return bytes.length;
		}
		this.#partial = NOTHING;
		this.#writeHead(whole, out);
		if (head.wantsUpgrade && head.framing !== FRAMING_LENGTH && head.framing !== FRAMING_CHUNKED)
			this.#phase = "upgraded";
		else if (head.framing === FRAMING_LENGTH && head.contentLength > 0) {
			this.#phase = "length";
			this.#left = head.contentLength;
		} else if (head.framing === FRAMING_CHUNKED) {
			this.#phase = "chunks";
			this.#chunks.reset();
		}
		return head.headLength - before;
	}

	#writeHead(whole: Buffer, out: Buffer[]): void {
		const { fields, headLength } = this.#head;
		let from = 0;
		for (let index = 0; index < fields.count; index++) {
			if (fields.ids[index] !== FIELD_HOST) continue;
			out.push(whole.subarray(from, fields.spans[index * 4 + 2]), this.#host);
			from = fields.spans[index * 4 + 3] ?? from;
		}
		out.push(whole.subarray(from, headLength));
	}

	#passChunks(bytes: Buffer, out: Buffer[]): number {
		// The scanner moves what it walks over.
		const verdict = this.#chunks.scan(Buffer.from(bytes), 0, bytes.length);
		if (verdict === MALFORMED) throw new Error("no chunks");
		if (verdict === COMPLETE) {
			this.#phase = "trailers";
			this.#trailers.reset();
		}
		return this.#pass(bytes, this.#chunks.position, out);
	}

	/** Up to the empty line, or all. */
	#trailerBytes(bytes: Buffer): number {
		const end = this.#trailers.find(bytes, 0, bytes.length);
		if (end < 0) return bytes.length;
		this.#phase = "head";
		return end;
	}
}
