/** Gathers a head that comes in pieces, and has it read. */
import { causeName } from "../../protocol/http/causes.js";
import { HEAD_LIMIT_BYTES } from "../../protocol/http/head-end.js";
import { COMPLETE, MALFORMED, type Verdict } from "../../protocol/verdict.js";
import { Kept, type Room } from "./kept.js";

/** What passes cannot be followed any more. */
export class LostTrack extends Error {
	override readonly name = "LostTrack";
}

/** Reads a head from the start of an array, and says how long it is. */
export type ParseHead = (bytes: Uint8Array, start: number, end: number) => Verdict;

const NO_ROOM = "the inspector has no room for one more head";

interface ReadHead {
	readonly headLength: number;
	readonly cause: number;
}

export class HeadReader {
	readonly #room: Room;
	readonly #what: string;
	/** What has come of one that is not whole. */
	#partial: Kept | undefined;

	/** `what`: the request, the answer. */
	constructor(room: Room, what: string) {
		this.#room = room;
		this.#what = what;
	}

	/** Something of a head has come, and not all. */
	get hasBegun(): boolean {
		return this.#partial !== undefined;
	}

	/**
	 * Takes what belongs to the head from bytes[start, …), and returns how many bytes that were. When it is whole, `head` is what `parse`
	 * has read, and `whole` is called with its bytes.
	 *
	 * @throws LostTrack
	 */
	take(
		bytes: Buffer,
		start: number,
		parse: ParseHead,
		head: ReadHead,
		whole: (head: Buffer) => void,
	): number {
		const before = this.#partial?.total ?? 0;
		const gathered = this.#gather(bytes, start);
		const verdict = parse(gathered, 0, gathered.length);
		if (verdict === MALFORMED)
			throw new LostTrack(`the head of ${this.#what} is not well-formed: ${causeName(head.cause)}`);
		if (verdict !== COMPLETE) {
			if (this.#partial === undefined) this.#keep(gathered);
			return bytes.length - start;
		}
		const { headLength } = head;
		whole(gathered.subarray(0, headLength));
		this.forget();
		return headLength - before;
	}

	#keep(bytes: Buffer): void {
		this.#partial = new Kept(this.#room, HEAD_LIMIT_BYTES);
		this.#partial.append(bytes, 0, bytes.length);
		if (!this.#partial.isWhole) throw new LostTrack(NO_ROOM);
	}

	/** All of the head that there is, and perhaps more. */
	#gather(bytes: Buffer, start: number): Buffer {
		const partial = this.#partial;
		if (partial === undefined) return bytes.subarray(start, start + HEAD_LIMIT_BYTES);
		const end = Math.min(bytes.length, start + HEAD_LIMIT_BYTES - partial.total);
		partial.append(bytes, start, end);
		if (!partial.isWhole) throw new LostTrack(NO_ROOM);
		return partial.bytes;
	}

	forget(): void {
		this.#partial?.forget();
		this.#partial = undefined;
	}
}
