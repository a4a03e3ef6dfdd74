/** What can be wrong with a configuration, and how it is told. */

/** One thing wrong in the file, where it stands. */
export interface Problem {
	/** As the user named it; `<config>` when the text came from memory. */
	readonly file: string;
	/** From 1. */
	readonly line: number;
	/** From 1, in characters. */
	readonly column: number;
	/** Which value it is about: `listeners[0].routes[3].sni`; empty for the file as a whole. */
	readonly path: string;
	/** What is wrong and what to do about it. */
	readonly message: string;
	/** The line of the file at fault, as it stands there. */
	readonly excerpt: string;
}

/** The file was read and says something that Sluice cannot follow. Carries every problem found, in order. */
export class ConfigError extends Error {
	override readonly name = "ConfigError";
	readonly code = "CONFIG_INVALID";
	readonly problems: readonly Problem[];

	constructor(problems: readonly Problem[]) {
		super(problems.map(headline).join("\n"));
		this.problems = problems;
	}
}

/** The file could not be read at all: absent, not permitted, a directory, too large, not UTF-8. */
export class ConfigFileError extends Error {
	override readonly name = "ConfigFileError";
	readonly code = "CONFIG_UNREADABLE";
	readonly file: string;

	constructor(file: string, reason: string, options?: ErrorOptions) {
		super(`${file}: ${reason}`, options);
		this.file = file;
	}
}

/** Thrown by the parsers of single values; the loader adds the position and makes a Problem of it. */
export class InvalidValue extends Error {
	override readonly name = "InvalidValue";
}

/**
 * Every problem, as a compiler would print it: `file:line:column: message`, then the line at
 * fault with a caret below. No newline at the end.
 */
export function formatProblems({ problems }: { readonly problems: readonly Problem[] }): string {
	return problems.map((problem) => `${headline(problem)}\n${picture(problem)}`).join("\n");
}

/** One line: `file:line:column: message`. */
export function headline(problem: Problem): string {
	return `${placeOf(problem)}: ${problem.message}`;
}

/** `file:line:column` */
export function placeOf({ file, line, column }: Problem): string {
	return `${file}:${line}:${column}`;
}

/** Lines beyond this are cut around the caret, so that a one-line file does not flood the terminal. */
const EXCERPT_WIDTH = 100;

function picture({ line, column, excerpt }: Problem): string {
	const start = column - 1 > EXCERPT_WIDTH - 20 ? column - 1 - EXCERPT_WIDTH / 2 : 0;
	// Control characters could move the cursor or recolour the terminal; tabs would shift the caret.
	const shown = excerpt.slice(start, start + EXCERPT_WIDTH).replace(/\p{Cc}/gu, " ");
	const number = String(line);
	return `  ${number} | ${shown}\n  ${" ".repeat(number.length)} | ${" ".repeat(column - 1 - start)}^`;
}
