/** The bench's end of its two helpers: the backend and the generator, each a process. */
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type OwnedProcess, ownProcess } from "../../src/rig/processes.js";
import type { Answer, CommandName, Commands } from "./commands.js";
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
	readonly dialogues: Readonly<Record<DialogueName, number>>;
}

export async function startBackend(): Promise<BackendPorts> {
	const helper = startHelper("backend.js");
	// backend.ts writes exactly this type.
	return JSON.parse(await helper.line()) as BackendPorts;
}

/** A generator that did not do what it was asked: the proxy under test lost, cut or misrouted something. */
export class LoadError extends Error {
	override readonly name = "LoadError";
}

export class Generator {
	readonly #helper = startHelper("generator.js");

	/** One command at a time. Throws a LoadError when the load could not be completed. */
	async ask<Name extends CommandName>(
		name: Name,
		ask: Commands[Name]["ask"],
	): Promise<Commands[Name]["answer"]> {
		this.#helper.send(JSON.stringify({ name, ...ask }));
		const answer = JSON.parse(await this.#helper.line()) as Answer;
		if ("error" in answer) throw new LoadError(answer.error);
		return answer.answer as Commands[Name]["answer"]; // generator.ts answers each command with its type
	}
}

interface Helper {
	send(line: string): void;
	line(): Promise<string>;
}

function startHelper(file: string): Helper {
	const path = fileURLToPath(new URL(file, import.meta.url));
	const owned: OwnedProcess = ownProcess(process.execPath, [path], { stdio: ["pipe", "pipe", "inherit"] });
	const { stdin, stdout } = owned.child;
	if (stdin === null || stdout === null) throw new Error("pipes were asked for");
	const reader: Interface = createInterface({ input: stdout });
	return {
		send: (line) => {
			stdin.write(`${line}\n`);
		},
		line: () =>
			Promise.race([
				new Promise<string>((resolve) => reader.once("line", resolve)),
				owned.ended.then((how) => {
					throw new Error(`bench/load/${file} ended: ${how}`);
				}),
			]),
	};
}
