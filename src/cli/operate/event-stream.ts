/** Reads a stream of events (HTML, 9.2.6), as far as a gateway sends them. */

export interface StreamedEvent {
	readonly type: string;
	readonly id: string | undefined;
	readonly data: Readonly<Record<string, unknown>>;
}

/** As soon as they are whole: those that came together, together. */
export async function* eventsOf(texts: AsyncIterable<string>): AsyncGenerator<readonly StreamedEvent[]> {
	// Of one that is not whole; pieces, because a long one comes in many.
	let pieces: string[] = [];
	for await (const text of texts) {
		// Its end may come in two pieces.
		const endsInBoth = pieces.at(-1)?.endsWith("\n") === true && text.startsWith("\n");
		if (!endsInBoth && !text.includes("\n\n")) {
			pieces.push(text);
			continue;
		}
		const blocks = (pieces.join("") + text).split("\n\n");
		pieces = [blocks.pop() ?? ""];
		yield blocks.flatMap((block) => eventOf(block) ?? []);
	}
}

/** `undefined`: a comment, or what has no data. */
function eventOf(block: string): StreamedEvent | undefined {
	const fields = new Map<string, string>();
	for (const line of block.split("\n")) {
		const at = line.indexOf(":");
		if (at > 0) fields.set(line.slice(0, at), line.slice(at + 1).replace(/^ /, ""));
	}
	const data = fields.get("data");
	if (data === undefined) return undefined;
	return {
		type: fields.get("event") ?? "message",
		id: fields.get("id"),
		data: JSON.parse(data) as Readonly<Record<string, unknown>>,
	};
}
