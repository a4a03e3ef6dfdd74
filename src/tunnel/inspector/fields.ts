/** The fields of a head, as text. */
import { FieldSection } from "../../protocol/http/field-section.js";

export interface Field {
	readonly name: string;
	/** One character for each byte. */
	readonly value: string;
}

/** `bytes`: those that were read. */
export function fieldsIn(bytes: Buffer, { count, spans }: FieldSection): Field[] {
	return Array.from({ length: count }, (_, index) => {
		const [nameStart, nameEnd, valueStart, valueEnd] = spans.subarray(index * 4, index * 4 + 4);
		return {
			name: bytes.toString("latin1", nameStart, nameEnd),
			value: bytes.toString("latin1", valueStart, valueEnd),
		};
	});
}

const section = new FieldSection();

/** From `start` to the empty line; of what is not kept any more, none. */
export function fieldLines(bytes: Buffer, start: number): Field[] {
	section.clear();
	return section.readTrailers(bytes, start, bytes.length) < 0 ? [] : fieldsIn(bytes, section);
}

/** The first line of a head, without its end. An empty one may stand before it. */
export function firstLine(head: Buffer): string {
	const [start, end] = lineIn(head);
	return head.toString("latin1", start, end);
}

export function fieldsOfHead(head: Buffer): Field[] {
	return fieldLines(head, lineIn(head)[1] + 2);
}

function lineIn(head: Buffer): readonly [number, number] {
	const start = head.indexOf("\r\n") === 0 ? 2 : 0;
	return [start, Math.max(start, head.indexOf("\r\n", start))];
}

/** Of several with this name, all, as one list. */
export function listOf(fields: readonly Field[], lowerCased: string): string {
	return fields
		.filter(({ name }) => name.toLowerCase() === lowerCased)
		.map(({ value }) => value)
		.join(", ");
}
