/** Whether bytes are text, and how text is laid out for people. */
import { TextDecoder } from "node:util";

export interface Readable {
	readonly kind: "empty" | "json" | "form" | "text" | "binary";
	readonly text: string | null;
	readonly pretty: string | null;
}

/** Deeper than that, lines are not moved any further to the right: a thousand brackets would be a million tabs. */
const DEPTH_MAX = 32;

/** Control characters that text may have; the last one begins the colours of terminals. */
const OF_TEXT = "\t\n\v\f\r\u001b";

/** `type`: Content-Type. `cut`: the end of the bytes is missing, perhaps amid a character. */
export function readable(bytes: Buffer, type: string, cut: boolean): Readable {
	if (bytes.length === 0) return { kind: "empty", text: null, pretty: null };
	const text = textOf(bytes, type, cut);
	if (text === undefined) return { kind: "binary", text: null, pretty: null };
	if (/^application\/x-www-form-urlencoded\b/i.test(type))
		return { kind: "form", text, pretty: entriesOf(text) };
	if (!/\bjson\b/i.test(type) && !/^\s*[[{]/.test(text)) return { kind: "text", text, pretty: null };
	const pretty = prettyJson(text);
	return pretty === undefined ? { kind: "text", text, pretty: null } : { kind: "json", text, pretty };
}

function textOf(bytes: Buffer, type: string, cut: boolean): string | undefined {
	const [, charset = "utf-8"] = /;\s*charset\s*=\s*"?([\w.:-]+)/i.exec(type) ?? [];
	try {
		const text = decoderFor(charset).decode(bytes, { stream: cut });
		return hasControls(text) ? undefined : text;
	} catch {
		return undefined;
	}
}

function hasControls(text: string): boolean {
	for (const [character] of text.matchAll(/\p{Cc}/gu))
		if (character < "\u0080" && !OF_TEXT.includes(character)) return true;
	return false;
}

function decoderFor(charset: string): TextDecoder {
	try {
		return new TextDecoder(charset, { fatal: true });
	} catch {
		return new TextDecoder("utf-8", { fatal: true });
	}
}

function entriesOf(text: string): string {
	return [...new URLSearchParams(text)].map(([name, value]) => `${name} = ${value}`).join("\n");
}

/**
 * The same JSON with line breaks; `undefined`: it is none. Its tokens stay as they are, so that long numbers keep their digits and
 * keys that come twice are seen twice.
 */
export function prettyJson(text: string): string | undefined {
	try {
		JSON.parse(text);
	} catch {
		return undefined;
	}
	let pretty = "";
	let depth = 0;
	const newLine = (): string => `\n${"\t".repeat(Math.min(depth, DEPTH_MAX))}`;
	let before = "";
	for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},:]|[^\s[\]{},:"]+/g)) {
		if (token === "]" || token === "}") {
			depth--;
			pretty += before === "[" || before === "{" ? token : newLine() + token;
		} else {
			if (before === "[" || before === "{" || before === ",") pretty += newLine();
			pretty += token === ":" ? ": " : token;
			if (token === "[" || token === "{") depth++;
		}
		before = token;
	}
	return pretty;
}
