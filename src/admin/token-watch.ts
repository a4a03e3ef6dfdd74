/** Whether streams that stay open were begun by tokens which are in force still. */
import type { AdminTokens } from "./view.js";

export class TokenWatch {
	readonly #tokens: () => AdminTokens;
	#shown: AdminTokens;

	/** `tokens`: those in force. */
	constructor(tokens: () => AdminTokens) {
		this.#tokens = tokens;
		this.#shown = tokens();
	}

	/** True once after a reload has replaced them: whoever showed one of those before shows one of the new ones, or hears no more. */
	take(): boolean {
		const [before, now] = [this.#shown, this.#tokens()];
		this.#shown = now;
		return now.full !== before.full || now.read !== before.read;
	}
}
