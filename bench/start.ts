/** Starting a system under test: its directory, its processes and what they write, and the wait until it is ready. */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type OwnedProcess, ownProcess, stopProcess, temporaryDirectory } from "../src/rig/processes.js";

const READY_TIMEOUT_MS = 20_000;
/** For systems that drain; their sessions are over by then. */
const STOP_GRACE_MS = 3_000;
/** Of what a process wrote that did not start. */
const SAID_CHARACTERS = 2_000;

/** How to start one process, in the foreground. */
export interface Program {
	readonly command: string;
	readonly args: readonly string[];
}

let starts = 0;

export class Start {
	/** Its own; `stop` removes it. */
	readonly directory: string;
	readonly #id: string;
	readonly #retryMs: number;
	readonly #processes: OwnedProcess[] = [];
	#failure: string | null = null;

	/** `retryMs`: between two attempts to be answered. */
	constructor(id: string, retryMs: number) {
		this.#id = id;
		this.#retryMs = retryMs;
		this.directory = join(temporaryDirectory(), `${++starts}-${id}`);
		mkdirSync(this.directory);
	}

	/** Where the `index`th process writes what it has to say. */
	outputFile(index: number): string {
		return join(this.directory, `${index}.log`);
	}

	run({ command, args }: Program): OwnedProcess {
		const file = this.outputFile(this.#processes.length);
		const output = openSync(file, "w");
		const owned = ownProcess(command, args, { stdio: ["ignore", output, output], cwd: this.directory });
		closeSync(output);
		this.#processes.push(owned);
		void owned.ended.then((how) => {
			this.#failure ??= `${how}\n${endOf(file)}`;
		});
		return owned;
	}

	/** Throws when one of its processes ends before `attempt` succeeds, or it takes too long; then all of it is stopped. */
	async until(what: string, attempt: () => Promise<boolean>): Promise<void> {
		const sinceMs = performance.now();
		while (!(await attempt())) {
			if (performance.now() - sinceMs > READY_TIMEOUT_MS) this.#failure ??= this.#late(what);
			if (this.#failure !== null) {
				const why = `${this.#id} did not start: ${this.#failure}`;
				await this.stop();
				throw new Error(why);
			}
			await sleep(this.#retryMs);
		}
	}

	#late(what: string): string {
		const said = this.#processes.map((_, index) => endOf(this.outputFile(index)));
		return `not in time: ${what}\n${said.join("\n")}`;
	}

	/** The last started first: a gateway that goes makes its agents complain. */
	async stop(): Promise<void> {
		for (const owned of this.#processes.toReversed()) await stopProcess(owned, STOP_GRACE_MS);
		// A log of half a million sessions is not kept until the run's end.
		rmSync(this.directory, { recursive: true, force: true });
	}
}

function endOf(file: string): string {
	try {
		return readFileSync(file, "utf8").slice(-SAID_CHARACTERS);
	} catch {
		// Its directory is gone: it was stopped.
		return "";
	}
}
