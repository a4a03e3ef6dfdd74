/** The fields of a head, as text. */
import type { FieldSection } from "../../protocol/http/field-section.js";

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

/** Of several with this name, all, as one list. */
export function listOf(fields: readonly Field[], lowerCased: string): string {
	return fields
		.filter(({ name }) => name.toLowerCase() === lowerCased)
		.map(({ value }) => value)
		.join(", ");
}
