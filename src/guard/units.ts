/** Durations and sizes as the library takes them: as in `sluice.yaml`, or as numbers. */
import { InvalidValue } from "../config/errors.js";
import { DURATION_MAX_MS, parseDuration, parseSize, SIZE_MAX_BYTES } from "../config/units.js";

/** `"500ms"`, `"30s"`, `"10m"`, `"2h"`, `"1d"`, or milliseconds as a number. From 1 ms to 24 days. */
export type Duration = string | number;

/** `"64KiB"`, `"1MiB"`, `"10MB"`, or bytes as a whole number. */
export type Size = string | number;

/** An option that cannot be followed. The message says which one, and how to write it. */
export class OptionError extends TypeError {
	/** The class, as logs and `error.stack` show it. */
	override readonly name = "OptionError";
	/** To tell it by, across copies of the package. */
	readonly code = "SLUICE_OPTION";
	/** As it was passed: `timeouts.idle`. */
	readonly option: string;
	/** What was passed. */
	readonly value: unknown;

	constructor(option: string, value: unknown, message: string) {
		super(`${option}: ${message}`);
		this.option = option;
		this.value = value;
	}
}

/**
 * Throws OptionError for the first of what is `given` that is not among the `known` ones: a misspelt option would silently leave a
 * default in force. `prefix`: where it stands, such as `timeouts.`
 */
export function requireKnown(prefix: string, given: object, known: readonly string[]): void {
	for (const name of Object.keys(given))
		if (!known.includes(name))
			throw new OptionError(
				prefix + name,
				(given as Record<string, unknown>)[name],
				`no such option; there are ${known.join(", ")}`,
			);
}

/** Milliseconds of a duration. Throws OptionError. */
export function toMs(option: string, value: Duration): number {
	if (typeof value === "string") return read(option, value, parseDuration);
	if (typeof value === "number" && value >= 1 && value <= DURATION_MAX_MS) return value;
	throw new OptionError(
		option,
		value,
		`expected a duration such as "5s", or milliseconds from 1 to ${DURATION_MAX_MS}, found ${String(value)}`,
	);
}

/** Bytes of a size, `least` or more. Throws OptionError. */
export function toBytes(option: string, value: Size, least = 1): number {
	const bytes = typeof value === "string" ? read(option, value, parseSize) : value;
	if (Number.isInteger(bytes) && bytes >= least && bytes <= SIZE_MAX_BYTES) return bytes;
	throw new OptionError(
		option,
		value,
		`expected a size such as "64KiB", or a whole number of bytes, at least ${least}; found ${String(value)}`,
	);
}

/** A whole number of at least `least`. Throws OptionError. */
export function toCount(option: string, value: number, least = 1): number {
	if (Number.isSafeInteger(value) && value >= least) return value;
	throw new OptionError(option, value, `expected a whole number, at least ${least}; found ${String(value)}`);
}

function read(option: string, text: string, parse: (text: string) => number): number {
	try {
		return parse(text);
	} catch (error) {
		if (error instanceof InvalidValue) throw new OptionError(option, text, error.message);
		throw error;
	}
}
