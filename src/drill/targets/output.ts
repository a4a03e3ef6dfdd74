/** What a target of the drill's own prints, and the wait for the line that says it is ready. */
import { createInterface } from "node:readline";
import { isEnding, type OwnedProcess } from "../../rig/processes.js";

const READY_MS = 20_000;
/** Lines kept for whoever reads about a failure. */
const KEPT = 15;

export class Output {
	readonly #lines: string[] = [];
	readonly #errors: string[] = [];
	readonly #owned: OwnedProcess;
	#look: (line: string) => void = () => {};

	constructor(owned: OwnedProcess) {
		this.#owned = owned;
		for (const stream of [owned.child.stdout, owned.child.stderr]) {
			if (stream === null) throw new Error("pipes were asked for");
			createInterface({ input: stream }).on("line", (line) => {
				this.#lines.push(line);
				if (this.#lines.length > KEPT) this.#lines.shift();
				if (line.startsWith('{"level":"error"') && this.#errors.length < KEPT) this.#errors.push(line);
				this.#look(line);
			});
		}
	}

	get tail(): string {
		return this.#lines.join("\n");
	}

	/** The first lines of a gateway's log that are errors. */
	get errors(): readonly string[] {
		return this.#errors;
	}

	/** The first thing that `read` makes of a line. */
	async first<T>(read: (line: string) => T | undefined): Promise<T> {
		let timer: NodeJS.Timeout | undefined;
		try {
			return await new Promise<T>((resolve, reject) => {
				this.#look = (line) => {
					const found = read(line);
					if (found !== undefined) resolve(found);
				};
				const fail = (how: string): void =>
					reject(new Error(`the target did not start: ${how}\n${this.tail}`));
				timer = setTimeout(() => fail("not ready in time"), READY_MS);
				void this.#owned.ended.then((how) => {
					if (!isEnding()) fail(how);
				});
			});
		} finally {
			clearTimeout(timer);
			this.#look = () => {};
		}
	}
}

/** Runs the command behind it with so many descriptors. */
export function withLimit(descriptors: number | undefined): readonly string[] {
	return descriptors === undefined ? [] : ["sh", "-c", `ulimit -n ${descriptors}; exec "$@"`, "-"];
}
