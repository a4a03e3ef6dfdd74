/** Keys of TLS session tickets: the same in all reactors and over reloads, and none of them for long. */
import { newTicketKey } from "../kernel/openssl/tickets.js";

/**
 * A ticket is good for two hours, so the key before the newest one is needed that long. Whoever steals a key can read
 * what was resumed under it: that should not be a week's sessions.
 */
const ROTATE_MS = 8 * 3_600_000;

export class TicketKeys {
	#keys: readonly Uint8Array[] = [newTicketKey()];
	readonly #timer: NodeJS.Timeout;

	/** `changed` gets the keys from then on, the newest first. */
	constructor(changed: (keys: readonly Uint8Array[]) => void) {
		this.#timer = setInterval(() => {
			this.#keys = [newTicketKey(), ...this.#keys.slice(0, 1)];
			changed(this.#keys);
		}, ROTATE_MS).unref();
	}

	get keys(): readonly Uint8Array[] {
		return this.#keys;
	}

	close(): void {
		clearInterval(this.#timer);
	}
}
