/** Bodies of scripted messages: they say again and again whose they are. */

import type { Random } from "../../src/rig/random.js";
import { Chunks } from "./chunks.js";

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

/** The same content in chunks. `broken`: from somewhere on it is none. */
export function chunked(random: Random, text: string, broken: boolean): Chunks {
	const chunks = new Chunks();
	const padding = () => chunks.leaveOut("0".repeat(random.chance(0.1) ? random.below(5) : 0));
	for (let at = 0; at < text.length; ) {
		const size = Math.min(text.length - at, random.magnitude(text.length));
		padding();
		chunks.framing(size.toString(16));
		if (random.chance(0.15)) chunks.leaveOut(random.pick(EXTENSIONS));
		chunks.framing("\r\n");
		chunks.data(text.slice(at, at + size));
		at += size;
		if (broken && random.chance(0.3)) {
			const end = random.pick(BREAKS);
			// The first byte of a line end is one, whatever comes behind it.
			if (end.startsWith("\r")) chunks.framing("\r");
			chunks.leaveOut(end.replace(/^\r/, ""));
			return chunks;
		}
		chunks.framing("\r\n");
	}
	if (broken) {
		chunks.leaveOut(random.pick(["g\r\n", "\n", "0\r\nContent-Length: 3\r\n\r\n"]));
		return chunks;
	}
	padding();
	const extension = random.chance(0.1) ? random.pick(EXTENSIONS) : "";
	const trailers = random.chance(0.15) ? random.pick(TRAILERS) : "";
	chunks.end(`0${extension}\r\n${trailers}\r\n`, trailers.replace(/:[ \t]*/g, ": "));
	return chunks;
}

/** Behind a chunk's size. */
const EXTENSIONS = [';name="va\\"lue"', ";a", " ; a = b", " ", "\t\t", ";c=d ;e"] as const;

/** A request line in disguise among them. */
const TRAILERS = [
	"X-Sum: 1\r\n",
	"X-Sum:1\r\nX-Time:\t 2\r\n",
	"GET: /slow HTTP/1.1\r\nX-Who: me\r\n",
] as const;

/** Behind a chunk's data, where a line's end is due. */
const BREAKS = ["\n", "x\r\n", "\r\r\n"] as const;
