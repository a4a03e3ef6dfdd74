/** What a field of a control message may be, and how its value stands in JSON. */

/** `read` answers `undefined` for what is no such value. */
export interface Field<T> {
	readonly optional: boolean;
	read(value: unknown): T | undefined;
	write(value: T): unknown;
}

const same = <T>(value: T): unknown => value;

/** A text of at most so many characters; for people, or a name. */
export function text(most: number, least = 0): Field<string> {
	return {
		optional: false,
		read: (value) =>
			typeof value === "string" && value.length >= least && value.length <= most ? value : undefined,
		write: same,
	};
}

/** A whole number. */
export function whole(least: number, most: number = Number.MAX_SAFE_INTEGER): Field<number> {
	return {
		optional: false,
		read: (value) =>
			typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most
				? value
				: undefined,
		write: same,
	};
}

/** A reading of the sender's clock: any number that JSON can carry. */
export const reading: Field<number> = {
	optional: false,
	read: (value) => (typeof value === "number" && Number.isFinite(value) ? value : undefined),
	write: same,
};

export const flag: Field<boolean> = {
	optional: false,
	read: (value) => (typeof value === "boolean" ? value : undefined),
	write: same,
};

/** Exactly so many bytes, in base64url without padding. */
export function bytes(length: number): Field<Uint8Array> {
	return {
		optional: false,
		read: (value) => (typeof value === "string" ? readBase64url(value, length) : undefined),
		write: (value) => Buffer.from(value).toString("base64url"),
	};
}

/** One of these words. */
export function word<const T extends string>(...words: readonly T[]): Field<T> {
	return {
		optional: false,
		read: (value) => words.find((each) => each === value),
		write: same,
	};
}

/** One of these words, or another one, which a later version may know: it is a text then. */
export function code<const T extends string>(..._words: readonly T[]): Field<T | (string & {})> {
	return text(64, 1);
}

export function listOf<T>(item: Field<T>, most: number): Field<readonly T[]> {
	return {
		optional: false,
		read: (value) => {
			if (!Array.isArray(value) || value.length > most) return undefined;
			const items: T[] = [];
			for (const each of value) {
				const read = item.read(each);
				if (read === undefined) return undefined;
				items.push(read);
			}
			return items;
		},
		write: (value) => value.map((each) => item.write(each)),
	};
}

/** A field that may be missing. */
export function maybe<T>(field: Field<T>): Field<T> {
	return { ...field, optional: true };
}

/** The fields of an object, by their names. */
export type Fields<T> = { readonly [Name in keyof T]-?: Field<Exclude<T[Name], undefined>> };

export function objectOf<T extends object>(fields: Fields<T>): Field<T> {
	return {
		optional: false,
		read: (value) => {
			if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
			const result = readFields(value, fields);
			return typeof result === "string" ? undefined : result;
		},
		write: (value) => writeFields(value, fields),
	};
}

/** The object, or the name of a field that is missing or wrong. Fields that are not known are left out. */
export function readFields<T extends object>(value: object, fields: Fields<T>): T | string {
	const result: Record<string, unknown> = {};
	for (const [name, field] of entriesOf(fields)) {
		const given: unknown = Object.hasOwn(value, name)
			? (value as Readonly<Record<string, unknown>>)[name]
			: undefined;
		if (given === undefined && field.optional) continue;
		const read = field.read(given);
		if (read === undefined) return name;
		result[name] = read;
	}
	return result as T;
}

export function writeFields<T extends object>(value: T, fields: Fields<T>): Record<string, unknown> {
	const result: Record<string, unknown> = {};
	for (const [name, field] of entriesOf(fields)) {
		const given = (value as Readonly<Record<string, unknown>>)[name];
		if (given !== undefined) result[name] = field.write(given);
	}
	return result;
}

function entriesOf<T>(fields: Fields<T>): [string, Field<unknown>][] {
	return Object.entries(fields) as unknown as [string, Field<unknown>][];
}

/** The one spelling of so many bytes: Node's own decoder skips what is no base64, and takes several spellings for one value. */
export function readBase64url(value: string, length: number): Uint8Array | undefined {
	if (value.length !== Math.ceil((length * 4) / 3)) return undefined;
	const decoded = Buffer.from(value, "base64url");
	return decoded.length === length && decoded.toString("base64url") === value ? decoded : undefined;
}
