/** Looks at files again and again, and says when one has changed. */
import { statSync } from "node:fs";

export class FileWatch {
	readonly #changed: () => void;
	#files: ReadonlyMap<string, string> = new Map();
	#seen = new Map<string, string>();
	#timer: NodeJS.Timeout | undefined;

	/** `changed` is called once for each change, however it ends: what is not good yet is looked at again when it changes. */
	constructor(changed: () => void) {
		this.#changed = changed;
	}

	/**
	 * Follows these files, as they looked when they were read, every so often. By polling: they are few, replaced by
	 * renaming or by moving a link somewhere above them, and a watch of each directory would miss some of it.
	 */
	follow(files: ReadonlyMap<string, string>, everyMs: number): void {
		this.#files = files;
		this.#seen = new Map(files);
		clearInterval(this.#timer);
		this.#timer = files.size === 0 ? undefined : setInterval(this.#look, everyMs).unref();
	}

	close(): void {
		clearInterval(this.#timer);
	}

	readonly #look = (): void => {
		let differs = false;
		for (const file of this.#files.keys()) {
			const now = fingerprintOf(file);
			if (this.#seen.get(file) === now) continue;
			this.#seen.set(file, now);
			differs = true;
		}
		if (differs) this.#changed();
	};
}

/** What a file looks like without being read: it changes with every change. */
export function fingerprintOf(path: string): string {
	try {
		const { ino, size, mtimeMs } = statSync(path);
		return `${ino} ${size} ${mtimeMs}`;
	} catch (error) {
		return String((error as NodeJS.ErrnoException).code);
	}
}
