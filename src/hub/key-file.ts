/** The file that `hub.keys` names: read at the start, and again whenever it has changed, so that keys are renewed without a restart. */
import { readFileWithin, whyUnread } from "../config/read-file.js";
import { FileWatch, fingerprintOf } from "../parts/file-watch.js";
import { type HubRights, TokenKeys } from "./tokens.js";

/** Many times what 32 keys take. */
const FILE_MAX_BYTES = 262_144;

/** How often it is looked at. */
const LOOK_MS = 2_000;

export interface KeyFileOptions {
	readonly everyMs?: number;
	/** Other keys are in force from now on. */
	readonly reloaded?: (keys: TokenKeys) => void;
	/** It has changed, and cannot be used: the earlier keys stay in force. A sentence that begins with the file, and shows nothing of a key. */
	readonly refused?: (sentence: string) => void;
}

export class KeyFile {
	readonly path: string;
	readonly #options: KeyFileOptions;
	readonly #watch: FileWatch;
	#keys: TokenKeys;

	/** @throws Error: the file cannot be read, or has no good keys */
	constructor(path: string, options: KeyFileOptions = {}) {
		this.path = path;
		this.#options = options;
		this.#watch = new FileWatch(() => this.reload());
		// Before it is read: a change in between is then seen as one.
		const seen = new Map([[path, fingerprintOf(path)]]);
		this.#keys = readTokenKeys(path);
		this.#watch.follow(seen, options.everyMs ?? LOOK_MS);
	}

	/** Those in force. */
	get keys(): TokenKeys {
		return this.#keys;
	}

	/** By the keys in force; as `TokenKeys.verify`. */
	verify(token: string): Promise<HubRights> {
		return this.#keys.verify(token);
	}

	/** As `TokenKeys.knows`, by the keys in force. */
	knows(thumbprint: string): boolean {
		return this.#keys.knows(thumbprint);
	}

	/** Reads it at once. Bad keys change nothing; `refused` is told. */
	reload(): void {
		try {
			this.#keys = readTokenKeys(this.path);
		} catch (error) {
			this.#options.refused?.((error as Error).message);
			return;
		}
		this.#options.reloaded?.(this.#keys);
	}

	/** The file is left alone from now on. The keys in force stay so. */
	close(): void {
		this.#watch.close();
	}
}

/**
 * For whoever wants to know whether a file is good, such as `sluice check`.
 *
 * @throws Error: a sentence that begins with the file
 */
export function readTokenKeys(path: string): TokenKeys {
	return TokenKeys.parse(readText(path, { pipes: false }), path);
}

/** @throws Error: it cannot be read */
export function readText(path: string, { pipes }: { readonly pipes: boolean }): string {
	try {
		return readFileWithin(path, { maxBytes: FILE_MAX_BYTES, pipes }).toString("utf8");
	} catch (error) {
		throw new Error(`${path}: ${whyUnread(error)}`);
	}
}
