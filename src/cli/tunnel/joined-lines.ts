/** Lines of a moment go out in one write: visitors of a crowd have two each, and a write costs as much as serving one of them. */
import type { LogWriter } from "../../gateway/log-writer.js";

/** Nobody who looks on sees so short a delay. */
const HELD_MS = 20;

/** Not held longer than a page of them. */
const HELD_MAX_CHARACTERS = 65_536;

export class JoinedLines {
	readonly #writer: LogWriter;
	#held = "";
	#timer: NodeJS.Timeout | undefined;

	constructor(writer: LogWriter) {
		this.#writer = writer;
	}

	/** A whole line, its end included. */
	write(line: string): void {
		this.#held += line;
		if (this.#held.length > HELD_MAX_CHARACTERS) this.#send();
		else this.#timer ??= setTimeout(() => this.#send(), HELD_MS);
	}

	/** Resolves when all is written, or nobody takes it. */
	async flush(): Promise<void> {
		this.#send();
		await this.#writer.flush();
	}

	#send(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		const held = this.#held;
		this.#held = "";
		if (held !== "") this.#writer.write(held);
	}
}
