/** The bench's end of an audience: subscribers and who publishes to them, a process. */
import { LoadGenerator } from "../../load/asking.js";
import type { Commands } from "./commands.js";

export class Audience extends LoadGenerator<Commands> {
	constructor() {
		super(new URL("generator.js", import.meta.url));
	}
}
