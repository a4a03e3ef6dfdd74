/** What values of `sluice.yaml` are made of: numbers, durations, sizes and words, each with a message that says what was expected. */

import { z } from "zod";
import { parseCidr } from "./address.js";
import { KEEPALIVE_MAX_SECONDS } from "./bounds.js";
import { InvalidValue } from "./errors.js";
import { didYouMean } from "./nearest.js";
import { adviceForPlaceholder } from "./placeholder.js";
import { offWord, onWord } from "./switches.js";
import {
	DURATION_PATTERN,
	formatDuration,
	formatSize,
	parseDuration,
	parseSize,
	SIZE_MAX_BYTES,
	SIZE_PATTERN,
} from "./units.js";

/** SOCK_MIN_RCVBUF and SOCK_MIN_SNDBUF are about half of this. */
const BUFFER_MIN_BYTES = 4_096;

interface Told {
	readonly input?: unknown;
}

/** Messages that say what was expected and what was found. `hint` is for what is often found instead. */
export function expected(what: string, hint: (input: unknown) => string = () => ""): (issue: Told) => string {
	return ({ input }) => {
		if (input === undefined) return `expected ${what}`;
		if (input === null) return `nothing stands here: expected ${what}, or remove the key`;
		const advice = typeof input === "string" ? adviceForPlaceholder(input) : null;
		return advice ?? `expected ${what}, found ${found(input)}${hint(input)}`;
	};
}

export function found(input: unknown): string {
	if (typeof input === "number") return `the number ${input}`;
	if (typeof input === "string") return `"${input}"`;
	if (Array.isArray(input)) return "a list";
	return typeof input === "object" ? "a mapping" : String(input);
}

/** A string that a parser turns into its meaning; the parser's complaint becomes the issue. */
export function parsed<T>(
	what: string,
	parse: (text: string) => T,
	meta: { pattern?: string; examples: string[] },
	hint?: (input: unknown) => string,
) {
	return z
		.string({ error: expected(what, hint) })
		.meta(meta)
		.transform((text, context): T => {
			try {
				return parse(text);
			} catch (error) {
				if (!(error instanceof InvalidValue)) throw error;
				context.addIssue({ code: "custom", message: adviceForPlaceholder(text) ?? error.message });
				return z.NEVER;
			}
		});
}

export const CIDR = "a block of addresses such as 10.0.0.0/8";
export const cidr = () => parsed(CIDR, parseCidr, { examples: ["10.0.0.0/8", "fd00::/8"] });

export function duration(parse: (text: string) => number = parseDuration) {
	return parsed(
		"a duration such as 5s",
		parse,
		{ pattern: DURATION_PATTERN, examples: ["500ms", "5s", "10m"] },
		(input) =>
			typeof input === "number" && input > 0
				? `: write ${input}s or ${input}ms`
				: input === 0
					? ": at least 1ms"
					: "",
	);
}

export function optionalDuration(defaultMs: number, description: string) {
	return duration()
		.optional()
		.meta({ description, default: formatDuration(defaultMs) });
}

/** `1_000` and `10k`, as other programs write them. */
function wholeMeant(input: unknown): string {
	const [, digits = "", thousands] = /^([0-9][0-9_,]*)(k?)$/i.exec(String(input)) ?? [];
	const plain = digits.replace(/[_,]/g, "") + (thousands ? "000" : "");
	return typeof input === "string" && plain !== "" ? `: write ${plain}` : "";
}

export function whole(least: number, most: number, why = "") {
	const range = `a whole number from ${least} to ${most}${why}`;
	const error = expected(range, wholeMeant);
	return z.int({ error }).min(least, { error }).max(most, { error });
}

/** `meant`: what people write instead, and what they then want. */
export function choice<const T extends readonly [string, ...string[]]>(
	values: T,
	meant: Readonly<Record<string, string>> = {},
) {
	return z.enum(values, { error: choiceExpected(values, meant) });
}

/** One of these words, or off. */
export function offOr<const T extends readonly [string, ...string[]]>(
	values: T,
	meant: Readonly<Record<string, string>> = {},
) {
	return z.union([offWord(), z.enum(values)], { error: choiceExpected(["off", ...values], meant) });
}

function choiceExpected(values: readonly [string, ...string[]], meant: Readonly<Record<string, string>>) {
	const list = values.length === 1 ? values[0] : `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;
	return expected(String(list), (input) => choiceMeant(input, values, meant));
}

/** What somebody means who writes another word than those that there are. */
export function choiceMeant(
	input: unknown,
	values: readonly string[],
	meant: Readonly<Record<string, string>>,
): string {
	if (Array.isArray(input)) return ": one of them stands here";
	const word = String(input).toLowerCase();
	if (Object.hasOwn(meant, word)) return `: ${meant[word]}`;
	const switched = values.includes("off") ? offMeant(input) : "";
	if (switched !== "" || typeof input !== "string") return switched;
	return didYouMean(input, values);
}

const ON: ReadonlySet<unknown> = new Set([true, "true", "yes", "on", "enable", "enabled"]);
const OFF: ReadonlySet<unknown> = new Set([
	...[
		false,
		0,
		"false",
		"no",
		"none",
		"off",
		"never",
		"disable",
		"disabled",
		"unlimited",
		"infinite",
		"infinity",
	],
]);

/** Where `on` and `off` are words. */
export function onOff(input: unknown): string {
	const word = typeof input === "string" ? input.toLowerCase() : input;
	return ON.has(word) ? ": write on" : OFF.has(word) ? ": write off" : "";
}

/** Where `off` alone is a word. */
export function offMeant(input: unknown): string {
	return OFF.has(typeof input === "string" ? input.toLowerCase() : input) ? ": write off" : "";
}

export const yesNo = () =>
	z.union([onWord().transform(() => true), offWord().transform(() => false)], {
		error: expected("true or false", (input) => {
			const word = typeof input === "string" ? input.toLowerCase() : input;
			if (word === 1 || word === "1" || ON.has(word)) return ": write true";
			return word === "0" || OFF.has(word) ? ": write false" : "";
		}),
	});

/** The same, where a word tells what is switched better than true and false do. */
export const onOrOff = () => z.union([onWord(), offWord()], { error: expected("on or off", onOff) });

export const section = <T extends z.ZodRawShape>(shape: T) =>
	z.strictObject(shape, { error: expected("a mapping (keys and values)") });

/** Kernel timers of keepalive count whole seconds. */
export function keepaliveSeconds(text: string): number {
	const seconds = parseDuration(text) / 1_000;
	if (Number.isInteger(seconds) && seconds <= KEEPALIVE_MAX_SECONDS) return seconds;
	throw new InvalidValue(
		`expected whole seconds from 1s to ${KEEPALIVE_MAX_SECONDS}s (the kernel takes no others), found "${text}"`,
	);
}

/** A size of at least so many bytes; `example` stands in messages. */
export function size(
	example: string,
	leastBytes: number,
	alternative = "",
	hint: (input: unknown) => string = () => "",
) {
	const tooFew = ({ input }: Told): string =>
		`expected at least ${formatSize(leastBytes)}, found ${String(input)}${hint(input)}`;
	const tooMany = ({ input }: Told): string =>
		`expected at most ${formatSize(SIZE_MAX_BYTES)}, found ${String(input)}`;
	const what = `a size such as ${example}${alternative}`;
	return z.union(
		[
			z.int().min(leastBytes, { error: tooFew }).max(SIZE_MAX_BYTES, { error: tooMany }),
			parsed(
				what,
				(text) => {
					const meant = hint(text);
					if (meant !== "") throw new InvalidValue(`expected ${what}, found "${text}"${meant}`);
					const bytes = parseSize(text);
					if (bytes >= leastBytes) return bytes;
					throw new InvalidValue(tooFew({ input: text }));
				},
				{ pattern: SIZE_PATTERN, examples: [example] },
			),
		],
		{ error: expected(what, hint) },
	);
}

export function bufferSize(option: string) {
	return z
		.union([z.enum(["auto"]), size("1MiB", BUFFER_MIN_BYTES, ", or auto")], {
			error: expected("a size such as 1MiB, or auto"),
		})
		.optional()
		.meta({
			description: `A fixed size for the kernel's buffer of each connection (${option}; it takes twice as much memory). \`auto\`: the kernel tunes it to each path.`,
			default: "auto",
		});
}

export function sizeOrOff(example: string) {
	const error = expected(`a size such as ${example}, or off`, offMeant);
	return z.union([offWord(), size(example, 1, ", or off", offMeant)], { error }).optional();
}

/** Less makes every session wait for the better part of a second again and again. */
const BYTE_RATE_MIN = 1_024;

/** Bytes per second. `description`: what it bounds. `instead`: what holds where nothing is said, in words. */
export const byteRate = (description: string, instead?: string) =>
	z
		.union([offWord(), size("1MiB", BYTE_RATE_MIN, ", or off", offMeant)], {
			error: expected("a size such as 1MiB, or off", offMeant),
		})
		.optional()
		.meta(
			instead === undefined
				? { description, default: "off" }
				: { description: `${description} Default: ${instead}.` },
		);

export const optionalNumber = (most: number, description: string) =>
	z
		.union([offWord(), whole(1, most)], {
			error: expected(
				`a whole number from 1 to ${most}, or off`,
				(input) => offMeant(input) || wholeMeant(input),
			),
		})
		.optional()
		.meta({ description, default: "off" });

/** The path of a file that must exist when the configuration is used. */
export const filePath = (what: string, example: string) => {
	const error = expected(`${what} such as ${example}`);
	return z
		.string({ error })
		.min(1, { error })
		.meta({ examples: [example, `/etc/sluice/${example}`] });
};

/** What one of our own ports shows to whoever connects: for `admin` the messages name admin.pem and admin.key. */
export const certificateFiles = (example: string) =>
	section({
		cert: filePath("the file of a certificate", `${example}.pem`).describe(
			"The certificate and those of its issuers, in PEM, in that order. Read again when the file changes.",
		),
		key: filePath("the file of a private key", `${example}.key`).describe(
			"Its private key, in PEM, without a passphrase.",
		),
	});

/** One value where a list stands. */
export const inList = (input: unknown): string =>
	typeof input === "string" || typeof input === "number" ? `: write [${input}]` : "";

/** One mapping where a list of them stands. */
export const dashed = (input: unknown): string =>
	typeof input === "object" && input !== null && !Array.isArray(input)
		? ': begin it with "- ", or put it in [ ]'
		: "";
