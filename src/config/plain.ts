/** Reading a plain value that may have any shape: rules pass over what the schema complains about. */
import { InvalidValue } from "./errors.js";

export type Mapping = Readonly<Record<string, unknown>>;

export function mapping(value: unknown): Mapping {
	return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Mapping) : {};
}

export function list(value: unknown): readonly unknown[] {
	return Array.isArray(value) ? value : [];
}

/** Null for what is no string or does not parse: the schema complains about it. */
export function attempt<T>(value: unknown, parse: (text: string) => T): T | null {
	if (typeof value !== "string") return null;
	try {
		return parse(value);
	} catch (error) {
		if (error instanceof InvalidValue) return null;
		throw error;
	}
}
