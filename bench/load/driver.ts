/** The bench's end of its two helpers: the backend and the generator, each a process. */
import { Helper } from "../../src/rig/helper.js";
import { LoadGenerator } from "./asking.js";
import type { Commands } from "./commands.js";
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

export class Generator extends LoadGenerator<Commands> {
	constructor() {
		super(new URL("generator.js", import.meta.url));
	}
}
