/** The bench's end of its two helpers: the echo server and the generator of datagrams, each a process. */
import { Helper } from "../../../src/rig/helper.js";
import { LoadGenerator } from "../../load/asking.js";
import type { Commands } from "./commands.js";

export interface EchoPorts {
	/** Answers each datagram by itself. */
	readonly echo: number;
	/** Answers several that came as one as one. */
	readonly batches: number;
	/** One per name. */
	readonly named: readonly number[];
}

/** It ends with this process. */
export function startEcho(): Promise<EchoPorts> {
	return new Helper<never, EchoPorts>(new URL("echo.js", import.meta.url)).next();
}

export class DatagramGenerator extends LoadGenerator<Commands> {
	constructor() {
		super(new URL("generator.js", import.meta.url));
	}
}
