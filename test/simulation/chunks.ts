/** Chunks of scripted messages: what is written of them, and what a gateway may make of that. */

/** What may go on of a body: bytes, and for each how much of the body must have come before it can go. */
export class Form {
	text = "";
	readonly due: number[] = [];

	add(text: string, due: (index: number) => number): void {
		for (let index = 0; index < text.length; index++) this.due.push(due(index));
		this.text += text;
	}

	/** Whether memory holds what goes on from `position`. */
	equals(position: number, memory: Uint8Array, offset: number, length: number): boolean {
		const bytes = Buffer.from(this.text.slice(position, position + length), "latin1");
		return bytes.length === length && bytes.equals(memory.subarray(offset, offset + length));
	}
}

/** A chunked body as it is written, and its forms: with its trailers, without them, and what is in the chunks. */
export class Chunks {
	raw = "";
	readonly kept = new Form();
	readonly dropped = new Form();
	readonly content = new Form();

	/** It goes on as it is written, as long as its receiver knows chunks. */
	framing(text: string): void {
		const start = this.raw.length;
		for (const form of [this.kept, this.dropped]) form.add(text, (index) => start + index + 1);
		this.raw += text;
	}

	data(text: string): void {
		const start = this.raw.length;
		for (const form of [this.kept, this.dropped, this.content]) form.add(text, (index) => start + index + 1);
		this.raw += text;
	}

	/** Nobody is sent it. */
	leaveOut(text: string): void {
		this.raw += text;
	}

	/** The end, as it is written; and its trailer lines as they go on. */
	end(text: string, trailers: string): void {
		this.raw += text;
		this.kept.add(`0\r\n${trailers}\r\n`, () => this.raw.length);
		this.dropped.add("0\r\n\r\n", () => this.raw.length);
	}
}
