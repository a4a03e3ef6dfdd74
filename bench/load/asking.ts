/** Between a bench and its generators of load, each a process: commands there and answers back, one JSON line each. */
import { writeSync } from "node:fs";
import { raiseDescriptorLimit } from "../../src/kernel/sockets.js";
import { Helper } from "../../src/rig/helper.js";
import { linesOf } from "../../src/rig/lines.js";

/** By name: what is sent, and what comes back. */
type Table<Commands> = {
	readonly [Name in keyof Commands]: { readonly ask: object; readonly answer: object };
};

/** A line to the generator. */
export type Ask<Commands extends Table<Commands>> = {
	[Name in keyof Commands]: { readonly name: Name } & Commands[Name]["ask"];
}[keyof Commands];

export type Answer<Commands extends Table<Commands>> = Commands[keyof Commands]["answer"];

/** A line from it. */
type Line<Commands extends Table<Commands>> =
	| { readonly error: string }
	| { readonly answer: Answer<Commands> };

/** A generator that did not do what it was asked: the system under test lost, cut or misrouted something. */
export class LoadError extends Error {
	override readonly name = "LoadError";
}

/** The bench's end. */
export class LoadGenerator<Commands extends Table<Commands>> {
	readonly #helper: Helper<Ask<Commands>, Line<Commands>>;

	/** `script` calls `obeyCommands`. */
	constructor(script: URL) {
		// Loads have bounds of their own.
		this.#helper = new Helper(script, { answerMs: null });
	}

	/** One command at a time. Throws a LoadError when the load could not be completed. */
	async ask<Name extends keyof Commands>(
		name: Name,
		ask: Commands[Name]["ask"],
	): Promise<Commands[Name]["answer"]> {
		this.#helper.order({ name, ...ask } as Ask<Commands>); // by name, as Commands has it
		const line = await this.#helper.next();
		if ("error" in line) throw new LoadError(line.error);
		return line.answer; // each command is answered with its type
	}

	/** It ends with this process otherwise. */
	stop(): Promise<void> {
		return this.#helper.stop();
	}
}

/**
 * The generator's end: does what it is asked, to the end, and answers; in between it sleeps in a blocking read, and it ends with its parent.
 * What is left of a load that failed must not disturb the next one: `release` lets it go.
 */
export function obeyCommands<Commands extends Table<Commands>>(
	obey: (ask: Ask<Commands>) => Answer<Commands>,
	release: () => void,
): void {
	raiseDescriptorLimit();
	const answerTo = (ask: Ask<Commands>): Line<Commands> => {
		try {
			return { answer: obey(ask) };
		} catch (error) {
			release();
			return { error: error instanceof Error ? error.message : String(error) };
		}
	};
	// The lines come from a LoadGenerator, which builds them from the same type.
	for (const line of linesOf(0))
		writeSync(1, `${JSON.stringify(answerTo(JSON.parse(line) as Ask<Commands>))}\n`);
}
