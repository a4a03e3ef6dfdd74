/** Bodies of scripted messages: they say again and again whose they are. */
import type { Random } from "./random.js";

/** As a message's head announces it. */
export type Framing = "none" | "length" | "chunked" | "close";

/** `length` bytes of content that name their owner. */
export function content(owner: string, length: number): string {
	const mark = `<${owner}>`;
	return mark.repeat(Math.ceil(length / mark.length)).slice(0, length);
}

/** Mostly small, sometimes none, rarely more than a socket takes. */
export function randomLength(random: Random, bulk: boolean): number {
	if (random.chance(0.1)) return 0;
	if (bulk && random.chance(0.1)) return random.between(30_000, 100_000);
	return random.magnitude(random.chance(0.03) ? 70_000 : 2_000);
}

/** A body as `framing` has it. `broken`: chunks that are none from somewhere on. */
export function written(random: Random, framing: Framing, text: string, broken: boolean): string {
	return framing === "chunked" ? chunked(random, text, broken) : text;
}

/** The same content in chunks. `broken`: from somewhere on it is none. */
function chunked(random: Random, text: string, broken: boolean): string {
	let body = "";
	for (let at = 0; at < text.length; ) {
		const size = Math.min(text.length - at, random.magnitude(text.length));
		const extension = random.chance(0.1) ? `;name="va\\"lue"` : "";
		body += `${size.toString(16)}${extension}\r\n${text.slice(at, at + size)}`;
		at += size;
		if (broken && random.chance(0.3)) return `${body}${random.pick(BREAKS)}`;
		body += "\r\n";
	}
	if (broken) return `${body}${random.pick(["g\r\n", "\n", "0\r\nContent-Length: 3\r\n\r\n"])}`;
	const trailer = random.chance(0.1) ? "X-Sum: 1\r\n" : "";
	return `${body}0\r\n${trailer}\r\n`;
}

/** Behind a chunk's data, where a line's end is due. */
const BREAKS = ["\n", "x\r\n", "\r\r\n"] as const;
