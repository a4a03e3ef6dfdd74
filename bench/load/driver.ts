/** The bench's end of its two helpers: the backend and the generator, each a process. */
import { Helper } from "../../src/rig/helper.js";
import type { Answer, Ask, CommandName, Commands } from "./commands.js";
import type { DialogueName } from "./dialogues.js";

export interface BackendPorts {
	/** Equal to each other; every proxy started takes the next. */
	readonly relay: readonly number[];
	/** One per name in SNI_NAMES. */
	readonly sni: readonly number[];
	readonly bulk: number;
	/** As `relay`. */
	readonly http: readonly number[];
	readonly once: number;
	/** They answer a ClientHello, and are then as those without a name. */
	readonly greeted: { readonly relay: number; readonly bulk: number };
	readonly dialogues: Readonly<Record<DialogueName, number>>;
}

/** It ends with this process. */
export function startBackend(): Promise<BackendPorts> {
	return new Helper<never, BackendPorts>(new URL("backend.js", import.meta.url)).next();
}

/** A generator that did not do what it was asked: the proxy under test lost, cut or misrouted something. */
export class LoadError extends Error {
	override readonly name = "LoadError";
}

export class Generator {
	/** Loads have bounds of their own. */
	readonly #helper = new Helper<Ask, Answer>(new URL("generator.js", import.meta.url), { answerMs: null });

	/** One command at a time. Throws a LoadError when the load could not be completed. */
	async ask<Name extends CommandName>(
		name: Name,
		ask: Commands[Name]["ask"],
	): Promise<Commands[Name]["answer"]> {
		this.#helper.order({ name, ...ask } as Ask); // by name, as Commands has it
		const answer = await this.#helper.next();
		if ("error" in answer) throw new LoadError(answer.error);
		return answer.answer as Commands[Name]["answer"]; // generator.ts answers each command with its type
	}
}
