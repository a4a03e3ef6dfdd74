/** Reading a plain value that may have any shape: rules pass over what the schema complains about. */

export type Mapping = Readonly<Record<string, unknown>>;

export function mapping(value: unknown): Mapping {
	return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Mapping) : {};
}

export function list(value: unknown): readonly unknown[] {
	return Array.isArray(value) ? value : [];
}
