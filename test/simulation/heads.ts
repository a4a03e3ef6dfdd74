/** Heads of messages, read by a second reader that shares nothing with the reactor's: lines, and fields by name. */
import { violated } from "./trace.js";

export interface Head {
	/** The request line or the status line. */
	readonly line: string;
	/** By name in lower case; values of fields that are repeated are joined. */
	readonly fields: ReadonlyMap<string, string>;
}

const END = "\r\n\r\n";

/** Puts a head together from the pieces in which it is sent. */
export class HeadReader {
	/** What there is of a head that is not whole. */
	text = "";
	/** The head that the last feeding completed, and its bytes. */
	head: Head | undefined;
	length = 0;

	/** Takes bytes up to the end of a head. Returns how many it took. */
	feed(memory: Uint8Array, offset: number, length: number): number {
		const before = this.text.length;
		const text =
			this.text + Buffer.from(memory.buffer, memory.byteOffset + offset, length).toString("latin1");
		const end = text.indexOf(END, Math.max(0, before - END.length + 1));
		this.head = end < 0 ? undefined : read(text.slice(0, end));
		this.text = end < 0 ? text : "";
		this.length = end + END.length;
		return end < 0 ? length : end + END.length - before;
	}
}

function read(text: string): Head {
	const [line = "", ...lines] = text.split("\r\n");
	const fields = new Map<string, string>();
	for (const field of lines) {
		const colon = field.indexOf(":");
		if (colon <= 0) violated(`a head is sent with the line ${JSON.stringify(field)}`);
		const name = field.slice(0, colon).toLowerCase();
		const value = field.slice(colon + 1).trim();
		const before = fields.get(name);
		fields.set(name, before === undefined ? value : `${before}, ${value}`);
	}
	return { line, fields };
}

/** Whether a list such as Connection's has this member. */
export function lists(head: Head, name: string, member: string): boolean {
	const value = head.fields.get(name) ?? "";
	return value.split(",").some((one) => one.trim().toLowerCase() === member);
}
