/**
 * What is put in place of `${VAR}`, `${VAR:-default}` and `${file:path}` in a text, and why it cannot be.
 * `$${` stands for `${` itself.
 */
import { resolve } from "node:path";
import { NoFileError, readFileWithin } from "./read-file.js";

/** A token, a key or a password has a few hundred bytes. */
const FILE_MAX_BYTES = 65_536;

export interface Surroundings {
	readonly env: Readonly<Record<string, string | undefined>>;
	/** What paths are relative to. */
	readonly baseDir: string;
}

/** What came out of a file, which nobody is told. */
export interface Secret {
	/** `${file:token}` */
	readonly reference: string;
	readonly content: string;
}

export interface Substituted {
	/** Where something is wrong, what was written stays. */
	readonly text: string;
	readonly secrets: readonly Secret[];
	/** `nth`: at which `${` of the text, from 0. */
	readonly problems: readonly { readonly nth: number; readonly message: string }[];
}

/** The opening, with the dollar that makes it a text; or a whole reference. */
const REFERENCE = /\$\$\{|\$\{([^}]*)(\}?)/g;

const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

const EXAMPLES = `\${PORT}, \${PORT:-443} or \${file:path}`;

/** Fills one text after the other; a file is read once. */
export class Substituter {
	readonly #from: Surroundings;
	readonly #contents = new Map<string, string>();

	constructor(from: Surroundings) {
		this.#from = from;
	}

	fill(written: string): Substituted {
		const secrets: Secret[] = [];
		const problems: { nth: number; message: string }[] = [];
		let nth = -1;
		const text = written.replace(REFERENCE, (reference, inside: string | undefined, closing: string) => {
			nth += 1;
			if (inside === undefined) return "${";
			try {
				const found = this.#find(reference, inside, closing);
				if (inside.startsWith("file:") && found !== "") secrets.push({ reference, content: found });
				return found;
			} catch (error) {
				if (!(error instanceof Unfilled)) throw error;
				problems.push({ nth, message: error.message });
				// What stands behind it is counted as well.
				nth += inside.split("${").length - 1;
				return reference;
			}
		});
		return { text, secrets, problems };
	}

	#find(reference: string, inside: string, closing: string): string {
		if (closing === "")
			throw new Unfilled(`"\${" is not closed: add "}" behind the name, or write "$\${" for the text itself`);
		if (inside.includes("${"))
			throw new Unfilled(`one reference cannot stand in another: give ${named(inside)} a plain default`);
		if (inside.startsWith("file:")) return this.#file(reference, inside.slice("file:".length));
		const [, name, fallback] = VARIABLE.exec(inside) ?? [];
		if (name === undefined) throw new Unfilled(noName(reference, inside));
		// Not what every object inherits: `toString` is a name, too.
		const value = Object.hasOwn(this.#from.env, name) ? this.#from.env[name] : undefined;
		// As a shell has it: a default is for what is empty, too.
		if (fallback !== undefined) return value === undefined || value === "" ? fallback : value;
		if (value === undefined)
			throw new Unfilled(
				`the environment variable ${name} is not set: set it, or write a default, \${${name}:-…}`,
			);
		return value;
	}

	#file(reference: string, path: string): string {
		if (path.trim() === "")
			throw new Unfilled(`"${reference}" names no file: write the path behind the colon`);
		const file = resolve(this.#from.baseDir, path);
		let content = this.#contents.get(file);
		if (content === undefined) {
			content = contentOf(file).replace(/\r?\n$/, "");
			this.#contents.set(file, content);
		}
		return content;
	}
}

/** The message says what to do. */
class Unfilled extends Error {}

function noName(reference: string, inside: string): string {
	if (inside === "") return `"\${}" names nothing: write ${EXAMPLES}`;
	const [, name, fallback] = /^(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::?[-?=+](.*)|:(.*))?$/s.exec(inside) ?? [];
	if (name !== undefined)
		return `"${reference}" is not known here: write \${${name}${fallback === undefined ? "" : `:-${fallback}`}}`;
	return `"${reference}" names no variable: a name has letters, digits and "_"; write ${EXAMPLES}`;
}

function named(inside: string): string {
	return VARIABLE.exec(inside)?.[1] ?? "it";
}

function contentOf(file: string): string {
	try {
		return new TextDecoder("utf-8", { fatal: true }).decode(
			readFileWithin(file, { maxBytes: FILE_MAX_BYTES, pipes: false }),
		);
	} catch (error) {
		throw new Unfilled(`${file} ${whyNot(error)}`);
	}
}

function whyNot(error: unknown): string {
	if (error instanceof NoFileError) return error.message;
	if (error instanceof TypeError) return "is not a UTF-8 text";
	const code = error instanceof Error && "code" in error ? error.code : undefined;
	if (code === "ENOENT") return "is not there: a path is relative to the configuration file";
	if (code === "EACCES") return "cannot be read: the user that runs sluice must be able to";
	return `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
}

/**
 * What an unquoted text means once it is filled. As YAML would read it, but for numbers that are longer than any
 * value here: a token made of digits is a text.
 */
export function plainValue(text: string): string | number | boolean {
	if (text === "true" || text === "false") return text === "true";
	return text.length <= 15 && /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$/.test(text) ? Number(text) : text;
}

/** Without what came out of files. `own`: what stands at the very place that the message is about. */
export function withoutSecrets(message: string, all: readonly Secret[], own: readonly Secret[]): string {
	let told = message;
	for (const { reference, content } of [...own, ...all])
		if (content.length >= (own.length > 0 ? WORD : LONG_WORD))
			told = told.replace(anyCase(content), () => reference);
	const [first] = own;
	if (first === undefined || !own.some(({ reference, content }) => leaks(told, reference, content)))
		return told;
	const [expectation = ""] = /^expected .*?(?=, found )/.exec(told) ?? [];
	const what = `what ${first.reference} holds does not fit here, and is not shown`;
	return expectation === "" || own.some(({ content }) => leaks(expectation, "", content))
		? what
		: `${expectation}: ${what}`;
}

/** Names are told in lower case, whatever was written. */
function anyCase(text: string): RegExp {
	return new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"), "gi");
}

/** Shorter parts tell nothing, and stand in many a message by chance; elsewhere in the file still longer ones do. */
const WORD = 4;
const LONG_WORD = 8;

/** Whether some part of the content stands in the message. */
function leaks(message: string, reference: string, content: string): boolean {
	const told = message.replaceAll(reference, "").toLowerCase();
	const secret = content.toLowerCase();
	if (secret.length <= WORD) return told.includes(secret);
	for (let from = 0; from + WORD <= secret.length; from++)
		if (told.includes(secret.slice(from, from + WORD))) return true;
	return false;
}

/**
 * The same text, of the same length, in which references are words to YAML: unquoted ones could not stand in { } and [ ],
 * whose signs they contain. `unmask` undoes it.
 */
export function mask(text: string): string {
	// Noncharacters of Unicode: no text has them.
	if (!text.includes("${") || MASKS.test(text)) return text;
	return text.replace(SPAN, (span) => `$${[...span.slice(1)].map(masked).join("")}`);
}

export function unmask(text: string): string {
	return text.replace(new RegExp(MASKS, "g"), (sign) => SIGNS[sign.charCodeAt(0) - MASK_FIRST] ?? sign);
}

const SIGNS = "{}[],:#";
const MASK_FIRST = 0xfdd0;
const MASKS = /[\ufdd0-\ufdd6]/;

/** A reference as far as it can be told from what stands around it; otherwise its opening alone, so that it is found. */
const SPAN =
	/\$\{(?:(?:[^\s,{}"']*|[A-Za-z_]\w*:-(?:(?!, |: | #)(?:\$\{[^{}"'\n]*\}|[^{}"'\n]))*(?<! ))\})?/g;

function masked(sign: string): string {
	const index = SIGNS.indexOf(sign);
	return index < 0 ? sign : String.fromCharCode(MASK_FIRST + index);
}
